package deployer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/presence"
	"github.com/seatrial/seatrial/release"
)

// Quarantined is the state of a target that did not answer and that its release went on
// without. Fleet brings it to what is verified once it answers again.
const Quarantined = "Quarantined"

func quarantined(t release.Target) bool { return t.State == Quarantined }

// answering are the targets that a release has not given up.
func answering(targets []release.Target) []release.Target {
	var out []release.Target
	for _, t := range targets {
		if !quarantined(t) {
			out = append(out, t)
		}
	}
	return out
}

// unreachable notes since when a target has not answered: the Watch may know of its cluster
// for longer than the release has asked it.
func (o *Rollout) unreachable(ctx context.Context, t release.Target, err error) seen {
	if away := context.Cause(ctx); errors.Is(away, presence.ErrAway) {
		err = away
	}
	if t.Away.IsZero() {
		t.Away = o.Now()
	}
	if since := o.Presence.Away(t.Cluster); !since.IsZero() && since.Before(t.Away) {
		t.Away = since
	}
	t.State, t.Message = string(live.Unreachable), err.Error()
	return seen{target: t, err: err}
}

// quarantine gives up the targets that do not answer, once all of them have been silent
// for long enough, when there is room for all.
func quarantine(all []seen, room int, now time.Time) {
	silent := 0
	for _, s := range all {
		if s.err == nil {
			continue
		}
		if silent++; silent > room || s.target.Away.IsZero() || now.Sub(s.target.Away) < presence.Patience {
			return
		}
	}
	for i, s := range all {
		if s.err != nil {
			all[i].target.State, all[i].err = Quarantined, nil
			all[i].target.Message = fmt.Sprintf("quarantined: %v", s.err)
		}
	}
}

// lacking says in a verdict where the release is not.
func lacking(v release.Verdict, svc release.Service, wave release.Wave, all []seen, now time.Time) release.Verdict {
	targets := wave.Targets
	for _, s := range all {
		targets = append(targets[:len(targets):len(targets)], s.target)
	}
	for _, t := range targets {
		if quarantined(t) {
			v = v.With(evidence("reach", fmt.Sprintf("%s is released on %s", svc, t.Cluster), false, t, now, t.Message+"; it catches up when it answers"))
		}
	}
	return v
}
