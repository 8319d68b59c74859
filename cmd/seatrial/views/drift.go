package views

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/drift"
)

// Drift compares the targets of a service, or one of them, with the revision they are on,
// or with that of a release to return to.
func (v Fleet) Drift(ctx context.Context, q drift.Question) ([]drift.Comparison, error) {
	slot, err := v.Book.Slot(ctx, q.Service, q.Env)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(slot.Targets))
	if q.Cluster != "" {
		names = slices.DeleteFunc(names, func(n string) bool { return n != q.Cluster })
	}
	if len(names) == 0 {
		return nil, hint.Add(fmt.Errorf("%s is on no such target in %s: %w", q.Service, q.Env, web.ErrNotFound), "see which there are: seatrial release list --service "+string(q.Service))
	}
	to := maps.Clone(slot.Targets)
	if q.To != "" {
		back, ok := slot.ReturnTo(release.Stage{To: q.To}, "")
		if !ok {
			return nil, notKept(slot, q.To, web.ErrNotFound)
		}
		for name := range to {
			to[name] = back.Desired
		}
	}
	out := make([]drift.Comparison, len(names))
	var g errgroup.Group
	g.SetLimit(8)
	for i, name := range names {
		g.Go(func() error {
			objects, err := v.Diff(ctx, slot, name, to[name])
			out[i] = drifted(name, to[name], objects, err)
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return out, nil
}

func drifted(cluster string, revision release.Commit, objects []live.ObjectDiff, err error) drift.Comparison {
	t := drift.Comparison{Cluster: cluster, Revision: revision, Objects: []drift.Difference{}}
	if err != nil {
		t.Problem, t.Hint = err.Error(), hint.Of(err)
	}
	for _, o := range objects {
		t.Objects = append(t.Objects, drift.Difference{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Act: string(o.Act), Text: o.Text})
	}
	return t
}

// notKept names what an environment keeps of a service.
func notKept(slot release.Slot, asked release.ID, why error) error {
	var ids []string
	for _, p := range slot.Verified {
		ids = append(ids, string(p.Release))
	}
	err := fmt.Errorf("%s is not among the verified releases of %s that %s keeps", asked, slot.Service, slot.Env)
	return as{hint.Add(err, "kept are "+strings.Join(ids, ", ")), why}
}

// Place is where a service is in an environment: its targets by the waves as they are
// planned now.
func (v Fleet) Place(ctx context.Context, s release.Service, env release.Env) (drift.Place, error) {
	tree := v.Tree()
	e, err := environment(tree, env)
	if err != nil {
		return drift.Place{}, err
	}
	slot, err := v.Book.Slot(ctx, s, env)
	if err != nil {
		return drift.Place{}, err
	}
	out := drift.Place{Service: s, Env: env, Current: withoutTrial(slot.Current), Occupant: slot.Occupant, Hold: slot.Hold, Kept: []release.Placed{}, Waves: []drift.PlaceWave{}}
	for _, p := range slot.Verified {
		out.Kept = append(out.Kept, *withoutTrial(&p))
	}
	now := map[string]release.Target{}
	for _, t := range v.Look(ctx, slot) {
		now[t.Cluster] = t
	}
	for _, w := range release.Plan(e, slices.Collect(maps.Values(tree.Clusters))) {
		wave := drift.PlaceWave{Name: w.Name}
		for _, t := range w.Targets {
			if seen, ok := now[t.Cluster]; ok {
				t = seen
				delete(now, t.Cluster)
			}
			wave.Targets = append(wave.Targets, v.placed(ctx, slot, t))
		}
		out.Waves = append(out.Waves, wave)
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		out.Left = append(out.Left, v.placed(ctx, slot, now[name]))
	}
	return out, nil
}

// holdTries is how often a hold is written anew when somebody else wrote meanwhile.
const holdTries = 10

// Hold keeps releases out of a place, or lets them in again.
func (v Fleet) Hold(ctx context.Context, s release.Service, env release.Env, hold *release.Hold) (drift.Place, error) {
	if _, err := environment(v.Tree(), env); err != nil {
		return drift.Place{}, err
	}
	services, err := shelf.Services(ctx, v.Book.KV())
	if err != nil {
		return drift.Place{}, err
	}
	if !slices.Contains(services, s) {
		return drift.Place{}, hint.Add(fmt.Errorf("service %s: %w", s, web.ErrNotFound), "it is known from its first release on; write it as TEAM/NAME")
	}
	for range holdTries {
		var slot release.Slot
		if slot, err = v.Book.Slot(ctx, s, env); err != nil {
			return drift.Place{}, err
		}
		slot.Service, slot.Env, slot.Hold = s, env, hold
		if err = v.Book.Place(ctx, slot); err == nil {
			return v.Place(ctx, s, env)
		}
		if !errors.Is(err, release.ErrStale) {
			break
		}
	}
	return drift.Place{}, fmt.Errorf("hold %s in %s: %w", s, env, err)
}

// environment is one of those that the platform repo has.
func environment(tree platform.Tree, name release.Env) (release.Environment, error) {
	e, ok := tree.Environment(name)
	if ok {
		return e, nil
	}
	var known []string
	for _, e := range tree.Environments {
		known = append(known, e.Meta.Name)
	}
	return e, hint.Add(fmt.Errorf("environment %s: %w", name, web.ErrNotFound), "the platform repo has "+strings.Join(known, ", "))
}

func (v Fleet) placed(ctx context.Context, slot release.Slot, t release.Target) drift.PlaceTarget {
	out := target(t)
	if t.Revision != "" {
		out.Variant = v.Variant(ctx, slot, t.Cluster, t.Revision)
	}
	return out
}

func target(t release.Target) drift.PlaceTarget {
	return drift.PlaceTarget{Cluster: t.Cluster, State: t.State, Revision: t.Revision, Message: t.Message}
}

// withoutTrial is what lists show: a trial has a page of its own.
func withoutTrial(p *release.Placed) *release.Placed {
	if p == nil {
		return nil
	}
	out := *p
	out.Trial, out.Metrics = nil, nil
	return &out
}
