// Package seen remembers which versions of objects a cluster's watches have brought: the
// cluster's cache can only be asked by looking at everything in it.
//
// Start at Versions. It never knows what was there before the watch began.
package seen

import (
	"sync"

	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/kube"
)

// Versions of the objects of one cluster. The zero value is ready, and safe for concurrent
// use.
type Versions struct {
	mu  sync.Mutex // guards all
	all map[enginekube.ResourceKey]string
}

// Note remembers what a watch has brought; no version says that the object is gone.
func (v *Versions) Note(key enginekube.ResourceKey, version string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if version == "" {
		delete(v.all, key)
		return
	}
	if v.all == nil {
		v.all = map[enginekube.ResourceKey]string{}
	}
	v.all[key] = version
}

// Since reports whether all of these came at least as new as they were applied.
func (v *Versions) Since(applied []*unstructured.Unstructured) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, o := range applied {
		if version, ok := v.all[enginekube.GetResourceKey(o)]; !ok || !kube.Shows(version, o) {
			return false
		}
	}
	return true
}
