package trial_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/release"
)

// worlds are several clusters on one clock.
type worlds map[string]*world

func (w worlds) Inject(ctx context.Context, o chaos.Order) error {
	return w[o.Fault.Cluster].Inject(ctx, o)
}
func (w worlds) Look(ctx context.Context, f release.FaultRecord) (chaos.Sight, error) {
	return w[f.Cluster].Look(ctx, f)
}
func (w worlds) Revert(ctx context.Context, f release.FaultRecord, force chaos.Force) error {
	return w[f.Cluster].Revert(ctx, f, force)
}
func (w worlds) Pods(ctx context.Context, cluster, namespace string, labels map[string]string) ([]chaos.Pod, error) {
	return w[cluster].Pods(ctx, cluster, namespace, labels)
}
func (w worlds) Wanted(ctx context.Context, cluster, namespace string, labels map[string]string) (int, error) {
	return w[cluster].Wanted(ctx, cluster, namespace, labels)
}
func (w worlds) Namespace(ctx context.Context, cluster, name string) (map[string]string, error) {
	return w[cluster].Namespace(ctx, cluster, name)
}
func (w worlds) Faults(ctx context.Context, cluster string) ([]chaos.Found, error) {
	return w[cluster].Faults(ctx, cluster)
}
func (w worlds) measure(ctx context.Context, s release.Service, env release.Env, cluster string, names []string, from, to time.Time) ([]release.Evidence, error) {
	return w[cluster].measure(ctx, s, env, cluster, names, from, to)
}

// later is the same moment in every cluster.
func (w worlds) later(d time.Duration) {
	at := w["canary"].now.Add(d)
	for _, one := range w {
		one.now = at
	}
}

// rings are a canary with the release on trial and a cluster that still has the last
// verified one.
func rings() (worlds, *chaos.Platform, release.Release) {
	w := worlds{"canary": newWorld(), "main": newWorld()}
	for _, one := range w {
		one.events = 1000
	}
	p := compares(release.WorseRefuse)
	p.Clusters = map[string]release.Cluster{"canary": {Spec: release.ClusterSpec{Chaos: true}}, "main": {Spec: release.ClusterSpec{Chaos: true}}}
	r := onTrial()
	r.Stages[0].Previous = &release.Placed{Release: "shop.web.000000000000", Desired: "0000000000000000000000000000000000000000"}
	r.Stages[0].Waves = []release.Wave{
		{Name: "canary", Trial: true, Targets: []release.Target{{Cluster: "canary", State: "Healthy", Revision: desired, Healthy: begin}}},
		{Name: "rest", Targets: []release.Target{{Cluster: "main", State: "Pending"}}},
	}
	return w, p, r
}

// sail drives a trial in rings as the Runner does.
func sail(t *testing.T, w worlds, p *chaos.Platform, r release.Release, each func(r release.Release, v release.Verdict)) (release.Release, release.Verdict) {
	t.Helper()
	engine := w["canary"].engine()
	engine.Provider, engine.Finder, engine.Measure = w, w, w.measure
	tr := &trial.Trial{Platform: func(context.Context) (chaos.Platform, error) { return *p, nil }, Engine: engine, Log: slog.New(slog.DiscardHandler)}
	for range 2000 {
		facts, v, err := tr.Run(t.Context(), "", r)
		if err != nil {
			w.later(2 * time.Second)
			continue
		}
		r = r.With(facts)
		if each != nil {
			each(r, v)
		}
		if v.Outcome() != release.Waiting {
			for cluster, one := range w {
				if len(one.faults) > 0 && !one.unreachable {
					t.Errorf("%s is broken after the verdict %q", cluster, v.Reason())
				}
			}
			return r, v
		}
		w.later(max(v.After(), 10*time.Millisecond))
	}
	t.Fatalf("the trial never ended: %+v beside %+v", r.Now().Trial, r.Now().Trial.Beside)
	return r, release.Verdict{}
}

