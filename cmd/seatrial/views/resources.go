package views

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/drift"
)

// Resources is what a service has on a cluster, compared with the revision the cluster is on.
func (v Fleet) Resources(ctx context.Context, at drift.Spot) (drift.Tree, error) {
	slot, revision, err := v.on(ctx, at)
	if err != nil {
		return drift.Tree{}, err
	}
	grown, err := v.Grown(ctx, slot, at.Cluster, revision)
	out := drift.Tree{Cluster: at.Cluster, Revision: revision, Items: make([]drift.Resource, 0, len(grown.Nodes)), Left: grown.Left}
	if err != nil {
		out.Problem, out.Hint = err.Error(), hint.Of(err)
	}
	for _, n := range grown.Nodes {
		r := drift.Resource{Depth: n.Depth, Group: n.Group, Kind: n.Kind, Namespace: n.Namespace, Name: n.Name,
			State: string(n.State), Health: n.Health, Message: n.Message, Created: when(n.Created)}
		out.Items = append(out.Items, r)
	}
	return out, nil
}

// on is the revision that a cluster is on.
func (v Fleet) on(ctx context.Context, at drift.Spot) (release.Slot, release.Commit, error) {
	slot, err := v.Book.Slot(ctx, at.Service, at.Env)
	if err != nil {
		return slot, "", err
	}
	revision, ok := slot.Targets[at.Cluster]
	if !ok {
		return slot, "", hint.Add(fmt.Errorf("%s is not on cluster %s in %s: %w", at.Service, at.Cluster, at.Env, web.ErrNotFound),
			"see where it is: seatrial diff "+string(at.Service)+" --env "+string(at.Env))
	}
	return slot, revision, nil
}
