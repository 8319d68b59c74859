package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store/bolt"
)

const (
	schedules = 200 // all for the same seconds
	every     = 15 * time.Second
	watched   = 65 * time.Second
)

// ledger is the server's own, and notes how late each run was when it was saved.
type ledger struct {
	shelf.Runs

	mu   sync.Mutex // guards the fields below
	late map[string]time.Duration
	ends map[string]int // runs by how they ended
}

func (l *ledger) Save(ctx context.Context, r schedule.Run) (release.Revision, error) {
	at, err := l.Runs.Save(ctx, r)
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.late[r.ID]; !known && err == nil {
		l.late[r.ID] = time.Since(r.Scheduled)
	}
	if err == nil && r.Over() {
		l.ends[r.State]++
	}
	return at, err
}

// still is a cluster where every fault is injected at once and harms nothing.
type still struct {
	mu     sync.Mutex // guards faults
	faults map[string]time.Time
}

func (s *still) Inject(_ context.Context, o chaos.Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[o.Fault.Name] = time.Now()
	return nil
}

func (s *still) Look(_ context.Context, f release.FaultRecord) (chaos.Sight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.faults[f.Name]
	if !ok {
		return chaos.Sight{State: chaos.Gone, Seen: true}, nil
	}
	return chaos.Sight{State: chaos.Injected, Injected: at, Targets: f.Targets, Seen: true}, nil
}

func (s *still) Revert(_ context.Context, f release.FaultRecord, _ chaos.Force) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, f.Name)
	return nil
}

func (s *still) Pods(_ context.Context, _, namespace string, _ map[string]string) ([]chaos.Pod, error) {
	since := time.Now().Add(-time.Hour)
	restarts := int(time.Now().Unix()) // every look shows a later restart
	return []chaos.Pod{{Namespace: namespace, Name: "web-1", UID: "1", Ready: true, ReadySince: since, Restarts: restarts},
		{Namespace: namespace, Name: "web-2", UID: "2", Ready: true, ReadySince: since, Restarts: restarts}}, nil
}

func (s *still) Wanted(context.Context, string, string, map[string]string) (int, error) {
	return 0, nil
}

func (s *still) Namespace(context.Context, string, string) (map[string]string, error) {
	return nil, nil
}

func (s *still) Faults(context.Context, string) ([]chaos.Found, error) { return nil, nil }

func unmeasured(context.Context, release.Service, release.Env, string, []string, time.Time, time.Time) ([]release.Evidence, error) {
	return nil, nil
}

// planned is a platform of schedules, each of a service of its own.
func planned() (chaos.Platform, []schedule.Place) {
	p := chaos.Platform{
		Clusters:    map[string]release.Cluster{"lab": {Spec: release.ClusterSpec{Chaos: true}}},
		Projects:    map[string]release.Project{"shop": {Spec: release.ProjectSpec{Namespaces: []string{"shop"}}}},
		Experiments: map[string]release.Experiment{},
	}
	var places []schedule.Place
	for i := range schedules {
		name, service := fmt.Sprintf("kill-%d", i), release.Service(fmt.Sprintf("shop/web-%d", i))
		p.Experiments[name] = release.Experiment{Meta: release.Meta{Name: name}, Spec: release.ExperimentSpec{
			Service: service, Observe: release.Duration(2 * time.Second),
			Fault: release.Fault{Kind: "PodChaos", Action: "container-kill", Container: "web", Namespace: "shop", Duration: release.Duration(10 * time.Second),
				Selector: release.Selector{MatchLabels: map[string]string{"app": "web"}}},
			Schedule: &release.ScheduleSpec{Cron: fmt.Sprintf("*/%d * * * * *", int(every.Seconds())), Environments: []release.Env{"prod"}},
		}}
		places = append(places, schedule.Place{Service: service, Env: "prod", Cluster: "lab", Project: "shop"})
	}
	return p, places
}

// precision measures how late runs begin.
func precision(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	dir := filepath.Join(c.Dir, "schedule")
	if err := os.RemoveAll(dir); err != nil {
		return figure.Report{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return figure.Report{}, err
	}
	db, err := bolt.Open(filepath.Join(dir, "store.db"))
	if err != nil {
		return figure.Report{}, err
	}
	defer db.Close()
	p, places := planned()
	l := &ledger{Runs: shelf.Runs{KV: db}, late: map[string]time.Duration{}, ends: map[string]int{}}
	cluster := &still{faults: map[string]time.Time{}}
	s := &schedule.Scheduler{
		Platform: func(context.Context) (chaos.Platform, error) { return p, nil },
		Places:   func(context.Context) ([]schedule.Place, error) { return places, nil },
		Runs:     l, Announce: func(context.Context, release.Event) error { return nil }, Log: slog.New(slog.DiscardHandler),
		Engine: &chaos.Engine{Provider: cluster, Finder: cluster, Measure: unmeasured, Now: time.Now},
	}
	short, cancel := context.WithTimeout(ctx, watched)
	defer cancel()
	if err := s.Run(short); !errors.Is(err, context.DeadlineExceeded) {
		return figure.Report{}, fmt.Errorf("the scheduler ended: %w", err)
	}
	var late []float64
	for _, d := range l.late {
		late = append(late, d.Seconds())
	}
	fmt.Fprintf(say, "%d runs of %d schedules, ended: %v\n", len(late), schedules, l.ends)
	if len(late) < 2*schedules || l.ends[schedule.Invalid] > 0 {
		return figure.Report{}, fmt.Errorf("%d runs of %d schedules in %s, ended: %v", len(late), schedules, watched, l.ends)
	}
	name := fmt.Sprintf("schedule precision, %d experiments at the same second, ", schedules)
	return figure.Report{
		Notes: []string{fmt.Sprintf("%d runs of %d schedules in %s, with the server's scheduler, engine and store; late is from the schedule's time until the run is saved; the faults are nothing real", len(late), schedules, watched)},
		Figures: []figure.Figure{
			figure.Of(name+"p50", figure.Median(late), "s"),
			figure.Of(name+"p99", figure.Percentile(late, 0.99), "s").AtMost(1),
			figure.Of(name+"the latest", slices.Max(late), "s"),
		},
	}, nil
}
