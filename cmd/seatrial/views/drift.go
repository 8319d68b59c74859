package views

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/drift"
)

// Drift compares the targets of a service, or one of them, with the revision they are on.
func (v Fleet) Drift(ctx context.Context, s release.Service, env release.Env, cluster string) ([]drift.Comparison, error) {
	slot, err := v.Book.Slot(ctx, s, env)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(slot.Targets))
	if cluster != "" {
		names = slices.DeleteFunc(names, func(n string) bool { return n != cluster })
	}
	if len(names) == 0 {
		return nil, hint.Add(fmt.Errorf("%s is on no such target in %s: %w", s, env, web.ErrNotFound), "see which there are: seatrial release list --service "+string(s))
	}
	out := make([]drift.Comparison, len(names))
	var g errgroup.Group
	g.SetLimit(8)
	for i, name := range names {
		g.Go(func() error {
			objects, err := v.Diff(ctx, slot, name)
			out[i] = drifted(name, slot.Targets[name], objects, err)
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
