package deployer_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

// places is a slot in memory that is written as the store does.
type places struct {
	mu    sync.Mutex
	slot  release.Slot
	moved []deployer.Moved
}

func (p *places) read(context.Context, release.Service, release.Env) (release.Slot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slot, nil
}

func (p *places) all(ctx context.Context) ([]release.Slot, error) {
	s, err := p.read(ctx, "", "")
	return []release.Slot{s}, err
}

func (p *places) place(_ context.Context, s release.Slot, m deployer.Moved) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Version != p.slot.Version {
		return release.ErrStale
	}
	s.Version++
	p.slot, p.moved = s, append(p.moved, m)
	return nil
}

func (p *places) change(do func(*release.Slot)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do(&p.slot)
	p.slot.Version++
}

func TestFleetFollowsThePlatform(t *testing.T) {
	joined := cluster("new", "env", "prod")
	for _, c := range []struct {
		name      string
		onUnmatch string
		clusters  []release.Cluster
		away      string
		spoil     func(*release.Slot)
		want      []string // the targets that are on what is verified
		left      []string // others that still have something
	}{
		{name: "a cluster that joins gets what is verified", clusters: []release.Cluster{cluster("main", "env", "prod"), joined}, want: []string{"main", "new"}},
		{name: "a cluster that was away catches up", clusters: []release.Cluster{cluster("main", "env", "prod"), cluster("old", "env", "prod")}, want: []string{"main", "old"}},
		{name: "a cluster that does not answer is left in peace", clusters: []release.Cluster{cluster("main", "env", "prod"), joined}, away: "new", want: []string{"main"}},
		{name: "one that is not selected any more keeps what it has", clusters: []release.Cluster{cluster("main", "env", "prod"), cluster("old", "env", "dev")}, want: []string{"main"}, left: []string{"old"}},
		{name: "or is withdrawn from, where the environment says so", onUnmatch: "withdraw", clusters: []release.Cluster{cluster("main", "env", "prod"), cluster("old", "env", "dev")}, want: []string{"main"}},
		{name: "one that is not in the platform any more is never touched", onUnmatch: "withdraw", clusters: []release.Cluster{cluster("main", "env", "prod")}, want: []string{"main"}, left: []string{"old"}},
		{name: "nothing moves during a release", clusters: []release.Cluster{cluster("main", "env", "prod"), joined}, spoil: func(s *release.Slot) { s.Occupant = "x" }, want: []string{"main"}},
		{name: "nor while it is held", clusters: []release.Cluster{cluster("main", "env", "prod"), joined}, spoil: func(s *release.Slot) { s.Hold = &release.Hold{} }, want: []string{"main"}},
		{name: "nor before anything is verified", clusters: []release.Cluster{cluster("main", "env", "prod"), joined}, spoil: func(s *release.Slot) { s.Current = nil }, want: []string{"main"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				env := prod()
				env.Spec.OnUnmatch = c.onUnmatch
				w := newWorld(env, c.clusters...)
				before, now := w.branch.add("before", "before"), w.branch.add("now", "now")
				p := &places{slot: release.Slot{Service: "shop/web", Env: "prod", Current: &release.Placed{Release: "x", Desired: now}, Targets: map[string]release.Commit{"main": now}}}
				w.fleet.on["main"] = now
				for _, known := range c.clusters {
					if known.Meta.Name == "old" {
						p.slot.Targets["old"], w.fleet.on["old"] = before, before
					}
				}
				if len(c.clusters) == 1 {
					p.slot.Targets["old"], w.fleet.on["old"] = before, before
				}
				w.fleet.away[c.away] = true
				if c.spoil != nil {
					c.spoil(&p.slot)
				}
				runFleet(t, w, p, 10*time.Second)
				var on, left []string
				for _, n := range slices.Sorted(maps.Keys(w.fleet.on)) {
					if w.fleet.on[n] == now && p.slot.Targets[n] == now {
						on = append(on, n)
					} else {
						left = append(left, n)
					}
				}
				if !slices.Equal(on, c.want) || !slices.Equal(left, c.left) {
					t.Errorf("%v are on what is verified, want %v; %v keep something, want %v", on, c.want, left, c.left)
				}
			})
		})
	}
}

// runFleet lets a Fleet work for a while.
func runFleet(t *testing.T, w *world, p *places, d time.Duration) {
	t.Helper()
	f := &deployer.Fleet{Platform: w.Platform, Slot: p.read, Desired: w.branch, Live: w.fleet, Locks: w.Locks, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Slots:  p.all,
		Report: func(context.Context, deployer.Healed) {}, Place: p.place}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	time.Sleep(d) // of the bubble's clock
	cancel()
	<-done
}

func TestAHookOfAClusterThatJoinsIsWaitedForAndAReleaseThatBeginsMeanwhileWins(t *testing.T) {
	for _, begins := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(prod(), cluster("new", "env", "prod"))
			now := w.branch.add("now", "now")
			p := &places{slot: release.Slot{Service: "shop/web", Env: "prod", Current: &release.Placed{Release: "x", Desired: now}}}
			looks := 0
			w.fleet.sync["new"] = func() (live.Result, error) {
				if looks++; looks < 3 {
					return live.Result{State: live.Syncing, Message: "a hook runs"}, nil
				}
				if begins {
					p.change(func(s *release.Slot) { s.Occupant = "y" })
				}
				return live.Result{State: live.Synced}, nil
			}
			runFleet(t, w, p, 10*time.Second)
			if got := p.slot.Targets["new"]; begins && got != "" || !begins && (got != now || len(p.moved) != 1) {
				t.Errorf("a release begins: %v; the cluster is on %q after %d looks, told %v", begins, got, looks, p.moved)
			}
		})
	}
}

func TestAClusterThatHasTheContentAlreadyMovesWithoutHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(prod(), cluster("main", "env", "prod"), cluster("old", "env", "prod"))
		older, same, back := w.branch.add("older", "grey"), w.branch.add("verified", "blue"), w.branch.add("back", "blue")
		p := &places{slot: release.Slot{Service: "shop/web", Env: "prod", Current: &release.Placed{Release: "x", Desired: back},
			Targets: map[string]release.Commit{"main": same, "old": older}}}
		runFleet(t, w, p, 10*time.Second)
		if w.fleet.on["main"] != back || w.fleet.on["old"] != back || !slices.Equal(w.fleet.hooked, []string{"old"}) {
			t.Errorf("on %v, hooks ran on %v; want them on old only, which had other content", w.fleet.on, w.fleet.hooked)
		}
	})
}