func TestBothRingsAreBrokenAtTheSameTimeAndCompared(t *testing.T) {
	for _, c := range []struct {
		name            string
		candidate, main float64 // shares under the fault
		want            release.Outcome
		faults          int // on each side
		says            string
	}{
		{"no worse passes", 0.995, 0.995, release.Passed, 1, "no worse than the last verified release"},
		{"worse is refused when it is so twice", 0.991, 0.9995, release.Refused, 2, "less-resilient"},
		{"what hurts both alike passes while the objective is kept", 0.991, 0.991, release.Passed, 1, "no worse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, p, r := rings()
			w["canary"].goodUnder, w["main"].goodUnder = c.candidate, c.main
			together := false
			r, v := sail(t, w, p, r, func(release.Release, release.Verdict) {
				together = together || len(w["canary"].faults) == 1 && len(w["main"].faults) == 1
			})
			if v.Outcome() != c.want || !strings.Contains(v.Reason(), c.says) || !together {
				t.Errorf("%v, broken together: %t: %q", v.Outcome(), together, v.Reason())
			}
			for cluster, one := range w {
				if one.injected != c.faults {
					t.Errorf("%s was broken %d times, want %d", cluster, one.injected, c.faults)
				}
			}
			for _, ev := range r.Now().Trial.Evidence {
				if ev.Facts["about"] == "compared" && ev.Facts["beside"] != "main" {
					t.Errorf("compared with %+v", ev.Facts)
				}
			}
			if a, b := w["canary"].spans[0].created, w["main"].spans[0].created; a.Sub(b).Abs() > 2*time.Second {
				t.Errorf("broken at %s and %s", a, b)
			}
			replay(t, r, v)
		})
	}
}

func TestARefusedCandidateLeavesNothingBrokenBesideIt(t *testing.T) {
	w, p, r := rings()
	w["canary"].goodUnder = 0.5 // clear within a second, when the other is still measured
	_, v := sail(t, w, p, r, nil)
	if v.Outcome() != release.Refused || w["main"].injected != 1 {
		t.Errorf("%v after %d faults: %q", v.Outcome(), w["main"].injected, v.Reason())
	}
}

func TestWhatCannotBeTriedBesideItIsComparedByItsRecord(t *testing.T) {
	for name, change := range map[string]func(*world){
		"no Chaos Mesh there": func(w *world) {
			w.cannot = &chaos.CannotInject{Cluster: "main", Cause: "Chaos Mesh is not installed", Final: true}
		},
		"it does not answer": func(w *world) { w.unreachable = true },
	} {
		t.Run(name, func(t *testing.T) {
			w, p, r := rings()
			change(w["main"])
			w["canary"].goodUnder = 0.995
			before := after(0.999, 0.996).Stages[0].Previous.Trial
			for _, what := range []string{"baseline", "fault"} {
				before.Cells[chaos.CellKey("pod-kill", "web-availability", "canary", what)] = before.Cells[chaos.CellKey("pod-kill", "web-availability", "staging", what)]
			}
			r.Stages[0].Previous.Trial = before
			r, v := sail(t, w, p, r, nil)
			said := ""
			for _, ev := range r.Now().Trial.Evidence {
				if ev.Facts["about"] == "compared" {
					said = ev.Detail
				}
			}
			if v.Outcome() != release.Passed || !strings.Contains(said, "since it could not be tried beside this one on main") {
				t.Errorf("%v %q: %s", v.Outcome(), v.Reason(), said)
			}
		})
	}
}

// A crash loses what one call returned: the call is made again from what was saved before.
func TestRingsSurviveACrashAtEveryStep(t *testing.T) {
	calls := 0
	w, p, r := rings()
	sail(t, w, p, r, func(release.Release, release.Verdict) { calls++ })
	for crash := 0; crash < calls; crash += 3 {
		w, p, r := rings()
		engine := w["canary"].engine()
		engine.Provider, engine.Finder, engine.Measure = w, w, w.measure
		tr := &trial.Trial{Platform: func(context.Context) (chaos.Platform, error) { return *p, nil }, Engine: engine, Log: slog.New(slog.DiscardHandler)}
		var v release.Verdict
		for n := 0; v.Outcome() != release.Passed; n++ {
			facts, verdict, err := tr.Run(t.Context(), "", r)
			if err != nil || n > 2000 {
				t.Fatalf("crash at call %d: %v, in %+v", crash, err, r.Now().Trial)
			}
			if n == crash {
				w.later(time.Second)
				continue
			}
			r, v = r.With(facts), verdict
			w.later(max(v.After(), 10*time.Millisecond))
		}
		for cluster, one := range w {
			if one.injected != 1 || len(one.faults) != 0 {
				t.Errorf("crash at call %d: %s injected %d times, left %d", crash, cluster, one.injected, len(one.faults))
			}
		}
	}
}

func TestAnEnvironmentThatGoesAwayLeavesNothingBrokenInEitherRing(t *testing.T) {
	w, p, r := rings()
	_, v := sail(t, w, p, r, func(release.Release, release.Verdict) {
		if len(w["canary"].faults) == 1 && len(w["main"].faults) == 1 {
			p.Environments = nil
		}
	})
	if v.Outcome() != release.Undetermined || w["canary"].injected != 1 {
		t.Errorf("%v %q", v.Outcome(), v.Reason())
	}
}
