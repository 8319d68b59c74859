package deployer

import (
	"context"
	"slices"

	"github.com/seatrial/seatrial/release"
)

// idle reads a slot, and reports whether nobody else changes the service on a cluster now:
// no release is there, or it works on another wave. Who holds the target's lock can rely on it.
func (f *Fleet) idle(ctx context.Context, svc release.Service, env release.Env, cluster string) (release.Slot, bool) {
	slot, err := f.Slot(ctx, svc, env)
	if err != nil || slot.Targets[cluster] == "" {
		return slot, false
	}
	who := slot.Occupant
	if who == "" {
		return slot, true
	}
	if f.Release == nil || len(slot.Targets) < 2 {
		return slot, false
	}
	r, err := f.Release(ctx, who)
	if err != nil || !aside(r, cluster) {
		return slot, false
	}
	slot, err = f.Slot(ctx, svc, env) // after the release: what its waves have come to is in it
	return slot, err == nil && slot.Occupant == who && slot.Targets[cluster] != ""
}

// aside reports whether a release that goes forward works on another wave than a cluster's.
// One that returns works on every cluster that it has touched.
func aside(r release.Release, cluster string) bool {
	s := r.Now()
	going := r.Phase == release.Deploying || r.Phase == release.Trying || r.Phase == release.Held
	if !going || !s.Refused.IsZero() || s.Return != "" || r.Wave >= len(s.Waves) {
		return false
	}
	return !slices.ContainsFunc(s.Waves[r.Wave].Targets, func(t release.Target) bool { return t.Cluster == cluster })
}
