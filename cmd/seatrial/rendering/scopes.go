package rendering

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Scopes asks the clusters what they know of kinds.
type Scopes struct {
	Clusters func() []release.Cluster
	Reach    func(ctx context.Context, cluster string) (state, message string)
	Away     func(cluster string) time.Time // since when it is known not to answer
	Of       func(cluster string) render.Scope
}

// Reached are the clusters of an environment that answer. One that does not says nothing
// of what it knows here; the sync asks it again.
func (s Scopes) Reached(ctx context.Context, env release.Environment) (out []release.Cluster) {
	all := s.Clusters()
	selected := release.Selected(env, all)
	for _, c := range all {
		if selected[c.Meta.Name] && s.answers(ctx, c.Meta.Name) {
			out = append(out, c)
		}
	}
	return out
}

// answers asks no cluster that is known to be away: each would be waited for.
func (s Scopes) answers(ctx context.Context, cluster string) bool {
	if !s.Away(cluster).IsZero() {
		return false
	}
	state, _ := s.Reach(ctx, cluster)
	return state == "Ready"
}

// ClusterScoped is policies.Config's: the scope of a kind that Kubernetes does not come with.
// A cluster that does not answer may be the one that knows.
func (s Scopes) ClusterScoped(ctx context.Context, apiVersion, kind string) (clusterScoped, known bool, err error) {
	gvk := schema.FromAPIVersionAndKind(apiVersion, kind)
	var silent []string
	for _, c := range s.Clusters() {
		if !s.answers(ctx, c.Meta.Name) {
			silent = append(silent, c.Meta.Name)
			continue
		}
		if namespaced, known := s.Of(c.Meta.Name)(gvk); known {
			return !namespaced, true, nil
		}
	}
	if len(silent) > 0 {
		return false, false, hint.Add(fmt.Errorf("no cluster that answers knows kind %s (%s), so that nobody can tell whether it is cluster-scoped", kind, apiVersion),
			"it goes on when "+strings.Join(silent, " or ")+" answers and knows it")
	}
	return false, false, nil
}
