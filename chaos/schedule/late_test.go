package schedule_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

func TestWhatWasNotBegunBeforeALongAbsenceIsNotBegunAfterIt(t *testing.T) {
	for name, c := range map[string]struct {
		away time.Duration
		want string
	}{
		"a moment":    {time.Second, "Passed"},
		"eight hours": {8 * time.Hour, "Aborted: aborted: the server was away for 8h0m2s before anything was broken"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				during(t, r.scheduler("* * * * *", ""), 62*time.Second, nil) // ends while the steady state is measured
				time.Sleep(c.away)
				during(t, r.scheduler("", ""), 40*time.Second, nil)
				if got := strings.Join(r.states(), ", "); got != c.want || (r.broken == 1) != (c.want == "Passed") {
					t.Errorf("runs %s, %d faults", got, r.broken)
				}
			})
		})
	}
}

func TestAnAbortNeedsNoPlatform(t *testing.T) {
	for name, stop := range map[string]func(s *schedule.Scheduler, run, file string) error{
		"a person": func(s *schedule.Scheduler, run, _ string) error {
			_, err := s.Abort(context.Background(), run, "ada pressed stop")
			return err
		},
		"the kill switch": func(_ *schedule.Scheduler, _, file string) error { return os.WriteFile(file, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "stop")
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				var gone atomic.Bool
				s := r.scheduler("", file)
				read := s.Platform
				s.Platform = func(ctx context.Context) (chaos.Platform, error) {
					if gone.Load() {
						return chaos.Platform{}, errors.New("nothing is known of it")
					}
					return read(ctx)
				}
				during(t, s, time.Minute, func() {
					run, err := s.Start(t.Context(), "restart-one", "staging", "", "ada")
					if err != nil {
						t.Fatal(err)
					}
					time.Sleep(13 * time.Second)
					gone.Store(true)
					if err := stop(s, run.ID, file); err != nil {
						t.Fatal(err)
					}
					time.Sleep(20 * time.Second)
				})
				if got := strings.Join(r.states(), ", "); !strings.HasPrefix(got, "Aborted") || len(r.faults) != 0 || r.broken != 1 {
					t.Errorf("runs %s, %d of %d faults left", got, len(r.faults), r.broken)
				}
			})
		})
	}
}

func TestWhatOneExperimentLacksKeepsNoOtherFromItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := r.scheduler("* * * * *", "")
		p, _ := s.Platform(t.Context())
		for _, name := range []string{"a", "b", "c", "d"} {
			p.Experiments[name] = release.Experiment{Meta: release.Meta{Name: name}, Spec: release.ExperimentSpec{Schedule: &release.ScheduleSpec{Cron: "TZ=UTC"}}}
		}
		during(t, s, 100*time.Second, nil)
		if got := strings.Join(r.states(), ", "); got != "Passed" || r.runs[r.order[0]].Started.Sub(start) > time.Minute+time.Millisecond {
			t.Errorf("runs %s", got)
		}
	})
}

// stays is a provider whose faults cannot be put back.
type stays struct {
	*rig
	err error
}

func (s stays) Revert(context.Context, release.FaultRecord, chaos.Force) error { return s.err }

// watched is a provider that looks at what is saved when a fault is to be put back.
type watched struct {
	*rig
	saved *[]string
}

func (w watched) Revert(ctx context.Context, f release.FaultRecord, force chaos.Force) error {
	runs, err := w.rig.Active(ctx)
	for _, r := range runs {
		*w.saved = append(*w.saved, r.Abort)
	}
	return errors.Join(err, w.rig.Revert(ctx, f, force))
}

func TestThatARunIsToStopIsSavedBeforeItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := r.scheduler("", "")
		var saved []string
		s.Engine.Provider = watched{r, &saved}
		during(t, s, time.Minute, func() {
			run, err := s.Start(t.Context(), "restart-one", "staging", "", "ada")
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(13 * time.Second)
			if _, err := s.Abort(t.Context(), run.ID, "enough"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
		})
		if len(saved) == 0 || saved[0] != "enough" || !strings.HasPrefix(strings.Join(r.states(), ", "), "Aborted") {
			t.Errorf("when the fault was put back, saved was %q; runs %v", saved, r.states())
		}
	})
}

func TestAServiceIsLockedUntilAFaultThatWasLeftHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := r.scheduler("", "")
		s.Engine.Provider = stays{r, nil}
		var id string
		locked := func(s *schedule.Scheduler, when string, want string) {
			t.Helper()
			if got := s.Breaking("shop/web", "staging"); got != want {
				t.Errorf("%s: %q is breaking, want %q", when, got, want)
			}
			if _, err := s.Start(t.Context(), "restart-one", "staging", "", "ada"); errors.Is(err, schedule.ErrBusy) != (want != "") {
				t.Errorf("%s: another start: %v", when, err)
			}
		}
		during(t, s, 4*time.Minute, func() {
			run, err := s.Start(t.Context(), "restart-one", "staging", "", "ada")
			if err != nil {
				t.Fatal(err)
			}
			id = run.ID
			time.Sleep(3 * time.Minute)
			if got := strings.Join(r.states(), ", "); !strings.HasPrefix(got, "Invalid") {
				t.Fatalf("runs %s", got)
			}
			locked(s, "after its end", id)
		})
		again := r.scheduler("", "")
		during(t, again, time.Minute, func() {
			time.Sleep(time.Second)
			locked(again, "after a restart", id)
			r.set(func() { clear(r.faults) })
			time.Sleep(10 * time.Second)
			locked(again, "once it has gone", "")
		})
	})
}

func TestAFaultThatCannotBePutBackCallsAPerson(t *testing.T) {
	for name, err := range map[string]error{"it stays": nil, "the cluster is away": errors.New("cluster staging does not answer")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				s := r.scheduler("", "")
				s.Engine.Provider = stays{r, err}
				during(t, s, 3*time.Minute, func() {
					if _, err := s.Start(t.Context(), "restart-one", "staging", "", "ada"); err != nil {
						t.Fatal(err)
					}
				})
				var told []string
				for id, e := range r.events {
					if strings.HasPrefix(id, "experiment-stuck/") && e.Severity == "critical" && e.Reason != "" {
						told = append(told, e.Subject)
					}
				}
				if got := strings.Join(told, ", "); got != "the fault of experiment restart-one on shop/web in staging cannot be put back" {
					t.Errorf("told %q of %v", got, r.events)
				}
			})
		})
	}
}
