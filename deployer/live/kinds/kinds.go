// Package kinds says which kinds of objects a cluster's cache watches.
//
// Start at Usual. It never forgets a kind: what was deployed once may be there.
package kinds

import (
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/live/options"
)

// Set is the allow-list of kinds that are watched. It grows with what is deployed.
type Set struct {
	mu  sync.RWMutex // guards all
	all map[schema.GroupKind]bool
}

// Usual are the kinds that nearly everybody deploys, and those that say how they are.
func Usual() *Set {
	all := map[schema.GroupKind]bool{}
	for group, kinds := range map[string][]string{
		"":                          {"ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim", "Pod", "Namespace"},
		"apps":                      {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"},
		"batch":                     {"Job", "CronJob"},
		"networking.k8s.io":         {"Ingress", "NetworkPolicy"},
		"autoscaling":               {"HorizontalPodAutoscaler"},
		"policy":                    {"PodDisruptionBudget"},
		"rbac.authorization.k8s.io": {"Role", "RoleBinding"},
	} {
		for _, k := range kinds {
			all[schema.GroupKind{Group: group, Kind: k}] = true
		}
	}
	return &Set{all: all}
}

// Add reports whether any of the objects has a kind that was not watched yet.
func (s *Set) Add(objs []*unstructured.Unstructured) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	grew := false
	watch := func(gk schema.GroupKind) {
		grew = grew || !s.all[gk]
		s.all[gk] = true
	}
	for _, o := range objs {
		watch(o.GroupVersionKind().GroupKind())
		if options.Late(o) { // its kind is watched from the moment its definition comes
			watch(schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"})
		}
	}
	return grew
}

// IsExcludedResource is the engine's question about each kind a cluster serves.
func (s *Set) IsExcludedResource(group, kind, _ string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return !s.all[schema.GroupKind{Group: group, Kind: kind}]
}

// Defined are the kinds whose definition is among the objects, with their scope.
func Defined(objs []*unstructured.Unstructured) map[schema.GroupKind]string {
	out := map[schema.GroupKind]string{}
	for _, o := range objs {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(o.Object, "spec", "scope")
		out[schema.GroupKind{Group: group, Kind: kind}] = scope
	}
	return out
}
