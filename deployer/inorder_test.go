package deployer_test

import (
	"context"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	corev1 "k8s.io/api/core/v1"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/stamp"
	"github.com/seatrial/seatrial/release"
)

// still is a fleet whose clusters tell what they have.
type still struct {
	*fleet
	compared *int
	shape    *uint64 // of the one object there; 0: there is none
	drift    *[]string
}

func (s still) Drifted(context.Context, string, live.Want) ([]string, error) {
	*s.compared++
	return *s.drift, nil
}

func (s still) Stamp(string, release.Service) stamp.Stamp {
	var all []*cache.Resource
	if *s.shape > 0 {
		all = append(all, &cache.Resource{Ref: corev1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "conf"}})
	}
	return stamp.Of(all, func(*cache.Resource) (uint64, bool) { return *s.shape, true })
}

func TestWhatWasInOrderIsComparedAgainOnlyWhenSomethingChanges(t *testing.T) {
	w := newWorld(prod())
	on := w.branch.add("old", "old")
	var compared int
	shape, drift := uint64(1), []string(nil)
	slot := release.Slot{Service: "shop/web", Env: "prod", Targets: map[string]release.Commit{"main": on}}
	f := &deployer.Fleet{Platform: w.Platform, Desired: w.branch, Live: still{w.fleet, &compared, &shape, &drift}, Locks: w.Locks, Now: time.Now, Report: func(context.Context, deployer.Healed) {},
		Slot:  func(context.Context, release.Service, release.Env) (release.Slot, error) { return slot, nil },
		Slots: func(context.Context) ([]release.Slot, error) { return []release.Slot{slot}, nil }}
	look := func(what string, want int) {
		t.Helper()
		before := compared
		if err := f.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := compared - before; got != want {
			t.Errorf("%s: compared %d times, want %d", what, got, want)
		}
	}
	look("at first", 1)
	look("nothing has changed", 0)
	shape = 2
	look("an object has changed", 1)
	look("and not any more", 0)
	slot.Targets = map[string]release.Commit{"main": w.branch.add("new", "new")}
	look("another revision is wanted", 1)
	look("and not any more", 0)
	shape = 0
	look("the object is gone, or nobody watches it", 1)
	look("that is never order", 1)
	shape, drift = 3, []string{"Deployment/web"}
	look("something differs", 1)
	look("and still does", 1)
}
