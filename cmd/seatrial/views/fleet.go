package views

import (
	"context"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/drift"
)

// Fleet reads what is where.
type Fleet struct {
	Book  *store.Book
	Tree  func() platform.Tree
	Look  func(context.Context, release.Slot) []release.Target
	Reach func(ctx context.Context, cluster string) (state, message string)
	Diff  func(ctx context.Context, s release.Slot, cluster string, to release.Commit) ([]live.ObjectDiff, error)
	Grown func(ctx context.Context, s release.Slot, cluster string, to release.Commit) (tree.Tree, error)

	Variant func(ctx context.Context, s release.Slot, cluster string, at release.Commit) string

	Detail func(ctx context.Context, s release.Slot, cluster string, to release.Commit, at details.Ref) (details.Details, error)
}

// Wanted asks a cluster about what a service is to have there at a revision.
func Wanted[T any](want func(ctx context.Context, s release.Slot, cluster string, to release.Commit) (live.Want, error), ask func(context.Context, string, live.Want) (T, error)) func(context.Context, release.Slot, string, release.Commit) (T, error) {
	return func(ctx context.Context, s release.Slot, cluster string, to release.Commit) (T, error) {
		w, err := want(ctx, s, cluster, to)
		if err != nil {
			var none T
			return none, err
		}
		return ask(ctx, cluster, w)
	}
}

// Board is every service in every environment.
func (v Fleet) Board(ctx context.Context) (web.Board, error) {
	b := web.Board{Environments: []web.BoardEnvironment{}, Services: []web.BoardService{}}
	var err error
	if b.Revision, err = v.Book.KV().Revision(ctx); err != nil {
		return b, err
	}
	tree := v.Tree()
	clusters := slices.Collect(maps.Values(tree.Clusters))
	for _, e := range tree.Environments {
		column := web.BoardEnvironment{Name: release.Env(e.Meta.Name), After: e.Spec.After, Waves: []web.BoardWave{}}
		for _, w := range release.Plan(e, clusters) {
			wave := web.BoardWave{Name: w.Name}
			for _, t := range w.Targets {
				wave.Clusters = append(wave.Clusters, t.Cluster)
			}
			column.Waves = append(column.Waves, wave)
		}
		b.Environments = append(b.Environments, column)
	}
	services, err := shelf.Services(ctx, v.Book.KV())
	if err != nil {
		return b, err
	}
	for _, s := range services {
		row, err := v.row(ctx, s, tree)
		if err != nil {
			return b, err
		}
		b.Services = append(b.Services, row)
	}
	return b, nil
}

func (v Fleet) row(ctx context.Context, s release.Service, tree platform.Tree) (web.BoardService, error) {
	row := web.BoardService{Service: s}
	newest, _, err := v.Book.Releases(ctx, store.Filter{Service: s, Except: release.FromPull, Limit: 1})
	if err != nil {
		return row, err
	}
	for _, r := range newest {
		summary := web.Summary(r)
		row.Latest, row.Project = &summary, r.Project
	}
	for _, e := range tree.Environments {
		slot, err := v.Book.Slot(ctx, s, release.Env(e.Meta.Name))
		if err != nil {
			return row, err
		}
		cell, err := v.cell(ctx, slot)
		if err != nil {
			return row, err
		}
		row.Slots = append(row.Slots, cell)
	}
	return row, nil
}

func (v Fleet) cell(ctx context.Context, slot release.Slot) (web.BoardSlot, error) {
	cell := web.BoardSlot{Env: slot.Env, Current: withoutTrial(slot.Current), Occupant: slot.Occupant, Hold: slot.Hold, Targets: []drift.PlaceTarget{}, Health: "Unknown"}
	if slot.Occupant != "" {
		r, err := v.Book.Release(ctx, slot.Occupant)
		if err != nil {
			return cell, err
		}
		summary := web.Summary(r)
		cell.Releasing = &summary
	}
	for _, t := range v.Look(ctx, slot) {
		cell.Targets = append(cell.Targets, target(t))
	}
	cell.Health = worst(cell.Targets)
	return cell, nil
}

// worst is one word for all targets.
func worst(targets []drift.PlaceTarget) string {
	rank := map[string]int{"Healthy": 1, "Progressing": 2, "Syncing": 2, "Synced": 2, "Pending": 2, "Unreachable": 3, "Unknown": 3, "Degraded": 4, "Refused": 4}
	words := [...]string{"Unknown", "Healthy", "Progressing", "Unknown", "Degraded"}
	top := 0
	for _, t := range targets {
		top = max(top, rank[t.State])
	}
	return words[top]
}

// Clusters lists the clusters as they are now.
func (v Fleet) Clusters(ctx context.Context) ([]web.Cluster, error) {
	tree := v.Tree()
	names := slices.Sorted(maps.Keys(tree.Clusters))
	out := make([]web.Cluster, len(names))
	var g errgroup.Group
	g.SetLimit(16)
	for i, name := range names {
		g.Go(func() error {
			c := tree.Clusters[name]
			state, message := v.Reach(ctx, name)
			out[i] = web.Cluster{Name: name, Labels: c.Meta.Labels, State: state, Message: message, Chaos: c.Spec.Chaos}
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return out, nil
}
