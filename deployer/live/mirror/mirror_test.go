package mirror_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/live/mirror"
)

type info struct {
	mark  uint64
	owner types.UID
}

func traits(r *cache.Resource) (uint64, types.UID) {
	i, _ := r.Info.(info)
	return i.mark, i.owner
}

func resource(kind, name string, i info) *cache.Resource {
	return &cache.Resource{Ref: corev1.ObjectReference{APIVersion: "v1", Kind: kind, Namespace: "shop", Name: name}, Info: i}
}

// source is a cache: it tells of changes under its lock, and of a listing only by its time.
type source struct {
	mu     sync.RWMutex
	all    map[enginekube.ResourceKey]*cache.Resource
	listed time.Time
	looks  int
	tell   func(now, before *cache.Resource)
	asked  func() // in the middle of a look
}

func (s *source) GetClusterInfo() cache.ClusterInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.listed
	return cache.ClusterInfo{LastCacheSyncTime: &t}
}

func (s *source) FindResources(string, ...func(*cache.Resource) bool) map[enginekube.ResourceKey]*cache.Resource {
	s.mu.RLock()
	s.looks++
	all := maps.Clone(s.all)
	s.mu.RUnlock()
	if s.asked != nil {
		s.asked()
	}
	return all
}

func (s *source) set(r *cache.Resource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.all[r.ResourceKey()]
	s.all[r.ResourceKey()] = r
	s.tell(r, before)
}

func (s *source) remove(key enginekube.ResourceKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before := s.all[key]; before != nil {
		delete(s.all, key)
		s.tell(nil, before)
	}
}

func world() (*source, *mirror.Mirror) {
	m := mirror.New(traits)
	s := &source{all: map[enginekube.ResourceKey]*cache.Resource{}, listed: time.Unix(1, 0), tell: m.Note}
	return s, m
}

func TestAMirrorFollowsChangesAndListings(t *testing.T) {
	s, m := world()
	web, pod := resource("Deployment", "web", info{mark: 7}), resource("Pod", "web-1", info{owner: "set"})
	s.all[web.ResourceKey()] = web // listed: nobody tells
	if got := m.Of(s, 7); len(got) != 1 || got[0] != web || s.looks != 1 {
		t.Errorf("after a listing: %v, %d looks", got, s.looks)
	}
	s.set(pod)
	moved := resource("Deployment", "web", info{mark: 8})
	s.set(moved)
	if got := m.Owned(s, "set"); len(got) != 1 || got[0] != pod || len(m.Of(s, 7)) != 0 || len(m.Of(s, 8)) != 1 {
		t.Errorf("after changes: owned %v, of 7 %v, of 8 %v", got, m.Of(s, 7), m.Of(s, 8))
	}
	s.remove(pod.ResourceKey())
	if r, certain := m.Get(s, pod.ResourceKey()); r != nil || !certain {
		t.Errorf("removed: %v, certain %v", r, certain)
	}
	if r, certain := m.Get(s, resource("Widget", "x", info{}).ResourceKey()); r != nil || certain {
		t.Errorf("a kind that was never seen: %v, certain %v", r, certain)
	}
	if s.looks != 1 {
		t.Errorf("the cache was looked through %d times", s.looks)
	}
	s.mu.Lock()
	delete(s.all, moved.ResourceKey()) // gone while no watch was there
	s.listed = time.Unix(2, 0)
	s.mu.Unlock()
	if got := m.Of(s, 8); len(got) != 0 || s.looks != 2 {
		t.Errorf("after another listing: %v, %d looks", got, s.looks)
	}
}

func TestWhatChangesWhileItIsFilledIsNotLost(t *testing.T) {
	s, m := world()
	old, gone := resource("Deployment", "web", info{mark: 7}), resource("Deployment", "gone", info{mark: 7})
	s.all[old.ResourceKey()], s.all[gone.ResourceKey()] = old, gone
	newer, other := resource("Deployment", "web", info{mark: 9}), resource("Deployment", "other", info{mark: 7})
	s.asked = func() {
		s.asked = nil
		s.set(newer)
		s.remove(gone.ResourceKey())
		s.set(other)
	}
	if got := m.Of(s, 7); len(got) != 1 || got[0] != other {
		t.Errorf("of 7: %v", got)
	}
	if got := m.Of(s, 9); len(got) != 1 || got[0] != newer {
		t.Errorf("of 9: %v", got)
	}
}

func TestAMirrorIsItsCacheHoweverManyChangeAndAskIt(t *testing.T) {
	s, m := world()
	var changing, asking sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		r := rand.New(rand.NewPCG(1, uint64(w)))
		changing.Go(func() {
			for range 3000 {
				one := resource("Deployment", fmt.Sprint(r.IntN(40)), info{mark: uint64(1 + r.IntN(5)), owner: types.UID(fmt.Sprint(r.IntN(5)))})
				switch r.IntN(10) {
				case 0, 1, 2:
					s.remove(one.ResourceKey())
				case 3:
					s.mu.Lock() // a listing that nobody tells of
					s.all[one.ResourceKey()] = one
					s.listed = s.listed.Add(time.Second)
					s.mu.Unlock()
				default:
					s.set(one)
				}
			}
		})
		asking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					m.Of(s, uint64(1+w))
				}
			}
		})
	}
	changing.Wait()
	close(stop)
	asking.Wait()
	count := 0
	for mark := range uint64(6) {
		for _, r := range m.Of(s, mark) {
			if s.all[r.ResourceKey()] != r {
				t.Fatalf("%s is another one than the cache's", r.Ref.Name)
			}
			count++
		}
	}
	if count != len(s.all) {
		t.Errorf("it has %d objects, the cache %d", count, len(s.all))
	}
}
