// Package mirror answers at once what a cluster's cache could only be asked by looking at
// everything in it: what one service has, one object, what an object owns.
//
// Start at Mirror. It is filled from the cache whenever that has listed the cluster anew,
// and kept by what the cache tells of changes. It never asks the cluster, and never holds
// its lock while it asks the cache: the cache tells of changes under its own.
package mirror

import (
	"sync"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// Source is the cache, as far as it matters here.
type Source interface {
	GetClusterInfo() cache.ClusterInfo
	FindResources(namespace string, predicates ...func(r *cache.Resource) bool) map[enginekube.ResourceKey]*cache.Resource
}

// Traits say what an object is asked for by: the mark of its service, 0 for none, and its
// owner, "" for none.
type Traits func(r *cache.Resource) (mark uint64, owner types.UID)

// Mirror is of one cache.
type Mirror struct {
	traits Traits

	mu      sync.Mutex // guards what follows
	filled  time.Time  // the listing that it is filled from
	filling chan struct{}
	late    []change // that came while it is filled
	all     index[enginekube.ResourceKey]
	marked  map[uint64]index[enginekube.ResourceKey]
	owned   map[types.UID]index[enginekube.ResourceKey]
	kinds   map[schema.GroupKind]bool
}

type index[K comparable] = map[K]*cache.Resource

type change struct{ now, before *cache.Resource }

// New is an empty mirror.
func New(traits Traits) *Mirror { return &Mirror{traits: traits} }

// Note takes over a change that the cache tells of.
func (m *Mirror) Note(now, before *cache.Resource) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.filling != nil {
		m.late = append(m.late, change{now, before})
		return
	}
	m.applyLocked(change{now, before})
}

func (m *Mirror) applyLocked(c change) {
	if m.all == nil {
		return // it is filled before anybody asks
	}
	if c.before != nil {
		m.removeLocked(c.before)
	}
	if c.now != nil {
		m.addLocked(c.now)
	}
}

func (m *Mirror) addLocked(r *cache.Resource) {
	key := r.ResourceKey()
	if old := m.all[key]; old != nil {
		m.removeLocked(old)
	}
	m.all[key], m.kinds[key.GroupKind()] = r, true
	mark, owner := m.traits(r)
	if mark != 0 {
		put(m.marked, mark, key, r)
	}
	if owner != "" {
		put(m.owned, owner, key, r)
	}
}

func (m *Mirror) removeLocked(r *cache.Resource) {
	key := r.ResourceKey()
	if old := m.all[key]; old != nil { // what is told to be the one before may be older than what is here
		r = old
	}
	delete(m.all, key)
	mark, owner := m.traits(r)
	drop(m.marked, mark, key)
	drop(m.owned, owner, key)
}

func put[G, K comparable](groups map[G]index[K], group G, key K, r *cache.Resource) {
	if groups[group] == nil {
		groups[group] = index[K]{}
	}
	groups[group][key] = r
}

func drop[G, K comparable](groups map[G]index[K], group G, key K) {
	delete(groups[group], key)
	if len(groups[group]) == 0 {
		delete(groups, group)
	}
}

// fresh fills the mirror when the cache has listed the cluster since it was filled.
func (m *Mirror) fresh(from Source) {
	for {
		listed := listing(from)
		m.mu.Lock()
		if !listed.IsZero() && m.filled.Equal(listed) {
			m.mu.Unlock()
			return
		}
		if busy := m.filling; busy != nil {
			m.mu.Unlock()
			<-busy
			continue
		}
		m.filling, m.late = make(chan struct{}), nil
		m.mu.Unlock()
		m.fill(from.FindResources(""), listed)
		if listing(from).Equal(listed) {
			return
		}
	}
}

func listing(from Source) time.Time {
	if t := from.GetClusterInfo().LastCacheSyncTime; t != nil {
		return *t
	}
	return time.Time{}
}

func (m *Mirror) fill(all index[enginekube.ResourceKey], listed time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all, m.marked, m.owned = index[enginekube.ResourceKey]{}, map[uint64]index[enginekube.ResourceKey]{}, map[types.UID]index[enginekube.ResourceKey]{}
	m.kinds = map[schema.GroupKind]bool{}
	for _, r := range all {
		m.addLocked(r)
	}
	for _, c := range m.late {
		m.applyLocked(c)
	}
	close(m.filling)
	m.filled, m.filling, m.late = listed, nil, nil
}

// Of lists what carries a mark.
func (m *Mirror) Of(from Source, mark uint64) []*cache.Resource {
	m.fresh(from)
	m.mu.Lock()
	defer m.mu.Unlock()
	return values(m.marked[mark])
}

// Owned lists what an object owns.
func (m *Mirror) Owned(from Source, owner types.UID) []*cache.Resource {
	m.fresh(from)
	m.mu.Lock()
	defer m.mu.Unlock()
	return values(m.owned[owner])
}

func values(of index[enginekube.ResourceKey]) []*cache.Resource {
	list := make([]*cache.Resource, 0, len(of))
	for _, r := range of {
		list = append(list, r)
	}
	return list
}

// Get is one object; certain says that there is none when it is nil: other objects of its
// kind are, or were, seen, so that the kind is watched.
func (m *Mirror) Get(from Source, key enginekube.ResourceKey) (r *cache.Resource, certain bool) {
	m.fresh(from)
	m.mu.Lock()
	defer m.mu.Unlock()
	r = m.all[key]
	return r, r != nil || m.kinds[key.GroupKind()]
}
