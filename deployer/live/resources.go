package live

import (
	"context"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/live/tree"
)

// Resources is what a service has on a cluster and what that owns, of the kinds that are watched.
func (c *Clusters) Resources(ctx context.Context, name string, w Want) (tree.Tree, error) {
	_, grown, err := c.grown(ctx, name, w)
	return grown, err
}

// Details is what explains the state of one object of a service's tree.
func (c *Clusters) Details(ctx context.Context, name string, w Want, at details.Ref) (details.Details, error) {
	v, grown, err := c.grown(ctx, name, w)
	if err != nil {
		return details.Details{}, err
	}
	return details.Read(ctx, v.conn, grown, at)
}

func (c *Clusters) grown(ctx context.Context, name string, w Want) (view, tree.Tree, error) {
	v, p, err := c.compared(ctx, name, w, exactly)
	if err != nil {
		return view{}, tree.Tree{}, err
	}
	roots, namespaces := tree.Roots(p.recon, p.diffs.Diffs, p.waiting, func(o *unstructured.Unstructured) (health.HealthStatusCode, string) {
		return healthOf(o, p.rules.health)
	})
	return v, tree.Of(roots, tree.There(v.cache, namespaces), tree.Limit), nil
}
