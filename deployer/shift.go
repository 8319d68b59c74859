package deployer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/progressive"
	"github.com/seatrial/seatrial/release"
)

// Strategy is how a release wants to take over inside of a cluster; nil: at once.
type Strategy func(context.Context, release.Release, release.Environment) (*release.Strategy, error)

// goal is what one target is to be brought to now.
type goal struct {
	want  live.Want
	shift string        // release.Target.Shift while it is so
	least time.Duration // how long it has to be healthy so before it counts
}

// goals are those of a wave's targets in its current shift. What a target has now is what
// its slot says: nothing else is needed to know what to put beside the new, and so nothing
// has to be remembered over a crash.
func (o *Rollout) goals(ctx context.Context, r release.Release, st stage, content desired.Content) (map[string]goal, error) {
	now := func(cluster string) goal { return goal{want: st.want(r.Service, content, cluster, true)} }
	out := map[string]goal{}
	wave := st.waves[r.Wave]
	if r.Shift >= len(wave.Shifts) {
		for _, t := range wave.Targets {
			out[t.Cluster] = now(t.Cluster)
		}
		return out, nil
	}
	slot, err := o.Slot(ctx, r.Service, r.Env())
	if err != nil {
		return nil, fmt.Errorf("read what %s has of %s: %w", r.Env(), r.Service, err)
	}
	strategy, shift := content.Record.Strategy, wave.Shifts[r.Shift]
	for _, t := range wave.Targets {
		g := now(t.Cluster)
		if from := slot.Targets[t.Cluster]; from != "" && from != content.Revision {
			old, err := o.Desired.Read(ctx, st.env.Spec.DesiredState, r.Service, from)
			if err != nil {
				return nil, fmt.Errorf("read what %s has of %s: %w", t.Cluster, r.Service, err)
			}
			objects, moving := progressive.Objects(strategy, old.Rendered.For(st.labels[t.Cluster]), g.want.Objects, shift)
			g.want.Objects = objects
			if moving {
				g.want.Rules = progressive.Rules(strategy, g.want.Rules)
				g.shift, g.least = shift.Name, progressive.Settle
			}
		}
		out[t.Cluster] = g
	}
	return out, nil
}

// shifted are the waves with a plan of how the targets of this one change from one side
// to the other, made once; planned says that it was made now.
func (st stage) shifted(r release.Release, content desired.Content) (waves []release.Wave, planned bool) {
	shifts := progressive.Shifts(content.Record.Strategy)
	if len(shifts) == 0 || len(st.waves[r.Wave].Shifts) > 0 {
		return st.waves, false
	}
	waves = slices.Clone(st.waves)
	waves[r.Wave].Shifts = shifts
	return waves, true
}

// begin are a wave's targets at the start of a shift: none of those that come from
// another one has reached it. One that was given up in an earlier shift stays where it is.
func begin(targets []release.Target, goals map[string]goal) []release.Target {
	out := make([]release.Target, len(targets))
	for i, t := range targets {
		if t.Shift != goals[t.Cluster].shift && !givenUp(t, goals) && !quarantined(t) {
			t = release.Target{Cluster: t.Cluster, State: string(live.Pending), Shift: goals[t.Cluster].shift}
		}
		out[i] = t
	}
	return out
}

// givenUp: the failure budget let the wave go on without it.
func givenUp(t release.Target, goals map[string]goal) bool {
	return t.State == string(live.Degraded) && t.Shift != goals[t.Cluster].shift
}

// settled holds a target's health back until it has been healthy in its shift for long
// enough: a gateway says that it took a route before it sends requests by it.
func (g goal) settled(s seen, now time.Time) seen {
	if left := g.least - now.Sub(s.target.Healthy); s.err == nil && s.result.State == live.Healthy && left > 0 {
		s.result.State, s.target.State = live.Progressing, string(live.Progressing)
		s.result.Message = fmt.Sprintf("%s: gateways and nodes follow for another %s", g.shift, left.Round(time.Second/10))
		s.target.Message = s.result.Message
	}
	return s
}
