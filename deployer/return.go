package deployer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

// RolledBack is the state of a target that is back on what was verified, and healthy.
const RolledBack = "RolledBack"

// Return puts what was last verified back, in git first, then on every touched target,
// and waits until it is healthy there.
func (o *Rollout) Return(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	st, refused, err := o.stage(r)
	if err != nil || refused != nil {
		return release.Facts{}, deref(refused), err
	}
	slot, err := o.Slot(ctx, r.Service, r.Env())
	if err != nil {
		return release.Facts{}, release.Verdict{}, fmt.Errorf("read what is verified in %s: %w", r.Env(), err)
	}
	back, ok := lastVerified(slot, st.s, r.ID)
	if !ok && st.s.To != "" {
		return release.Facts{}, release.Refuse(fmt.Sprintf("%s is not among the verified releases that %s keeps of %s", st.s.To, r.Env(), r.Service),
			"choose one that is, or none: then it is the last verified one"), nil
	}
	if !ok {
		return release.Facts{}, release.Refuse(fmt.Sprintf("no other release of %s was ever verified in %s, so there is nothing to return to", r.Service, r.Env()),
			"push a fix; it takes the place of this release"), nil
	}
	facts := release.Facts{Return: st.s.Return}
	if facts.Return == "" {
		facts.Return, err = o.Desired.Return(ctx, st.env.Spec.DesiredState, r.Service, back, r.ID, stageKey(r, "return"))
		if err != nil {
			return release.Facts{}, release.Verdict{}, fmt.Errorf("commit the return of %s: %w", r.Service, err)
		}
	}
	content, err := o.Desired.Read(ctx, st.env.Spec.DesiredState, r.Service, facts.Return)
	if err != nil {
		return facts, release.Verdict{}, fmt.Errorf("read the desired state of %s: %w", r.Service, err)
	}
	verified, err := o.Desired.Read(ctx, st.env.Spec.DesiredState, r.Service, back.Desired)
	if err != nil {
		return facts, release.Verdict{}, fmt.Errorf("read what was verified of %s: %w", r.Service, err)
	}
	if v := unlike(content, verified.Rendered.Digest); v != nil {
		return facts, *v, nil
	}
	added := o.added(ctx, r, st)
	targets, gone := o.present(touched(st, slot))
	all := o.each(ctx, answering(targets), func(ctx context.Context, t release.Target) seen {
		w := st.want(r.Service, content, t.Cluster, false).Returning()
		w.Prune.MaxDelete = max(w.Prune.MaxDelete, added)
		return o.returnTarget(ctx, w, t)
	})
	overdue(all, release.Wave{}, st.timeout(), o.Now())
	if slices.ContainsFunc(all, func(s seen) bool { return s.err == nil }) { // a return waits for nobody but the last
		quarantine(all, len(all), o.Now())
	}
	facts.Targets = targetsOf(all)
	v := healthVerdict(r.Service, release.Wave{Targets: targets}, all, st, o.Now(), askReturn)
	if v.Outcome() == release.Passed {
		v = v.Because(fmt.Sprintf("%s is back on %s", r.Service, back.Commit.Short()))
	}
	return facts, without(v, r.Service, gone, o.Now()), nil
}

// present leaves out the targets whose cluster is not in the platform any more: nothing
// can be returned there, and waiting for it would never end.
func (o *Rollout) present(targets []release.Target) (here, gone []release.Target) {
	known := map[string]bool{}
	for _, c := range o.Platform.Clusters() {
		known[c.Meta.Name] = true
	}
	for _, t := range targets {
		if known[t.Cluster] {
			here = append(here, t)
		} else {
			gone = append(gone, t)
		}
	}
	return here, gone
}

// without says in a verdict where nothing was returned.
func without(v release.Verdict, svc release.Service, gone []release.Target, now time.Time) release.Verdict {
	for _, t := range gone {
		text := fmt.Sprintf("cluster %s is not in the platform any more: %s was not returned there", t.Cluster, svc)
		v = v.With(evidence("health", fmt.Sprintf("%s is returned on %s", svc, t.Cluster), false, t, now, text)).Because(v.Reason() + "; " + text)
	}
	return v
}

// lastVerified is what to return to: what a person chose, what the slot says now, or else what was there when the
// stage began.
func lastVerified(slot release.Slot, s release.Stage, bad release.ID) (release.Placed, bool) {
	if p, ok := slot.ReturnTo(s, bad); ok || s.To != "" {
		return p, ok
	}
	if s.Previous != nil && s.Previous.Release != bad && s.Previous.Desired != "" {
		return *s.Previous, true
	}
	return release.Placed{}, false
}

// added is how many objects the refused release brought: taking those away again is what
// a return is for, so the guard against deleting too much lets it.
func (o *Rollout) added(ctx context.Context, r release.Release, st stage) int {
	if st.s.Desired == "" {
		return 0
	}
	bad, err := o.Desired.Read(ctx, st.env.Spec.DesiredState, r.Service, st.s.Desired)
	if err != nil {
		return 0 // the environment's own limit stays
	}
	most := len(bad.Rendered.Objects)
	for _, v := range bad.Rendered.Variants {
		most = max(most, len(v.Rendered.Objects))
	}
	return most
}

// touched lists the targets that the release has, or may have, reached: all of a wave that
// has begun, because what a cancelled sync came to was never saved, and all there are when
// no plan is known. The slot is asked as well: waves may have been planned anew since, and
// a release that this one overtook may have come further.
func touched(st stage, slot release.Slot) []release.Target {
	var out []release.Target
	s := st.s
	for _, w := range st.waves {
		for _, t := range w.Targets {
			if st.planned || !w.Started.IsZero() || !t.Synced.IsZero() || (t.State != "" && t.State != string(live.Pending)) || elsewhere(slot, t.Cluster, s.Desired) {
				out = append(out, t)
			}
		}
	}
	return out
}

// elsewhere: the slot says that the cluster is on the refused revision, or on another than
// what is current.
func elsewhere(slot release.Slot, cluster string, refused release.Commit) bool {
	at := slot.Targets[cluster]
	return at != "" && (at == refused || slot.Current != nil && at != slot.Current.Desired)
}

func (o *Rollout) returnTarget(ctx context.Context, w live.Want, t release.Target) seen {
	if !on(t, w.Revision) {
		s := o.syncTarget(ctx, w, t)
		if s.err != nil || s.result.State != live.Synced {
			return s
		}
		t = s.target
		t.Shift = ""
	}
	s := o.healthTarget(ctx, w, t)
	if s.err == nil && s.result.State == live.Healthy {
		s.target.State = RolledBack
	}
	return s
}
