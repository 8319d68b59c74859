package trial_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/release"
)

func TestAPlanOfAnHourAgoIsNotActedOn(t *testing.T) {
	w := newWorld()
	away := false
	_, v := journey(t, w, platform("pod-kill"), onTrial(), func(_ int, r release.Release, _ release.Verdict) {
		if r.Now().Trial.Step == "planned" && !away { // the server is killed, and the service loses its pods
			away, w.now, w.pods = true, w.now.Add(time.Hour), w.pods[:1]
		}
	})
	if w.injected != 0 || v.Outcome() != release.Undetermined || !strings.Contains(v.Reason(), "1 of 1 pods are ready") {
		t.Errorf("injected %d times: %v %q", w.injected, v.Outcome(), v.Reason())
	}
}

func TestAFaultThatIsInjectedTooLateIsNeverMeasured(t *testing.T) {
	w := newWorld()
	w.injectAfter = 28500 * time.Millisecond // of 30 s, two of which it may end early
	e := w.engine()
	e.Measure = func(ctx context.Context, s release.Service, env release.Env, cluster string, names []string, from, to time.Time) ([]release.Evidence, error) {
		if !to.After(from) {
			t.Errorf("asked for a window from %s to %s", from, to)
		}
		return w.measure(ctx, s, env, cluster, names, from, to)
	}
	tr := &trial.Trial{Platform: func(context.Context) (chaos.Platform, error) { return *platform("pod-failure"), nil }, Engine: e, Log: slog.New(slog.DiscardHandler)}
	r, v := onTrial(), release.Verdict{}
	for n := 0; n < 5000 && (v.Outcome() == release.NoOutcome || v.Outcome() == release.Waiting); n++ {
		facts, verdict, err := tr.Run(t.Context(), "", r)
		if err != nil {
			t.Fatal(err)
		}
		r, v = r.With(facts), verdict
		w.now = w.now.Add(max(v.After(), 10*time.Millisecond))
	}
	if v.Outcome() != release.Undetermined || !strings.Contains(v.Reason(), "in 3 attempts") || len(w.faults) > 0 {
		t.Errorf("%v %q, %d faults left", v.Outcome(), v.Reason(), len(w.faults))
	}
}

func TestAPrometheusThatHangsDelaysNoRevert(t *testing.T) {
	for name, after := range map[string]time.Duration{"the kill switch": 5 * time.Second, "the end of the window": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, began := newWorld(), time.Now()
				e := w.engine()
				e.Stop = func() string {
					if time.Since(began) > after {
						return "the kill switch is on"
					}
					return ""
				}
				e.Measure = func(ctx context.Context, _ release.Service, _ release.Env, _ string, _ []string, _, _ time.Time) ([]release.Evidence, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				s := chaos.Subject{Cluster: "staging", Observe: 20 * time.Second, Experiment: platform("pod-failure").Experiments["pod-failure"]}
				w.now = began.Add(2 * time.Second)
				trial := release.Trial{Step: "measuring", Attempt: 1, Since: began, Fault: &release.FaultRecord{Kind: "PodChaos", Action: "pod-failure", Name: "f", Created: began, Injected: began}}
				if err := w.Inject(t.Context(), chaos.Order{Fault: *trial.Fault, Duration: 30 * time.Second}); err != nil {
					t.Fatal(err)
				}
				for trial.Step == "measuring" {
					time.Sleep(10 * time.Millisecond)
					w.now = time.Now()
					next, v, err := e.Step(t.Context(), s, trial)
					if err != nil {
						t.Fatal(err)
					}
					trial = next
					time.Sleep(v.After())
				}
				if late := time.Since(began) - min(after, 20*time.Second); late > 2*time.Second {
					t.Errorf("asked on for %s", late)
				}
			})
		})
	}
}
