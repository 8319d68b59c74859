// Package live is what runs on the clusters: it applies desired content to one cluster
// at a time, says whether it is healthy and notices when somebody changes it.
//
// Start at Clusters.Sync and Clusters.Health; Judge is the pure part. It never deletes
// more than the guard allows, never touches an object of another service and never shows
// a Secret's data.
package live

import (
	"context"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// What we write onto objects to know them again.
const (
	ServiceAnnotation  = "seatrial.dev/service"  // "shop.web"
	ContentAnnotation  = "seatrial.dev/content"  // digest of the object as desired
	RevisionAnnotation = "seatrial.dev/revision" // of hooks only: the revision they ran for
	ManagedByLabel     = "app.kubernetes.io/managed-by"
	ManagedBy          = "seatrial"
)

// Config of the clusters' caches; zero fields mean the defaults.
type Config struct {
	Applies    int           // at once per cluster; default 16
	Reach      time.Duration // how long a cluster may take to fill its cache; default 20s
	CrashAfter time.Duration // a container that keeps crashing is waited for so long; default 5s
	Steady     time.Duration // how long a container without a readiness probe has to run to be healthy; default 2s
	PullAfter  time.Duration // an image that cannot be pulled is waited for so long; default 15s

	// Scripts are the platform's health scripts by their place, "GROUP/KIND/health.lua", and
	// the commit that has them; default: none.
	Scripts func() (release.Commit, map[string]string)

	Told func(now, before *cache.Resource) // of each change; must not block. Default: nobody
}

func (c Config) orDefault() Config {
	if c.Applies == 0 {
		c.Applies = 16
	}
	if c.Reach == 0 {
		c.Reach = 20 * time.Second
	}
	if c.CrashAfter == 0 {
		c.CrashAfter = 5 * time.Second
	}
	if c.Steady == 0 {
		c.Steady = 2 * time.Second
	}
	if c.PullAfter == 0 {
		c.PullAfter = 15 * time.Second
	}
	if c.Scripts == nil {
		c.Scripts = func() (release.Commit, map[string]string) { return "", nil }
	}
	if c.Told == nil {
		c.Told = func(*cache.Resource, *cache.Resource) {}
	}
	return c
}

// Clusters holds one cache per cluster, each filled when first needed. It is safe for
// concurrent use; the same service on the same cluster has to be synced by one at a time.
type Clusters struct {
	kube *kube.Clusters
	cfg  Config
	news news
	book book

	mu    sync.Mutex // guards known
	known map[string]*cluster
}

// New makes an empty set; Close ends the watches.
func New(k *kube.Clusters, cfg Config) *Clusters {
	return &Clusters{kube: k, cfg: cfg.orDefault(), known: map[string]*cluster{}, news: newNews()}
}

// Close ends all watches.
func (c *Clusters) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cl := range c.known {
		cl.close()
	}
}

// Want is one service's content for one cluster.
type Want struct {
	Service   release.Service
	Revision  release.Commit // of the desired-state branch
	Namespace string         // for objects that name none
	Objects   []*unstructured.Unstructured
	Prune     release.Prune
	Rules     release.SyncRules
	Hooks     bool // run hooks and sync waves; not when drift is healed
}

// State is how far a target is.
type State string

// The states of a target; release.Target.State uses the same words.
const (
	Pending     State = "Pending"
	Syncing     State = "Syncing"
	Synced      State = "Synced"
	Progressing State = "Progressing"
	Healthy     State = "Healthy"
	Degraded    State = "Degraded"
	Refused     State = "Refused"
	Unreachable State = "Unreachable"
)

// Result is what a sync or a look at the health came to.
type Result struct {
	State   State
	Message string
	Hint    string
	Objects []string // applied or deleted: "Deployment/web"
	Stale   bool     // objects are missing or carry other content: sync again
	Took    time.Duration
}

// Reach says whether a cluster answers: "Ready", "Unreachable" or "Unknown", and why.
func (c *Clusters) Reach(ctx context.Context, name string) (state, message string) {
	k, err := c.kube.Get(name)
	if err != nil {
		return "Unknown", err.Error()
	}
	if err := k.Ready(ctx); err != nil {
		return "Unreachable", err.Error()
	}
	return "Ready", ""
}

// Cached is what a cluster has, whole where it is a service's.
func (c *Clusters) Cached(ctx context.Context, name string) (cache.ClusterCache, error) {
	v, err := c.reach(ctx, name, nil)
	return v.cache, err
}

// Scope is a render.Scope that asks one cluster.
func (c *Clusters) Scope(name string) func(schema.GroupVersionKind) (namespaced, known bool) {
	return func(gvk schema.GroupVersionKind) (bool, bool) {
		k, err := c.kube.Get(name)
		if err != nil {
			return false, false
		}
		ns, err := k.Namespaced(gvk)
		return ns, err == nil
	}
}

// Change says that an object of a service changed on a cluster.
type Change struct {
	Cluster string
	Service release.Service
}

// news collects changes until somebody asks; the same change twice is one.
type news struct {
	mu      *sync.Mutex // guards pending
	pending map[Change]struct{}
	bell    chan struct{} // of one: something is pending
}

func newNews() news {
	return news{mu: &sync.Mutex{}, pending: map[Change]struct{}{}, bell: make(chan struct{}, 1)}
}

func (n news) add(c Change) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending[c] = struct{}{}
	select {
	case n.bell <- struct{}{}:
	default:
	}
}

// Changed waits until objects of services have changed somewhere and says which.
func (c *Clusters) Changed(ctx context.Context) ([]Change, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.news.bell:
	}
	c.news.mu.Lock()
	defer c.news.mu.Unlock()
	out := make([]Change, 0, len(c.news.pending))
	for ch := range c.news.pending {
		out = append(out, ch)
	}
	clear(c.news.pending)
	return out, nil
}
