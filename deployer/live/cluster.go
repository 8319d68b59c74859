package live

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/kinds"
	"github.com/seatrial/seatrial/deployer/live/mirror"
	"github.com/seatrial/seatrial/deployer/live/seen"
	"github.com/seatrial/seatrial/deployer/live/stamp"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// cluster is one cluster with its cache of what we manage there and its pods.
type cluster struct {
	name  string
	slots chan struct{} // applies at once
	kinds *kinds.Set
	all   *Clusters

	proofs proofs
	seen   seen.Versions

	mu    sync.Mutex // guards conn and cache
	conn  *kube.Cluster
	cache cache.ClusterCache
	of    *mirror.Mirror // of cache
}

func (c *Clusters) cluster(name string) *cluster {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl := c.known[name]
	if cl == nil {
		cl = &cluster{name: name, slots: make(chan struct{}, c.cfg.Applies), kinds: kinds.Usual(), all: c}
		c.known[name] = cl
	}
	return cl
}

func (cl *cluster) close() {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.cache != nil {
		cl.cache.Invalidate()
		cl.cache = nil
	}
}

// view is a cluster that has just answered, with a filled cache.
type view struct {
	*cluster
	conn   *kube.Cluster
	cache  cache.ClusterCache
	mirror *mirror.Mirror
}

// Stamp is what a service's objects on a cluster are, as far as watches have brought them.
func (c *Clusters) Stamp(name string, svc release.Service) stamp.Stamp {
	cl := c.cluster(name)
	cl.mu.Lock()
	from, of := cl.cache, cl.of
	cl.mu.Unlock()
	if from == nil {
		return stamp.Stamp{}
	}
	return stamp.Of(of.Of(from, markOf(svc)), func(r *cache.Resource) (uint64, bool) {
		if o := ownedOf(r); o != nil && o.service == svc {
			return o.shape, true
		}
		return 0, false
	})
}

// reach asks the cluster whether it is there and makes sure that its cache is filled and
// watches every kind of objs.
func (c *Clusters) reach(ctx context.Context, name string, objs []*unstructured.Unstructured) (view, error) {
	conn, err := c.kube.Get(name)
	if err != nil {
		return view{}, err
	}
	if err := conn.Ready(ctx); err != nil {
		return view{}, err
	}
	cl := c.cluster(name)
	v := view{cluster: cl, conn: conn}
	v.cache, v.mirror = cl.connect(c, conn, objs)
	filled := make(chan error, 1)
	go func() { filled <- v.cache.EnsureSynced() }()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Reach)
	defer cancel()
	select {
	case err = <-filled:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return view{}, fmt.Errorf("cluster %s: list what runs there: %s", name, kube.Why(err))
	}
	return v, nil
}

// connect gives the cache for these credentials, and its mirror.
func (cl *cluster) connect(c *Clusters, conn *kube.Cluster, objs []*unstructured.Unstructured) (cache.ClusterCache, *mirror.Mirror) {
	grew := cl.kinds.Add(objs)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if cl.cache != nil && cl.conn.Version == conn.Version {
		if grew {
			cl.cache.Invalidate()
		}
		return cl.cache, cl.of
	}
	if cl.cache != nil {
		cl.cache.Invalidate()
	}
	cl.conn = conn
	of := mirror.New(traits)
	cl.of = of
	cl.cache = cache.NewClusterCache(conn.WatchConfig(),
		cache.SetKubectl(conn.Lister()),
		cache.SetLogr(logr.Discard()),
		cache.SetSettings(cache.Settings{ResourcesFilter: cl.kinds}),
		cache.SetRespectRBAC(cache.RespectRbacNormal),
		cache.SetClusterSyncRetryTimeout(time.Second),
		cache.SetPopulateResourceInfoHandler(describe))
	cl.cache.OnResourceUpdated(func(now, before *cache.Resource, _ map[enginekube.ResourceKey]*cache.Resource) {
		of.Note(now, before)
		if now == nil && before != nil {
			cl.proofs.drop(before.ResourceKey())
			cl.seen.Note(before.ResourceKey(), "")
		} else if ownedOf(now) != nil {
			cl.seen.Note(now.ResourceKey(), now.ResourceVersion)
		}
		c.cfg.Told(now, before)
		if svc, ok := moved(now, before); ok {
			c.news.add(Change{Cluster: cl.name, Service: svc})
		}
	})
	return cl.cache, of
}

// moved tells which service's object came, changed in more than its status, or went.
func moved(now, before *cache.Resource) (release.Service, bool) {
	a, b := ownedOf(now), ownedOf(before)
	switch {
	case a == nil && b == nil:
		return "", false
	case a == nil:
		return b.service, true
	case b == nil:
		return a.service, true
	}
	return a.service, a.shape != b.shape
}

func ownedOf(r *cache.Resource) *owned {
	if r == nil {
		return nil
	}
	o, _ := r.Info.(*owned)
	return o
}
