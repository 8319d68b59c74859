package deployer

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

// staleFor is how long objects may be missing or carry other content after a sync before
// they are applied once more: somebody changed them in the middle of the rollout.
const staleFor = 2 * time.Second

// Health waits until every target of the wave is healthy at this revision.
func (o *Rollout) Health(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	st, refused, err := o.stage(r)
	if err != nil || refused != nil {
		return release.Facts{}, deref(refused), err
	}
	if r.Wave >= len(st.s.Waves) || st.s.Desired == "" {
		return release.Facts{}, release.Refuse("nothing was synced in this wave", "have the release tried again"), nil
	}
	content, err := o.Desired.Read(ctx, st.env.Spec.DesiredState, r.Service, st.s.Desired)
	if err != nil {
		return release.Facts{}, release.Verdict{}, fmt.Errorf("read the desired state of %s: %w", r.Service, err)
	}
	goals, err := o.goals(ctx, r, st, content)
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	wave := st.waves[r.Wave]
	all := o.each(ctx, answering(wave.Targets), func(ctx context.Context, t release.Target) seen {
		g := goals[t.Cluster]
		if !on(t, st.s.Desired) || t.Shift != g.shift { // given up by the sync, within the failure budget
			return seen{target: t, result: live.Result{State: live.Degraded, Message: t.Message}}
		}
		g.want.Hooks = false
		return g.settled(o.healthTarget(ctx, g.want, t), o.Now())
	})
	overdue(all, wave, st.timeout(), o.Now())
	quarantine(all, st.room(wave, all)-failures(all), o.Now())
	return release.Facts{Targets: targetsOf(all)}, healthVerdict(r.Service, wave, all, st, o.Now(), askHealth), nil
}

// healthTarget looks at one target, and applies the content once more where it is gone.
func (o *Rollout) healthTarget(ctx context.Context, w live.Want, t release.Target) seen {
	ctx, done := o.Presence.During(ctx, t.Cluster)
	defer done()
	res, err := o.Live.Health(ctx, t.Cluster, w, t.Synced)
	if err != nil {
		return o.unreachable(ctx, t, err)
	}
	now := o.Now()
	if res.Stale && now.Sub(t.Synced) > staleFor {
		w.Hooks = false
		if s := o.syncTarget(ctx, w, t); s.err != nil {
			return s
		}
	}
	if (t.State == string(live.Unreachable) || t.State == string(live.Healthy)) && res.State == live.Progressing {
		t.Synced = now // it was away, or well until now, and so its time begins anew
	}
	t.State, t.Message, t.Away = string(res.State), res.Message, time.Time{}
	switch {
	case res.State != live.Healthy:
		t.Healthy = time.Time{}
	case t.Healthy.IsZero():
		t.Healthy = now
	}
	return seen{target: t, result: res}
}

// healthVerdict weighs what the targets of a wave, or of a return, said.
func healthVerdict(svc release.Service, wave release.Wave, all []seen, st stage, now time.Time, ask time.Duration) release.Verdict {
	var failed, gone, waiting []seen
	var proof []release.Evidence
	for _, s := range all {
		claim := fmt.Sprintf("every object of %s is healthy on %s", svc, s.target.Cluster)
		switch {
		case s.err != nil:
			gone = append(gone, s)
		case quarantined(s.target):
		case s.result.State == live.Healthy:
			proof = append(proof, evidence("health", claim, true, s.target, now, s.result.Message))
		case s.failed():
			failed = append(failed, s)
		default:
			waiting = append(waiting, s)
		}
	}
	switch {
	case len(failed) > max(0, st.room(wave, all)):
		f := failed[0]
		claim := fmt.Sprintf("every object of %s is healthy on %s", svc, f.target.Cluster)
		return release.Refuse(fmt.Sprintf("cluster %s: %s", f.target.Cluster, f.result.Message), f.result.Hint).
			With(append(proof, evidence("health", claim, false, f.target, now, f.result.Message))...)
	case len(gone) > 0:
		return awaitReach(gone)
	case len(waiting) > 0:
		s := waiting[0]
		return release.Wait(fmt.Sprintf("cluster %s: %s", s.target.Cluster, s.result.Message), ask)
	}
	return lacking(release.Pass(proof...), svc, wave, all, now)
}
