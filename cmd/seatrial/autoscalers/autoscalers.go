// Package autoscalers introduces the watch of autoscalers to the clusters, the store and
// where services are.
//
// Start at Watch. It never looks at a cluster that has an agent: the server does not reach it.
package autoscalers

import (
	"context"
	"log/slog"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/store"
)

// Watch is the watch of every autoscaler on the clusters that are not far.
func Watch(places func(context.Context) ([]slo.Place, error), far func(cluster string) bool, k *kube.Clusters, kv store.KV, log *slog.Logger) *autoscale.Watch {
	near := func(ctx context.Context) ([]autoscale.Place, error) {
		all, err := places(ctx)
		var out []autoscale.Place
		for _, p := range all {
			if !far(p.Cluster) {
				out = append(out, autoscale.Place{Service: p.Service, Env: p.Env, Cluster: p.Cluster, Project: p.Project})
			}
		}
		return out, err
	}
	return &autoscale.Watch{Places: near, List: autoscale.From(k), Episodes: shelf.Episodes{KV: kv}, Now: time.Now, Log: log}
}
