package live

import (
	"context"
	"maps"
	"slices"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/tree"
)

// Resources is what a service has on a cluster and what that owns, of the kinds that are watched.
func (c *Clusters) Resources(ctx context.Context, name string, w Want) (tree.Tree, error) {
	v, p, err := c.compared(ctx, name, w, exactly)
	if err != nil {
		return tree.Tree{}, err
	}
	roots, namespaces := tree.Roots(p.recon, p.diffs.Diffs, p.waiting, func(o *unstructured.Unstructured) (health.HealthStatusCode, string) {
		return healthOf(o, p.rules.health)
	})
	var there []*cache.Resource
	for ns := range namespaces {
		there = slices.AppendSeq(there, maps.Values(v.cache.FindResources(ns)))
	}
	return tree.Of(roots, there, tree.Limit), nil
}
