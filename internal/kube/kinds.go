package kube

import (
	"fmt"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
)

// kinds remembers what a cluster serves, one group and version at a time.
type kinds struct {
	disco discovery.DiscoveryInterface

	mu    sync.Mutex // guards known
	known map[schema.GroupVersion]map[string]kind

	answers answers
}

type kind struct {
	resource   string
	namespaced bool
}

// find asks the cluster about a kind once; a kind it does not serve is asked for again
// the next time, because a definition may have come.
func (k *kinds) find(gvk schema.GroupVersionKind) (kind, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	gv := gvk.GroupVersion()
	if got, ok := k.known[gv][gvk.Kind]; ok {
		return got, nil
	}
	k.answers.forget(gv)
	list, err := k.disco.ServerResourcesForGroupVersion(gv.String())
	if apierrors.IsNotFound(err) {
		return kind{}, &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
	}
	if err != nil {
		return kind{}, err
	}
	all := map[string]kind{}
	for _, r := range list.APIResources {
		if _, taken := all[r.Kind]; !taken && r.Name != "" && !hasSlash(r.Name) {
			all[r.Kind] = kind{resource: r.Name, namespaced: r.Namespaced}
		}
	}
	if k.known == nil {
		k.known = map[schema.GroupVersion]map[string]kind{}
	}
	k.known[gv] = all
	got, ok := all[gvk.Kind]
	if !ok {
		return kind{}, &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
	}
	return got, nil
}

// forget drops what is known of a group and version that the cluster does not serve as it
// did.
func (k *kinds) forget(gv schema.GroupVersion) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.known, gv)
	k.answers.forget(gv)
}

func hasSlash(s string) bool {
	for i := range len(s) {
		if s[i] == '/' {
			return true
		}
	}
	return false
}

// Namespaced says whether objects of a kind live in namespaces. The error is a
// meta.NoKindMatchError when the cluster does not serve the kind.
func (c *Cluster) Namespaced(gvk schema.GroupVersionKind) (bool, error) {
	k, err := c.kinds.find(gvk)
	return k.namespaced, err
}

// Objects is the client for objects of one kind, in the namespace where the kind has any.
func (c *Cluster) Objects(obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	gvk := obj.GroupVersionKind()
	k, err := c.kinds.find(gvk)
	if err != nil {
		return nil, fmt.Errorf("%s in cluster %s: %w", gvk.Kind, c.Name, err)
	}
	all := c.dynamic.Resource(gvk.GroupVersion().WithResource(k.resource))
	if !k.namespaced {
		return all, nil
	}
	return all.Namespace(obj.GetNamespace()), nil
}
