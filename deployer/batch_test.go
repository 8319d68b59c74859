package deployer_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

func TestAWaveInBatchesEnds(t *testing.T) {
	refused := func() (live.Result, error) { return live.Result{State: live.Refused, Message: "quota"}, nil }
	degraded := func() (live.Result, error) { return live.Result{State: live.Degraded, Message: "crash"}, nil }
	slow := func() (live.Result, error) { return live.Result{State: live.Progressing, Message: "0 of 1"}, nil }
	running := func() (live.Result, error) { return live.Result{State: live.Syncing, Message: "hook"}, nil }
	for _, c := range []struct {
		name   string
		budget int
		sync   func() (live.Result, error)
		health func() (live.Result, error)
		want   release.Outcome
	}{
		{"one refuses, within the budget", 1, refused, nil, release.Passed},
		{"one breaks, within the budget", 1, nil, degraded, release.Passed},
		{"one is never healthy, within the budget", 1, nil, slow, release.Passed},
		{"one never ends its sync, within the budget", 1, running, nil, release.Passed},
		{"one is never healthy, without a budget", 0, nil, slow, release.Refused},
		{"one never ends its sync, without a budget", 0, running, nil, release.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			env, clusters := many(c.budget, "1")
			w, r := newWorld(env, clusters...), newRelease("1")
			now := w.Now()
			w.Now = func() time.Time { return now }
			w.fleet.sync["a"], w.fleet.health["a"] = c.sync, c.health
			var v release.Verdict
			for range 60 {
				facts, verdict, err := w.Sync(t.Context(), "k", r)
				if err != nil {
					t.Fatal(err)
				}
				if r, v = r.With(facts), verdict; v.Outcome() != release.Waiting {
					break
				}
				if ws := r.Stages[0].Waves; ws[0].Started.IsZero() {
					ws[0].Started = now
				}
				now = now.Add(10 * time.Second)
			}
			if v.Outcome() != c.want {
				t.Fatalf("%v: %s", v.Outcome(), v.Reason())
			}
			if c.want != release.Passed {
				return
			}
			for range 60 {
				facts, verdict, err := w.Health(t.Context(), "k", r)
				if err != nil {
					t.Fatal(err)
				}
				if r, v = r.With(facts), verdict; v.Outcome() != release.Waiting {
					break
				}
				now = now.Add(10 * time.Second)
			}
			if v.Outcome() != release.Passed {
				t.Errorf("health: %v: %s", v.Outcome(), v.Reason())
			}
			if len(w.fleet.on) < 3 {
				t.Errorf("synced %v", w.fleet.synced)
			}
		})
	}
}

func TestAClusterThatWasWellHasItsTimeAnewWhenItIsNot(t *testing.T) {
	env, clusters := many(0, "1")
	w, r := newWorld(env, clusters...), newRelease("1")
	now, flips := w.Now(), 0
	w.Now = func() time.Time { return now }
	w.fleet.health["a"] = func() (live.Result, error) {
		if flips++; flips == 3 {
			return live.Result{State: live.Progressing, Message: "a node was drained"}, nil
		}
		return live.Result{State: live.Healthy}, nil
	}
	var v release.Verdict
	for range 10 {
		facts, verdict, err := w.Sync(t.Context(), "k", r)
		if err != nil {
			t.Fatal(err)
		}
		if r, v = r.With(facts), verdict; v.Outcome() != release.Waiting {
			break
		}
		now = now.Add(4 * time.Minute)
	}
	if v.Outcome() != release.Passed || flips < 4 {
		t.Errorf("%v: %s, after %d looks", v.Outcome(), v.Reason(), flips)
	}
}
