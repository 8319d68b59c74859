package deployer_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

// drifting is a fleet on which every target differs from what it should be.
type drifting struct{ *fleet }

func (d drifting) Drifted(context.Context, string, live.Want) ([]string, error) {
	return []string{"Deployment/web"}, nil
}

func TestWhileAReleaseWorksOnOneWaveTheOthersAreHealed(t *testing.T) {
	env := prod()
	env.Spec.Waves = []release.WaveSpec{{Name: "first", Clusters: match("wave", "1")}, {Name: "second", Clusters: match("wave", "2")}, {Name: "third", Clusters: match("wave", "3")}}
	clusters := []release.Cluster{cluster("a", "wave", "1"), cluster("b", "wave", "2"), cluster("c", "wave", "3")}
	at := func(c string) []release.Target { return []release.Target{{Cluster: c}} }
	stage := release.Stage{Env: "prod", Waves: []release.Wave{{Name: "first", Targets: at("a")}, {Name: "second", Targets: at("b")}, {Name: "third", Targets: at("c")}}}
	for _, c := range []struct {
		name   string
		change func(r *release.Release)
		want   string // healed, and to what
	}{
		{"it deploys the second wave", func(*release.Release) {}, "a to new, c to old"},
		{"a person holds it there", func(r *release.Release) { r.Hold = &release.Hold{By: "ana"} }, "a to new, c to old"},
		{"it is held for a person there", func(r *release.Release) { r.Phase = release.Held }, "a to new, c to old"},
		{"it is tried after the last wave", func(r *release.Release) { r.Phase, r.Wave = release.Trying, 2 }, "a to new, b to old"},
		{"it returns", func(r *release.Release) { r.Phase = release.RollingBack }, ""},
		{"it was refused and is held", func(r *release.Release) { r.Phase, r.Stages[0].Refused = release.Held, time.Now() }, ""},
		{"its return is held", func(r *release.Release) { r.Phase, r.Stages[0].Return = release.Held, "c0ffee" }, ""},
		{"its waves are over", func(r *release.Release) { r.Wave = 3 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(env, clusters...)
			names := map[release.Commit]string{w.branch.add("old", "old"): "old", w.branch.add("new", "new"): "new"}
			commit := func(name string) release.Commit {
				for c, n := range names {
					if n == name {
						return c
					}
				}
				return ""
			}
			r := newRelease("2")
			r.Phase, r.Wave, r.Stages = release.Deploying, 1, []release.Stage{stage}
			c.change(&r)
			p := &places{slot: release.Slot{Service: "shop/web", Env: "prod", Occupant: r.ID, Targets: map[string]release.Commit{"a": commit("new"), "b": commit("old"), "c": commit("old")}}}
			var mu sync.Mutex
			healed := map[string]string{}
			f := &deployer.Fleet{Platform: w.Platform, Slot: p.read, Slots: p.all, Desired: w.branch, Live: drifting{w.fleet}, Locks: w.Locks, Now: time.Now,
				Release: func(context.Context, release.ID) (release.Release, error) { return r, nil },
				Report: func(_ context.Context, h deployer.Healed) {
					mu.Lock()
					defer mu.Unlock()
					healed[h.Cluster] = h.Cluster + " to " + names[h.Revision]
				}}
			if err := f.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(slices.Sorted(maps.Values(healed)), ", "); got != c.want {
				t.Errorf("healed %q, want %q", got, c.want)
			}
		})
	}
}
