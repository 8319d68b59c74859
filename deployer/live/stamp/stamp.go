// Package stamp tells whether the objects of a service on a cluster are still what they
// were, so that what was found in order is not compared again every minute.
//
// Start at Of. It never asks a cluster: it knows what watches have brought.
package stamp

import (
	"fmt"
	"hash/fnv"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Stamp is the objects of a service at one time. The zero Stamp is of none.
type Stamp struct {
	sum uint64
	has map[object]bool
}

type object struct {
	kind schema.GroupKind
	name string
}

// Of stamps objects; shape is a number for everything of an object but its status, and
// false for one that is not the service's own.
func Of(all []*cache.Resource, shape func(*cache.Resource) (uint64, bool)) Stamp {
	s := Stamp{has: map[object]bool{}}
	for _, r := range all {
		if is, ours := shape(r); ours {
			key := r.ResourceKey()
			h := fnv.New64a()
			fmt.Fprint(h, key.String(), is)
			s.sum += h.Sum64() // in any order
			s.has[object{key.GroupKind(), key.Name}] = true
		}
	}
	return s
}

// Same reports whether nothing has changed. Of no objects it is never said.
func (s Stamp) Same(before Stamp) bool {
	return s.sum == before.sum && len(s.has) == len(before.has) && len(s.has) > 0
}

// Covers reports whether all that is wanted is among the objects: what is of a kind that
// nobody watches is not.
func (s Stamp) Covers(wanted []*unstructured.Unstructured) bool {
	for _, o := range wanted {
		if !hook.IsHook(o) && !s.has[object{o.GroupVersionKind().GroupKind(), o.GetName()}] {
			return false
		}
	}
	return true
}
