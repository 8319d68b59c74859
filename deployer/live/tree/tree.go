// Package tree puts what a service has on a cluster, and what its objects own, in order.
//
// Start at Roots and Of. It never asks a cluster and never holds what is in an object.
package tree

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	enginesync "github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/live/pods"
)

// Limit is how many nodes a tree has that is shown.
const Limit = 1000

// Root is an object of the service itself. Want or Live is nil, never both.
type Root struct {
	Want, Live      *unstructured.Unstructured
	Differs         bool // from what is wanted
	Waits           bool // it is not wanted any more, and stays until a person approves
	Health, Message string
}

// State is how an object stands to what is wanted; "" for what others made.
type State string

// The states.
const (
	Synced  State = "Synced"
	Drifted State = "Drifted"
	Missing State = "Missing"
	Prune   State = "Prune" // it goes with the next sync
	Waiting State = "Waiting"
)

// Node is one object, below the last one before it of a smaller depth.
type Node struct {
	Depth                        int // 0: the service's own
	Group, Kind, Namespace, Name string
	Version                      string    // of Group
	UID                          types.UID // "": it is not there
	State                        State
	Health, Message              string // "": nobody has an opinion
	Created                      time.Time
}

// Tree is at most so many nodes, and how many were left out.
type Tree struct {
	Nodes []Node
	Left  int
}

type walk struct {
	owned map[types.UID][]*cache.Resource
	shown map[types.UID]bool // owners can name each other
	room  int                // for what is owned
	Tree
}

// Roots are the objects of a comparison, without hooks that were run, and their namespaces.
func Roots(r enginesync.ReconciliationResult, diffs []diff.DiffResult, waiting []*unstructured.Unstructured,
	judge func(*unstructured.Unstructured) (health.HealthStatusCode, string)) (roots []Root, namespaces map[string]bool) {
	for _, o := range waiting {
		roots = append(roots, Root{Live: o, Waits: true})
	}
	for i, want := range r.Target {
		if live := r.Live[i]; want != nil || live != nil && !hook.IsHook(live) {
			roots = append(roots, Root{Want: want, Live: live, Differs: diffs[i].Modified})
		}
	}
	namespaces = map[string]bool{}
	for i, r := range roots {
		if r.Live != nil {
			status, message := judge(r.Live)
			roots[i].Health, roots[i].Message = string(status), message
			if ns := r.Live.GetNamespace(); ns != "" { // "" would be all of the cluster
				namespaces[ns] = true
			}
		}
	}
	return roots, namespaces
}

// Cache is what is known of a cluster.
type Cache interface {
	FindResources(namespace string, predicates ...func(*cache.Resource) bool) map[kube.ResourceKey]*cache.Resource
}

// There is everything that is known of some namespaces.
func There(c Cache, namespaces map[string]bool) (all []*cache.Resource) {
	for ns := range namespaces {
		all = slices.AppendSeq(all, maps.Values(c.FindResources(ns)))
	}
	return all
}

// Of makes the tree of roots out of all that a cluster's cache knows of their namespaces.
// Above limit, what is owned is left out, the troubled last; a root only when the roots
// alone are too many.
func Of(roots []Root, all []*cache.Resource, limit int) Tree {
	w := walk{owned: map[types.UID][]*cache.Resource{}, shown: map[types.UID]bool{}}
	for _, r := range all {
		for _, o := range r.OwnerRefs {
			w.owned[o.UID] = append(w.owned[o.UID], r)
		}
	}
	roots = slices.SortedFunc(slices.Values(roots), func(a, b Root) int { return order(a.node(), b.node()) })
	if len(roots) > limit {
		w.Left, roots = len(roots)-limit, roots[:limit]
	}
	w.room = limit - len(roots)
	for _, r := range roots { // none is shown a second time as what another owns
		if r.Live != nil {
			w.shown[r.Live.GetUID()] = true
		}
	}
	for _, r := range roots {
		w.Nodes = append(w.Nodes, r.node())
		if r.Live != nil {
			w.below(r.Live.GetUID(), 1)
		}
	}
	return w.Tree
}

func (w *walk) below(owner types.UID, depth int) {
	under := slices.SortedFunc(slices.Values(w.owned[owner]), func(a, b *cache.Resource) int { return order(nodeOf(a), nodeOf(b)) })
	for _, r := range under {
		if w.shown[r.Ref.UID] {
			continue
		}
		w.shown[r.Ref.UID] = true
		if w.room > 0 {
			w.room--
			n := nodeOf(r)
			n.Depth = depth
			w.Nodes = append(w.Nodes, n)
		} else {
			w.Left++
		}
		w.below(r.Ref.UID, depth+1)
	}
}

func (r Root) node() Node {
	o := cmp.Or(r.Live, r.Want)
	kind := o.GroupVersionKind()
	n := Node{Group: kind.Group, Version: kind.Version, Kind: kind.Kind, Namespace: o.GetNamespace(), Name: o.GetName(), State: Synced,
		Health: r.Health, Message: r.Message, Created: o.GetCreationTimestamp().Time}
	switch {
	case r.Live == nil:
		n.State = Missing
		return n
	case r.Waits:
		n.State = Waiting
	case r.Want == nil:
		n.State = Prune
	case r.Differs:
		n.State = Drifted
	}
	n.UID = r.Live.GetUID()
	return n
}

func nodeOf(r *cache.Resource) Node {
	kind := r.Ref.GroupVersionKind()
	n := Node{Group: kind.Group, Version: kind.Version, Kind: kind.Kind, Namespace: r.Ref.Namespace, Name: r.Ref.Name, UID: r.Ref.UID}
	if r.CreationTimestamp != nil {
		n.Created = r.CreationTimestamp.Time
	}
	if p, ok := r.Info.(*pods.State); ok {
		switch {
		case p.Trouble != nil:
			n.Health, n.Message = "Degraded", p.Trouble.Container+": "+p.Trouble.Reason
		case p.Ready:
			n.Health = "Healthy"
		default:
			n.Message = "not ready" // which is right for one that has done its work
		}
	}
	return n
}

// order puts the troubled first.
func order(a, b Node) int {
	rank := func(n Node) int {
		if n.Health == "Degraded" {
			return 0
		}
		return 1
	}
	return cmp.Or(rank(a)-rank(b), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
