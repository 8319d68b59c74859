// Package autoscalers introduces the watch of autoscalers to the clusters, the store and
// where services are.
//
// Start at Watch. It never reaches for a cluster that has an agent: the agent is asked.
package autoscalers

import (
	"context"
	"log/slog"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/store"
)

// Watch is the watch of every autoscaler; ask lists those of clusters that are far.
func Watch(places func(context.Context) ([]slo.Place, error), far func(cluster string) bool, ask autoscale.List, k *kube.Clusters, kv store.KV, log *slog.Logger) *autoscale.Watch {
	where := func(ctx context.Context) ([]autoscale.Place, error) {
		all, err := places(ctx)
		var out []autoscale.Place
		for _, p := range all {
			out = append(out, autoscale.Place{Service: p.Service, Env: p.Env, Cluster: p.Cluster, Project: p.Project})
		}
		return out, err
	}
	near := autoscale.From(k)
	list := func(ctx context.Context, cluster string) ([]autoscalingv2.HorizontalPodAutoscaler, error) {
		if far(cluster) {
			return ask(ctx, cluster)
		}
		return near(ctx, cluster)
	}
	return &autoscale.Watch{Places: where, List: list, Episodes: shelf.Episodes{KV: kv}, Now: time.Now, Log: log}
}
