package live

import (
	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/live/pods"
)

// traits are what the mirror of a cluster is asked for.
func traits(r *cache.Resource) (mark uint64, owner types.UID) {
	switch info := r.Info.(type) {
	case *owned:
		return info.mark, ""
	case *replicas:
		return 0, info.owner
	case *pods.State:
		return 0, info.Owner
	}
	return 0, ""
}

// lives is what a cluster has of objects, each as its version is asked for. What the cache
// does not keep whole, or has in another version, the engine finds.
func (v view) lives(objs []*unstructured.Unstructured) (objects, error) {
	out := objects{}
	var rest []*unstructured.Unstructured
	for _, o := range objs {
		key := enginekube.GetResourceKey(o)
		r, certain := v.mirror.Get(v.cache, key)
		switch {
		case r == nil && certain:
		case r == nil || r.Resource == nil || r.Resource.GetAPIVersion() != o.GetAPIVersion():
			rest = append(rest, o)
		default:
			out[key] = r.Resource.DeepCopy()
		}
	}
	if len(rest) == 0 {
		return out, nil
	}
	found, err := v.cache.GetManagedLiveObjs(rest, func(*cache.Resource) bool { return false })
	for key, o := range found {
		out[key] = o
	}
	return out, err
}
