// Package agent keeps one cluster as the server wants it, from inside: it dials out, takes
// orders that the server has signed, does what live does, tells what it sees, and heals
// drift to what it was last told while nobody can be reached.
//
// Start at Agent.Run, then talk. It never listens, never obeys an order that is unsigned,
// old or for another cluster, and never sends its key anywhere.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// Config of an Agent.
type Config struct {
	Server  string      // "seatrial.example:9444"
	Folder  string      // of its own, private: identity and desired state
	Token   secret.Text // one-time; only needed until the agent has an identity
	Version string
	Kube    *kube.Clusters // has the cluster by its name
	Log     *slog.Logger
	Now     func() time.Time
	Every   time.Duration // look at everything; default 1m
}

// Agent is one.
type Agent struct {
	cfg     Config
	cluster string
	live    *live.Clusters
	orders  *orders
	table   *table
	locks   deployer.Locks
	healed  chan struct{} // of one: heals wait for the server
	work    sync.WaitGroup
	busy    chan struct{} // one per ask that is worked on

	mu      sync.Mutex // guards what follows
	id      *identity
	scripts wire.Scripts
	heals   []wire.Healed
}

const (
	atOnce     = 64 // asks that are worked on
	firstPause = 500 * time.Millisecond
	maxPause   = 10 * time.Second
	listEvery  = 30 * time.Second
)

// New makes an agent.
func New(cfg Config) *Agent {
	if cfg.Every == 0 {
		cfg.Every = time.Minute
	}
	return &Agent{cfg: cfg, table: newTable(), healed: make(chan struct{}, 1), busy: make(chan struct{}, atOnce)}
}

// Run enrols, where that is needed, and then keeps the cluster until ctx ends.
func (a *Agent) Run(ctx context.Context) error {
	if err := os.MkdirAll(a.cfg.Folder, 0o700); err != nil {
		return fmt.Errorf("make the agent's folder: %w", err)
	}
	if err := os.Chmod(a.cfg.Folder, 0o700); err != nil {
		return fmt.Errorf("make the agent's folder private: %w", err)
	}
	id, err := a.become(ctx)
	if err != nil {
		return err
	}
	a.id, a.cluster = id, id.Cluster
	if a.orders, err = openOrders(filepath.Join(a.cfg.Folder, "desired"), wire.Holder{Cluster: id.Cluster, Key: id.Orders}, a.cfg.Log); err != nil {
		return err
	}
	a.live = live.New(a.cfg.Kube, live.Config{Scripts: a.healthScripts, Told: a.told})
	defer a.live.Close()
	defer a.work.Wait()
	g, ctx := errgroup.WithContext(ctx)
	for _, part := range []func(context.Context) error{a.fleet().Run, a.finish, a.watch, a.stay} {
		g.Go(func() error { return part(ctx) })
	}
	return g.Wait()
}

// become gives the agent its identity: the one on disk, or one for the token. A server
// that is not there yet is waited for.
func (a *Agent) become(ctx context.Context) (*identity, error) {
	id, err := a.load()
	if err != nil || id != nil {
		return id, err
	}
	if a.cfg.Token == "" {
		return nil, hint.Add(errors.New("the agent has no certificate that counts, and no token to get one with"), "make a token on the server's machine: seatrial cluster enrol NAME")
	}
	for pause := firstPause; ; pause = min(maxPause, 2*pause) {
		id, err := a.enrol(ctx)
		if err == nil {
			a.cfg.Log.Info("enrolled", "cluster", id.Cluster, "until", id.leaf.NotAfter)
			return id, nil
		}
		if code := status.Code(err); code != codes.Unavailable && code != codes.DeadlineExceeded {
			return nil, hint.Add(fmt.Errorf("enrol at %s: %w", a.cfg.Server, err), "make a new token on the server's machine: seatrial cluster enrol NAME; it counts once, and not for long")
		}
		a.cfg.Log.Warn("enrol", "server", a.cfg.Server, "error", err)
		if err := wait(ctx, pause); err != nil {
			return nil, err
		}
	}
}

func wait(ctx context.Context, pause time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}

// stay keeps a stream to the server open.
func (a *Agent) stay(ctx context.Context) error {
	pause := firstPause
	for {
		began := time.Now()
		err := a.talk(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > maxPause {
			pause = firstPause // it was a good one
		}
		if errors.Is(err, errRenewed) {
			pause = firstPause
		} else {
			a.cfg.Log.Warn("no stream to the server", "server", a.cfg.Server, "error", err)
		}
		if err := wait(ctx, pause/2+rand.N(pause)); err != nil {
			return err
		}
		pause = min(maxPause, 2*pause)
	}
}

// watch lists the objects at the start and now and then, for what changed while a cache
// was filled anew.
func (a *Agent) watch(ctx context.Context) error {
	for {
		a.list(ctx)
		if err := wait(ctx, listEvery); err != nil {
			return err
		}
	}
}

func (a *Agent) list(ctx context.Context) {
	begun := a.table.now()
	all, err := a.live.Cached(ctx, a.cluster)
	if err != nil {
		return // the next one asks again
	}
	var out []wire.Object
	for _, r := range all.FindResources("", func(r *cache.Resource) bool { return r.Resource != nil }) {
		out = append(out, seen(r))
	}
	a.table.reconcile(out, begun)
}

// told notes a change of an object of a service; only those are kept whole.
func (a *Agent) told(now, before *cache.Resource) {
	switch {
	case now != nil && now.Resource != nil:
		a.table.put(seen(now))
	case before != nil && before.Resource != nil:
		a.table.put(goneOf(seen(before)))
	}
}

// seen is an object as the server is told of it.
func seen(r *cache.Resource) wire.Object {
	key, notes := r.ResourceKey(), r.Resource.GetAnnotations()
	out := wire.Object{Group: key.Group, Kind: key.Kind, Namespace: key.Namespace, Name: key.Name, Version: r.Resource.GetResourceVersion(),
		Service: release.Service(strings.Replace(notes[live.ServiceAnnotation], ".", "/", 1)), Content: notes[live.ContentAnnotation]}
	if h, err := health.GetResourceHealth(r.Resource, nil); err == nil && h != nil {
		out.Health = string(h.Status)
	}
	return out
}

func (a *Agent) healthScripts() (release.Commit, map[string]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.scripts.Commit, a.scripts.Files
}

func (a *Agent) identity() *identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.id
}
