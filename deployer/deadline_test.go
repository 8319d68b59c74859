package deployer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// verified makes the world one that has something to return to.
func (w *world) verified() {
	w.slot.Verified = []release.Placed{{Release: "x", Desired: w.branch.add("old", "old")}}
}

func TestReturnReaches(t *testing.T) {
	t.Run("every target of a wave that has begun, though nothing of its sync was saved", func(t *testing.T) {
		w := newWorld(prod())
		w.verified()
		r := newRelease("2")
		r.Stages[0].Live, r.Stages[0].Waves = true, release.Plan(prod(), w.Platform.Clusters())
		r.Stages[0].Waves[0].Started = w.Now()
		if _, v, err := w.Sync(t.Context(), "k", r); err != nil || v.Outcome() != release.Passed { // its facts are dropped
			t.Fatalf("%v %v", v, err)
		}
		w.fleet.synced = nil
		facts, v, err := w.Return(t.Context(), "k", r)
		if err != nil || v.Outcome() != release.Passed || !slices.Equal(w.fleet.synced, []string{"canary"}) || w.fleet.on["canary"] != facts.Return {
			t.Fatalf("%v %s %v; synced %v", v.Outcome(), v.Reason(), err, w.fleet.synced)
		}
	})
	t.Run("every target of the environment when no plan was saved", func(t *testing.T) {
		w := newWorld(prod())
		w.verified()
		if _, v, err := w.Return(t.Context(), "k", newRelease("2")); err != nil || v.Outcome() != release.Passed || len(w.fleet.synced) != 2 {
			t.Fatalf("%v %s %v; synced %v", v.Outcome(), v.Reason(), err, w.fleet.synced)
		}
	})
	t.Run("no cluster that left the platform, and the verdict says so", func(t *testing.T) {
		w := newWorld(prod())
		w.verified()
		r := w.deployed(t, "2")
		r.Stages[0].Waves[1].Targets[0].Synced = w.Now()
		p := w.Platform.(platform)
		p.clusters = p.clusters[:1]
		w.Platform = p
		w.fleet.sync["main"] = func() (live.Result, error) { return live.Result{}, errors.New("cluster main is not known") }
		_, v, err := w.Return(t.Context(), "k", r)
		if err != nil || v.Outcome() != release.Passed || !strings.Contains(v.Reason(), "cluster main is not in the platform any more") {
			t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), err)
		}
		if e := v.Evidence()[len(v.Evidence())-1]; e.Cluster != "main" || e.Holds {
			t.Errorf("evidence %+v", e)
		}
	})
}

func TestPlatformMistake(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*platform)
		want  string
	}{
		{"a missing environment is waited for, not refused", func(p *platform) { p.env.Meta.Name = "other" }, `environment "prod" is not configured any more`},
		{"a missing project is waited for, not refused", func(p *platform) { p.project.Meta.Name = "other" }, `project "shop" is not configured any more`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(prod())
			w.verified()
			r := w.deployed(t, "2")
			p := w.Platform.(platform)
			c.spoil(&p)
			w.Platform = p
			for step, do := range map[string]func(context.Context, string, release.Release) (release.Facts, release.Verdict, error){"sync": w.Sync, "health": w.Health, "return": w.Return} {
				_, v, err := do(t.Context(), "k", r)
				if err == nil || err.Error() != c.want || hint.Of(err) == "" || v.Outcome() == release.Refused {
					t.Errorf("%s: %v, hint %q, %v", step, err, hint.Of(err), v.Outcome())
				}
			}
		})
	}
}

func TestDeadline(t *testing.T) {
	syncing := live.Result{State: live.Syncing, Message: "hook runs"}
	for _, c := range []struct {
		name  string
		steps []time.Duration // between looks; the first since the wave began
		down  int             // the look, from 1, at which the cluster does not answer
		want  release.Outcome
	}{
		{"a sync that does not end is refused after its time", []time.Duration{0, time.Minute, 5 * time.Minute}, 0, release.Refused},
		{"a wave that begins late has all its time", []time.Duration{time.Hour, time.Minute}, 0, release.Waiting},
		{"a cluster that was away has all its time", []time.Duration{0, time.Minute, time.Hour, time.Minute}, 2, release.Waiting},
		{"a cluster that was away has no more than its time", []time.Duration{0, time.Minute, time.Hour, 6 * time.Minute}, 2, release.Refused},
	} {
		t.Run("sync: "+c.name, func(t *testing.T) {
			w, r := newWorld(prod()), newRelease("1")
			now := w.Now()
			w.Now = func() time.Time { return now }
			r.Stages[0].Waves = release.Plan(prod(), w.Platform.Clusters())
			r.Stages[0].Waves[0].Started = now
			look := 0
			w.fleet.sync["canary"] = func() (live.Result, error) {
				if look == c.down {
					return live.Result{}, errors.New("cluster canary does not answer")
				}
				return syncing, nil
			}
			var v release.Verdict
			for i, d := range c.steps {
				now, look = now.Add(d), i+1
				var facts release.Facts
				var err error
				if facts, v, err = w.Sync(t.Context(), "k", r); err != nil || (i < len(c.steps)-1 && v.Outcome() != release.Waiting) {
					t.Fatalf("look %d: %v %s %v", look, v.Outcome(), v.Reason(), err)
				}
				r = r.With(facts)
			}
			if v.Outcome() != c.want {
				t.Errorf("got %v: %s", v.Outcome(), v.Reason())
			}
		})
	}
	t.Run("health: a cluster that was away has its time again", func(t *testing.T) {
		w := newWorld(prod())
		r := w.deployed(t, "1")
		now := w.Now()
		w.Now = func() time.Time { return now }
		var result live.Result
		var gone error
		w.fleet.health["canary"] = func() (live.Result, error) { return result, gone }
		look := func(after time.Duration) release.Outcome {
			now = now.Add(after)
			facts, v, err := w.Health(t.Context(), "k", r)
			if err != nil {
				t.Fatal(err)
			}
			r = r.With(facts)
			return v.Outcome()
		}
		gone = errors.New("cluster canary does not answer")
		got := []release.Outcome{look(time.Second)}
		result, gone = live.Result{State: live.Progressing}, nil
		got = append(got, look(time.Hour), look(time.Second), look(6*time.Minute))
		if want := []release.Outcome{release.Waiting, release.Waiting, release.Waiting, release.Refused}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}
