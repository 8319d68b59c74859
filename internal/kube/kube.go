// Package kube is the one door to clusters: it reads their kubeconfig files and hands
// out clients with deadlines.
//
// Start at Open, then Clusters.Get. It never runs a credential plug-in that the cluster's
// entry does not name, never writes a credential anywhere and never limits itself below
// what the server's own priority and fairness allows.
package kube

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// ErrNoCluster: no credentials file for that name.
var ErrNoCluster = errors.New("no credentials")

const (
	callTimeout  = 10 * time.Second // of one call
	probeTimeout = 2 * time.Second
	probeFresh   = 500 * time.Millisecond // an answer is good for so long
	maxFile      = 1 << 20
)

// Clusters hands out the clusters of one credentials folder. It is safe for concurrent
// use.
type Clusters struct {
	dir    string
	entry  func(name string) Entry // nil: of all the zero one
	hidden []string

	mu    sync.Mutex // guards known
	known map[string]*Cluster
}

// Open uses the folder of credentials: <name>.kubeconfig, or <name>.token, see Entry.
func Open(dir string) *Clusters { return &Clusters{dir: dir, known: map[string]*Cluster{}} }

// Cluster is one cluster as its kubeconfig file describes it. A changed file makes a new
// Cluster with another Version.
type Cluster struct {
	Name    string
	Version string // digest of the file
	config  *rest.Config
	dynamic dynamic.Interface
	typed   kubernetes.Interface
	kinds   kinds
	stamp   stamp
	heard   heard

	mu    sync.Mutex // guards probe
	probe probe
}

type stamp struct {
	modified time.Time
	size     int64
	entry    string // digest
}

// Get reads the credentials file of a cluster, again when it has changed. name is the
// file's name without its ending.
func (c *Clusters) Get(name string) (*Cluster, error) {
	if !release.ValidName(name) {
		return nil, fmt.Errorf("cluster %q: not a name", name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, path := c.place(name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		delete(c.known, name)
		return nil, hint.Add(fmt.Errorf("cluster %s: %w", name, ErrNoCluster), "put its credentials at "+path)
	}
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	now := stamp{info.ModTime(), info.Size(), e.digest()}
	if k := c.known[name]; k != nil && k.stamp == now {
		return k, nil
	}
	k, err := c.load(name, e, path)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	k.stamp = now
	if old := c.known[name]; old != nil && old.Version == k.Version {
		old.stamp = now
		return old, nil
	}
	c.known[name] = k
	return k, nil
}

func (c *Clusters) load(name string, e Entry, path string) (*Cluster, error) {
	var cfg *rest.Config
	var version string
	var err error
	if e.Server != "" {
		cfg, version, err = byToken(e, path)
	} else {
		cfg, version, err = c.byFile(e, path)
	}
	if err != nil {
		return nil, err
	}
	return newCluster(name, version, cfg)
}

func newCluster(name, version string, cfg *rest.Config) (*Cluster, error) {
	k := &Cluster{Name: name, Version: version, config: cfg}
	cfg.Wrap(k.heard.listen)
	var err error
	if k.dynamic, err = dynamic.NewForConfig(cfg); err != nil {
		return nil, err
	}
	if k.typed, err = kubernetes.NewForConfig(cfg); err != nil {
		return nil, err
	}
	k.kinds.disco = k.typed.Discovery()
	return k, nil
}

func restConfig(raw *api.Config) (*rest.Config, error) {
	cfg, err := clientcmd.NewDefaultClientConfig(*raw, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, hint.Add(errors.New("its kubeconfig names no usable cluster and user"), "set current-context")
	}
	tune(cfg)
	return cfg, nil
}

func tune(cfg *rest.Config) {
	cfg.QPS, cfg.Burst = -1, 0 // the server's own priority and fairness decides
	cfg.Timeout = callTimeout
	cfg.UserAgent = "seatrial"
	cfg.WarningHandler = rest.NoWarnings{}
}

// Config is for calls: each has a deadline.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.config) }

// WatchConfig is for watches, which have none.
func (c *Cluster) WatchConfig() *rest.Config {
	cfg := rest.CopyConfig(c.config)
	cfg.Timeout = 0
	return cfg
}

// Dynamic is the client for objects of any kind.
func (c *Cluster) Dynamic() dynamic.Interface { return c.dynamic }

// Typed is the client for built-in kinds.
func (c *Cluster) Typed() kubernetes.Interface { return c.typed }

// Host is the address of the API server.
func (c *Cluster) Host() string { return c.config.Host }

// probe is the last answer to "are you there".
type probe struct {
	at    time.Time
	err   error
	since time.Time // of an outage
}

// Ready asks /readyz with a short deadline; the error is for people: "cluster prod-main
// does not answer: connection refused (since 12:03:04 UTC)".
//
// While it answers other calls well it is not asked, or counts as ready all the same: a busy
// cluster takes its time for /readyz, and everybody would wait for that.
func (c *Cluster) Ready(ctx context.Context) error {
	if c.heard.lately() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.probe.at.IsZero() && time.Since(c.probe.at) < probeFresh {
		return c.probe.err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	began := time.Now()
	_, err := c.typed.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	now := time.Now()
	c.probe.at = now
	if err == nil || answered(err) || c.heard.since(began) {
		c.probe.err, c.probe.since = nil, time.Time{}
		return nil
	}
	if errors.Is(err, context.Canceled) {
		c.probe.at = time.Time{}
		return err
	}
	if c.probe.since.IsZero() {
		c.probe.since = now
	}
	c.probe.err = hint.Add(&Unreachable{Cluster: c.Name, Why: notReady(err), Since: c.probe.since},
		"start the cluster's API server again, or mend the way to "+c.config.Host)
	return c.probe.err
}

// Unreachable says that a cluster does not answer.
type Unreachable struct {
	Cluster string
	Why     string
	Since   time.Time
}

// Error is for people.
func (u *Unreachable) Error() string {
	return fmt.Sprintf("cluster %s does not answer: %s (since %s)", u.Cluster, u.Why, u.Since.UTC().Format("15:04:05 MST"))
}
