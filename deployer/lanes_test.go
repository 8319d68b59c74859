package deployer_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

// crowd is a fleet of services on the cluster "main" of which some do not answer.
type crowd struct {
	*fleet
	hangs  func(release.Service) bool
	looked chan release.Service
}

func (c crowd) Drifted(ctx context.Context, _ string, w live.Want) ([]string, error) {
	if c.hangs(w.Service) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c.looked <- w.Service
	return nil, nil
}

func TestAServiceThatHangsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(prod())
		old := w.branch.add("old", "old")
		c := crowd{w.fleet, func(s release.Service) bool { return s == "shop/hangs" }, make(chan release.Service, 64)}
		var others atomic.Int64
		slot := func(_ context.Context, s release.Service, e release.Env) (release.Slot, error) {
			if e == "other" {
				others.Add(1)
			}
			return release.Slot{Service: s, Env: "prod", Targets: map[string]release.Commit{"main": old}}, nil
		}
		slots := func(context.Context) ([]release.Slot, error) {
			all := []release.Slot{{Service: "shop/hangs", Env: "prod"}, {Service: "shop/web", Env: "prod"}, {Service: "shop/other", Env: "other"}}
			return all, nil
		}
		f := &deployer.Fleet{Platform: w.Platform, Slot: slot, Slots: slots, Desired: w.branch, Live: c, Locks: w.Locks, Now: time.Now, Report: func(context.Context, deployer.Healed) {}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()
		for range 20 { // it changes all the time, and is looked at once at a time
			w.fleet.changes <- []live.Change{{Cluster: "main", Service: "shop/hangs"}}
			time.Sleep(time.Second)
		}
		began := time.Now()
		w.fleet.changes <- []live.Change{{Cluster: "main", Service: "shop/web"}}
		if s := <-c.looked; s != "shop/web" || time.Since(began) > time.Second {
			t.Errorf("%s was looked at after %s", s, time.Since(began))
		}
		if others.Load() > 0 {
			t.Error("an environment was asked for services that it does not have")
		}
		began = time.Now()
		w.fleet.changes <- []live.Change{{Cluster: "main", Service: "shop/new"}} // deployed since the sweep
		if s := <-c.looked; s != "shop/new" || time.Since(began) > time.Second {
			t.Errorf("%s was looked at after %s", s, time.Since(began))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

func TestEverythingIsLookedAtThoughEightHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(prod(), cluster("main", "env", "prod"), cluster("far", "env", "prod"))
		old := w.branch.add("old", "old")
		c := crowd{w.fleet, func(s release.Service) bool { return s.Team() == "hangs" }, make(chan release.Service, 64)}
		var all []release.Slot
		for i := range 20 {
			all = append(all, release.Slot{Service: release.Service(fmt.Sprintf("hangs/s%d", i)), Env: "prod", Targets: map[string]release.Commit{"far": old}})
			all = append(all, release.Slot{Service: release.Service(fmt.Sprintf("shop/s%d", i)), Env: "prod", Targets: map[string]release.Commit{"main": old}})
		}
		slot := func(_ context.Context, s release.Service, e release.Env) (release.Slot, error) {
			cluster := "main"
			if s.Team() == "hangs" {
				cluster = "far"
			}
			return release.Slot{Service: s, Env: e, Targets: map[string]release.Commit{cluster: old}}, nil
		}
		f := &deployer.Fleet{Platform: w.Platform, Slot: slot, Slots: func(context.Context) ([]release.Slot, error) { return all, nil }, Desired: w.branch, Live: c, Locks: w.Locks,
			Now: time.Now, Report: func(context.Context, deployer.Healed) {}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		began := time.Now()
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		for range 20 {
			<-c.looked
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("the healthy cluster was looked at after %s", took)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
