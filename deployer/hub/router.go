package hub

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/live/stamp"
	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/release"
)

// Router does the work on every cluster: through its agent where it has one, else itself.
type Router struct {
	Near *live.Clusters
	Hub  *Hub
	Far  func(cluster string) bool // it has an agent
}

// Sync is live.Clusters.Sync.
func (r Router) Sync(ctx context.Context, cluster string, w live.Want) (live.Result, error) {
	if r.Far(cluster) {
		return r.Hub.Sync(ctx, cluster, w)
	}
	return r.Near.Sync(ctx, cluster, w)
}

// Health is live.Clusters.Health.
func (r Router) Health(ctx context.Context, cluster string, w live.Want, since time.Time) (live.Result, error) {
	if r.Far(cluster) {
		return r.Hub.Health(ctx, cluster, w, since)
	}
	return r.Near.Health(ctx, cluster, w, since)
}

// Drifted is live.Clusters.Drifted.
func (r Router) Drifted(ctx context.Context, cluster string, w live.Want) ([]string, error) {
	if r.Far(cluster) {
		return r.Hub.Drifted(ctx, cluster, w)
	}
	return r.Near.Drifted(ctx, cluster, w)
}

// Stamp is live.Clusters.Stamp; an agent looks at its cluster by itself, and has none.
func (r Router) Stamp(cluster string, svc release.Service) stamp.Stamp {
	if r.Far(cluster) {
		return stamp.Stamp{}
	}
	return r.Near.Stamp(cluster, svc)
}

// Diff is live.Clusters.Diff.
func (r Router) Diff(ctx context.Context, cluster string, w live.Want) ([]live.ObjectDiff, error) {
	if r.Far(cluster) {
		return r.Hub.Diff(ctx, cluster, w)
	}
	return r.Near.Diff(ctx, cluster, w)
}

// Resources is live.Clusters.Resources.
func (r Router) Resources(ctx context.Context, cluster string, w live.Want) (tree.Tree, error) {
	if r.Far(cluster) {
		return r.Hub.Resources(ctx, cluster, w)
	}
	return r.Near.Resources(ctx, cluster, w)
}

// Details is live.Clusters.Details.
func (r Router) Details(ctx context.Context, cluster string, w live.Want, at details.Ref) (details.Details, error) {
	if r.Far(cluster) {
		return r.Hub.Details(ctx, cluster, w, at)
	}
	return r.Near.Details(ctx, cluster, w, at)
}

// Withdraw is live.Clusters.Withdraw.
func (r Router) Withdraw(ctx context.Context, cluster string, w live.Want) (live.Result, error) {
	if r.Far(cluster) {
		return r.Hub.Withdraw(ctx, cluster, w)
	}
	return r.Near.Withdraw(ctx, cluster, w)
}

// Reach is live.Clusters.Reach.
func (r Router) Reach(ctx context.Context, cluster string) (state, message string) {
	if r.Far(cluster) {
		return r.Hub.Reach(ctx, cluster)
	}
	return r.Near.Reach(ctx, cluster)
}

// Scope is live.Clusters.Scope.
func (r Router) Scope(cluster string) func(schema.GroupVersionKind) (namespaced, known bool) {
	if !r.Far(cluster) {
		return r.Near.Scope(cluster)
	}
	return func(gvk schema.GroupVersionKind) (bool, bool) {
		c, err := r.Hub.connected(cluster)
		if err != nil {
			return false, false
		}
		got, err := c.ask(nil, probing, wire.Ask{Question: &wire.Question{About: wire.Scope, Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind}})
		return err == nil && got.Namespaced, err == nil && got.Known
	}
}

// Changed waits until something changed on a cluster of ours, or an agent has come back.
func (r Router) Changed(ctx context.Context) ([]live.Change, error) {
	near, stop := context.WithCancel(ctx)
	defer stop()
	type result struct {
		all []live.Change
		err error
	}
	came := make(chan result, 1)
	go func() {
		all, err := r.Near.Changed(near)
		came <- result{all, err}
	}()
	select {
	case got := <-came:
		return got.all, got.err
	case <-r.Hub.news:
		stop()
		got := <-came // it may have changes all the same
		return append(got.all, r.Hub.changes()...), ctx.Err()
	}
}

// changes are the services whose agents have come back since the last time.
func (h *Hub) changes() []live.Change {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []live.Change
	for c := range h.pending {
		out = append(out, c)
	}
	clear(h.pending)
	return out
}
