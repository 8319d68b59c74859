package schedule_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

// rig is a cluster, a history and an outbox, by the clock of the test's bubble.
type rig struct {
	mu     sync.Mutex // guards the fields below
	faults map[string]time.Time
	runs   map[string]schedule.Run
	events map[string]release.Event
	order  []string // IDs of runs as they were first saved
	busy   string
	share  float64
	most   int // faults at once
	broken int // faults ever
}

func newRig() *rig {
	return &rig{faults: map[string]time.Time{}, runs: map[string]schedule.Run{}, events: map[string]release.Event{}, share: 0.999}
}

func (r *rig) Inject(_ context.Context, o chaos.Order) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if saved := r.savedLocked(o.Fault.Name); !saved {
		return errors.New("the intent was not saved")
	}
	r.faults[o.Fault.Name] = time.Now()
	r.broken++
	r.most = max(r.most, len(r.faults))
	return nil
}

func (r *rig) savedLocked(name string) bool {
	for _, run := range r.runs {
		if run.Fault != nil && run.Fault.Name == name {
			return true
		}
	}
	return false
}

func (r *rig) Look(_ context.Context, f release.FaultRecord) (chaos.Sight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.faults[f.Name]
	if !ok {
		return chaos.Sight{State: chaos.Gone, Seen: true}, nil
	}
	return chaos.Sight{State: chaos.Injected, Injected: at, Targets: f.Targets, Seen: true}, nil
}

func (r *rig) Revert(_ context.Context, f release.FaultRecord, _ chaos.Force) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.faults, f.Name)
	return nil
}

func (r *rig) Pods(_ context.Context, _, _ string, _ map[string]string) ([]chaos.Pod, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since := time.Now().Add(-time.Minute)
	restarts := 0
	if len(r.order) > 0 {
		restarts = int(time.Since(start).Seconds()) // every look shows a later restart
	}
	return []chaos.Pod{{Namespace: "shop", Name: "web-1", UID: "1", Ready: true, ReadySince: since, Restarts: restarts},
		{Namespace: "shop", Name: "web-2", UID: "2", Ready: true, ReadySince: since, Restarts: restarts}}, nil
}

func (r *rig) Wanted(context.Context, string, string, map[string]string) (int, error) { return 0, nil }

func (r *rig) Namespace(context.Context, string, string) (map[string]string, error) {
	return nil, nil
}

func (r *rig) Faults(context.Context, string) ([]chaos.Found, error) { return nil, nil }

func (r *rig) measure(_ context.Context, _ release.Service, _ release.Env, cluster string, _ []string, from, to time.Time) ([]release.Evidence, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	objective, share, o := 0.99, r.share, release.Passed
	if time.Now().Before(to) {
		o = release.Waiting
	} else if share < objective && from.Sub(start) > 15*time.Second {
		o = release.Refused
	}
	return []release.Evidence{{Gate: "slo", Holds: o == release.Passed, Cluster: cluster, Measured: &share, Threshold: &objective,
		Facts: map[string]string{"slo": "web-availability", "outcome": o.String(), "good": "1", "total": "1"}}}, nil
}

func (r *rig) Save(_ context.Context, run schedule.Run) (release.Revision, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.runs[run.ID].Revision != run.Revision {
		return 0, release.ErrStale
	}
	run.Revision++
	if _, ok := r.runs[run.ID]; !ok {
		r.order = append(r.order, run.ID)
	}
	r.runs[run.ID] = run
	return run.Revision, nil
}

func (r *rig) List(_ context.Context, experiment, after string, limit int) ([]schedule.Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []schedule.Run
	for _, run := range r.runs {
		if (experiment == "" || run.Experiment == experiment) && (after == "" || run.ID < after) {
			all = append(all, run)
		}
	}
	slices.SortFunc(all, func(a, b schedule.Run) int { return strings.Compare(b.ID, a.ID) })
	return all[:min(limit, len(all))], nil
}

func (r *rig) Active(ctx context.Context) ([]schedule.Run, error) {
	all, err := r.List(ctx, "", "", 1000)
	return slices.DeleteFunc(all, schedule.Run.Over), err
}

func (r *rig) announce(_ context.Context, e release.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events[e.ID] = e
	return nil
}

func (r *rig) places(context.Context) ([]schedule.Place, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return []schedule.Place{{Service: "shop/web", Env: "staging", Cluster: "staging", Project: "shop", Busy: r.busy}}, nil
}

func (r *rig) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// states are the runs in the order they began: "Passed", "Invalid: skipped: …".
func (r *rig) states() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, id := range r.order {
		s := r.runs[id].State
		if s == schedule.Invalid || s == schedule.Aborted {
			s += ": " + r.runs[id].Message
		}
		all = append(all, s)
	}
	return all
}

