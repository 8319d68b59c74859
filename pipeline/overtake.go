package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Overtake ends a release that only waits for a wave to be healthy, because a newer one of
// its service may enter the same environment: a fix does not wait until what it mends has
// used up its time. What is live of the older one is replaced by the newer, or returned
// with it. One that is being applied, measured, tried or held is not overtaken.
func Overtake(r, newer release.Release, now time.Time) (release.Release, bool) {
	if r.Phase != release.Deploying || r.Step != release.StepHealth || r.Hold != nil || r.Env() != newer.Env() || !follows(newer, r) {
		return r, false
	}
	next := r.Clone()
	next.Reason, next.Hint = "overtaken by a newer commit while it waited to be healthy: "+string(newer.ID), ""
	return arrive(r, next, release.Superseded, Seatrial, now), true
}

// follows: the newer release is a later one of the same service, from the same place.
func follows(newer, r release.Release) bool {
	return r.ID != newer.ID && r.Service == newer.Service && r.Origin == newer.Origin && r.Created.Before(newer.Created)
}

// overtake lets a release that may enter its environment end the one that is there. In a
// place that a person holds nothing could take over.
func (r *Runner) overtake(ctx context.Context, newer release.Release) error {
	slot, err := r.Book.Slot(ctx, newer.Service, newer.Env())
	if err != nil || slot.Hold != nil || slot.Occupant == "" || slot.Occupant == newer.ID {
		return err
	}
	_, err = r.change(ctx, slot.Occupant, func(old release.Release) (release.Release, error) {
		next, ok := Overtake(old, newer, r.Now())
		if !ok {
			return old, errUnchanged
		}
		return next, nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		r.interrupt(slot.Occupant)
	}
	return err
}