// start is when every bubble begins.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (r *rig) scheduler(cron, stopFile string) *schedule.Scheduler {
	x := release.Experiment{Meta: release.Meta{Name: "restart-one"}, Spec: release.ExperimentSpec{
		Service: "shop/web", Observe: release.Duration(10 * time.Second),
		Fault: release.Fault{Kind: "PodChaos", Action: "container-kill", Container: "web", Namespace: "shop", Duration: release.Duration(30 * time.Second),
			Selector: release.Selector{MatchLabels: map[string]string{"app": "web"}}},
	}}
	if cron != "" {
		x.Spec.Schedule = &release.ScheduleSpec{Cron: cron, Environments: []release.Env{"staging"}}
	}
	p := chaos.Platform{
		Clusters:    map[string]release.Cluster{"staging": {Spec: release.ClusterSpec{Chaos: true}}},
		Projects:    map[string]release.Project{"shop": {Spec: release.ProjectSpec{Namespaces: []string{"shop"}}}},
		Experiments: map[string]release.Experiment{"restart-one": x},
	}
	return &schedule.Scheduler{
		Platform: func(context.Context) (chaos.Platform, error) { return p, nil },
		Places:   r.places, Runs: r, Announce: r.announce, StopFile: stopFile, Log: slog.New(slog.DiscardHandler),
		Engine: &chaos.Engine{Provider: r, Finder: r, Measure: r.measure, Now: time.Now},
	}
}

// during runs the scheduler for a while of the bubble's time.
func during(t *testing.T, s *schedule.Scheduler, d time.Duration, meanwhile func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	if meanwhile != nil {
		meanwhile()
	}
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run: %v", err)
	}
}

func TestSchedulerRunsByItselfAndReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		during(t, r.scheduler("* * * * *", ""), 3*time.Minute+50*time.Second, nil)
		if got := strings.Join(r.states(), ", "); got != "Passed, Passed, Passed" {
			t.Errorf("runs: %s", got)
		}
		if len(r.events) != 3 || len(r.faults) != 0 {
			t.Errorf("%d events, %d faults left", len(r.events), len(r.faults))
		}
		for id, e := range r.events {
			if e.Kind != release.EventExperiment || e.Subject != "experiment restart-one on shop/web in staging: Passed" || e.Reason == "" {
				t.Errorf("event %s: %+v", id, e)
			}
		}
		if first := r.order[0]; first != "20000101T000100Z.restart-one.staging" {
			t.Errorf("first run %s", first)
		}
	})
}

func TestSchedulerReportsWhatDoesNotHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		during(t, r.scheduler("* * * * *", ""), 100*time.Second, func() {
			time.Sleep(72 * time.Second)
			r.set(func() { r.share = 0.5 })
		})
		if got := strings.Join(r.states(), ", "); got != "Failed" {
			t.Errorf("runs: %s", got)
		}
	})
}

func TestSchedulerNeverOverlapsARelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		busy := "release shop.web.3f2a91c07d0b is Deploying"
		r.busy = busy
		s := r.scheduler("* * * * *", "")
		during(t, s, 3*time.Minute+50*time.Second, func() {
			time.Sleep(90 * time.Second)
			r.set(func() { r.busy = "" })
			time.Sleep(44 * time.Second) // the second run has injected
			r.set(func() {
				if len(r.faults) != 1 {
					t.Errorf("%d faults are active", len(r.faults))
				}
				r.busy = busy
			})
			if run := s.Breaking("shop/web", "staging"); run == "" || s.Breaking("shop/web", "prod") != "" || s.Breaking("shop/api", "staging") != "" {
				t.Errorf("the rollout would not wait for the fault: %q", run)
			}
			time.Sleep(10 * time.Second)
			if run := s.Breaking("shop/web", "staging"); run != "" {
				t.Errorf("the rollout would wait for %s for ever", run)
			}
			r.set(func() {
				if len(r.faults) != 0 {
					t.Error("the fault is still there though a release began")
				}
			})
		})
		want := []string{"Invalid: skipped: " + busy, "Aborted: aborted: " + busy, "Invalid: skipped: " + busy}
		if got := r.states(); !slices.Equal(got, want) {
			t.Errorf("runs: %q, want %q", got, want)
		}
	})
}

func TestSchedulerGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		during(t, r.scheduler("* * * * *", ""), 74*time.Second, nil) // ends while the fault is active
		if len(r.faults) != 1 {
			t.Fatalf("%d faults are active, states %v", len(r.faults), r.states())
		}
		for name := range r.faults {
			if active, err := r.scheduler("", "").Active(t.Context(), name); !active || err != nil {
				t.Errorf("the run of %s is not active: %v", name, err)
			}
		}
		during(t, r.scheduler("* * * * *", ""), 40*time.Second, nil)
		if got := strings.Join(r.states(), ", "); got != "Passed" || len(r.faults) != 0 {
			t.Errorf("runs: %s, %d faults left", got, len(r.faults))
		}
		time.Sleep(5 * time.Minute) // five were missed
		during(t, r.scheduler("* * * * *", ""), 45*time.Second, nil)
		if got := strings.Join(r.states(), ", "); got != "Passed, Passed" || r.most != 1 {
			t.Errorf("runs: %s, at most %d faults at once", got, r.most)
		}
	})
}

func TestPersonRunsAndAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := r.scheduler("", "")
		during(t, s, 2*time.Minute, func() {
			run, err := s.Start(t.Context(), "restart-one", "staging", "", "ada")
			if err != nil || run.By != "ada" || run.Trigger != "person" || run.Cluster != "staging" {
				t.Fatalf("%+v %v", run, err)
			}
			if _, err := s.Start(t.Context(), "restart-one", "staging", "", "ada"); !errors.Is(err, schedule.ErrBusy) {
				t.Errorf("a second run of the same service: %v", err)
			}
			time.Sleep(13 * time.Second)
			if _, err := s.Abort(t.Context(), run.ID, "ada pressed stop"); err != nil {
				t.Error(err)
			}
			time.Sleep(10 * time.Second)
			if _, err := s.Abort(t.Context(), run.ID, "again"); !errors.Is(err, schedule.ErrUnknownRun) {
				t.Errorf("aborting what is over: %v", err)
			}
			if _, err := s.Start(t.Context(), "no-such", "staging", "", "ada"); !errors.Is(err, schedule.ErrUnknownExperiment) {
				t.Errorf("an unknown experiment: %v", err)
			}
			if _, err := s.Start(t.Context(), "restart-one", "prod", "", "ada"); err == nil || !strings.Contains(err.Error(), "shop/web is not in prod") {
				t.Errorf("an environment without the service: %v", err)
			}
		})
		if got := strings.Join(r.states(), ", "); got != "Aborted: aborted: ada pressed stop" || len(r.faults) != 0 {
			t.Errorf("runs: %s, %d faults left", got, len(r.faults))
		}
		items, err := s.Items(t.Context())
		if err != nil || len(items) != 1 || len(items[0].Last) != 1 || items[0].Running != nil {
			t.Errorf("items %+v %v", items, err)
		}
	})
}

func TestKillSwitchBlocksAndStops(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stop")
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := r.scheduler("* * * * *", file)
		during(t, s, 2*time.Minute+30*time.Second, func() {
			time.Sleep(74 * time.Second)
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			r.set(func() {
				if len(r.faults) != 0 {
					t.Error("the fault is still there")
				}
			})
			if _, err := s.Start(t.Context(), "restart-one", "staging", "", "ada"); !errors.Is(err, schedule.ErrBusy) {
				t.Errorf("a run in spite of the kill switch: %v", err)
			}
		})
		got := r.states()
		if len(got) != 2 || !strings.HasPrefix(got[0], "Aborted: aborted: the kill switch is on") || !strings.HasPrefix(got[1], "Invalid: skipped: the kill switch is on") {
			t.Errorf("runs: %q", got)
		}
	})
}

func TestAPlanNamesWhatWouldBeHitAndBreaksNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "stop")
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := r.scheduler("* * * * *", file)
		p, err := s.Plan(t.Context(), "restart-one", "staging", "", "ada")
		if err != nil || p.Why != "" || len(p.Aims.Pods) != 2 || len(p.Aims.Fault.Targets) != 1 || p.Place.Cluster == "" {
			t.Errorf("%+v %v", p, err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err = s.Plan(t.Context(), "restart-one", "staging", "", "ada"); err != nil || !strings.Contains(p.Why, "kill switch") || len(p.Aims.Fault.Targets) != 1 {
			t.Errorf("stopped: %+v %v", p, err)
		}
		if _, err = s.Plan(t.Context(), "none", "staging", "", "ada"); !errors.Is(err, schedule.ErrUnknownExperiment) {
			t.Errorf("an experiment that is not there: %v", err)
		}
		if len(r.faults) != 0 || len(r.states()) != 0 {
			t.Errorf("%d faults and runs %v of a plan", len(r.faults), r.states())
		}
	})
}

func TestRunsBeginAtTheirSecondWheneverTheServerWasStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(700 * time.Millisecond) // in the middle of a second, by the bubble's clock
		r := newRig()
		during(t, r.scheduler("*/5 * * * * *", ""), 6*time.Second, nil)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.order) != 1 {
			t.Fatalf("runs %v", r.order)
		}
		if run := r.runs[r.order[0]]; run.Started.Sub(run.Scheduled) >= 10*time.Millisecond {
			t.Errorf("the run of %s began at %s", run.Scheduled, run.Started)
		}
	})
}
