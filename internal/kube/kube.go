// Package kube is the one door to clusters: it reads their kubeconfig files and hands
// out clients with deadlines.
//
// Start at Open, then Clusters.Get. It never runs a credential plug-in, never writes a
// credential anywhere and never limits itself below what the server's own priority and
// fairness allows.
package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// ErrNoCluster: no kubeconfig file for that name.
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
	dir string

	mu    sync.Mutex // guards known
	known map[string]*Cluster
}

// Open uses the folder of kubeconfig files, <name>.kubeconfig each.
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
}

// Get reads the credentials file of a cluster, again when it has changed. name is the
// file's name without its ending.
func (c *Clusters) Get(name string) (*Cluster, error) {
	if !release.ValidName(name) {
		return nil, fmt.Errorf("cluster %q: not a name", name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	path := filepath.Join(c.dir, name+".kubeconfig")
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		delete(c.known, name)
		return nil, hint.Add(fmt.Errorf("cluster %s: %w", name, ErrNoCluster), "put its kubeconfig at "+path)
	}
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	now := stamp{info.ModTime(), info.Size()}
	if k := c.known[name]; k != nil && k.stamp == now {
		return k, nil
	}
	k, err := load(name, path)
	if err != nil {
		return nil, err
	}
	k.stamp = now
	if old := c.known[name]; old != nil && old.Version == k.Version {
		old.stamp = now
		return old, nil
	}
	c.known[name] = k
	return k, nil
}

func load(name, path string) (*Cluster, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	defer file.Close()
	data, err := readAll(file)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: read its kubeconfig: %w", name, err)
	}
	cfg, err := parse(data, path)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	sum := sha256.Sum256(data)
	k := &Cluster{Name: name, Version: hex.EncodeToString(sum[:8]), config: cfg}
	cfg.Wrap(k.heard.listen)
	if k.dynamic, err = dynamic.NewForConfig(cfg); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	if k.typed, err = kubernetes.NewForConfig(cfg); err != nil {
		return nil, fmt.Errorf("cluster %s: %w", name, err)
	}
	k.kinds.disco = k.typed.Discovery()
	return k, nil
}

// parse makes a client configuration and refuses what would run a program.
func parse(data []byte, path string) (*rest.Config, error) {
	raw, err := clientcmd.Load(data)
	if err != nil {
		// The library's error may quote the file, and the file holds keys.
		return nil, hint.Add(errors.New("its kubeconfig cannot be read"), "check it with: kubectl --kubeconfig "+path+" version")
	}
	for user, a := range raw.AuthInfos {
		if a.Exec != nil || a.AuthProvider != nil {
			return nil, hint.Add(fmt.Errorf("user %s of its kubeconfig runs a credential plug-in, which is refused", user),
				"use a client certificate or the token of a service account")
		}
		a.LocationOfOrigin = path
	}
	for _, c := range raw.Clusters {
		c.LocationOfOrigin = path
	}
	if err := clientcmd.ResolveLocalPaths(raw); err != nil {
		return nil, errors.New("a path in its kubeconfig cannot be resolved")
	}
	return restConfig(raw)
}

func restConfig(raw *api.Config) (*rest.Config, error) {
	cfg, err := clientcmd.NewDefaultClientConfig(*raw, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, hint.Add(errors.New("its kubeconfig names no usable cluster and user"), "set current-context")
	}
	cfg.QPS, cfg.Burst = -1, 0 // the server's own priority and fairness decides
	cfg.Timeout = callTimeout
	cfg.UserAgent = "seatrial"
	cfg.WarningHandler = rest.NoWarnings{}
	return cfg, nil
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
// While it answers other calls well it is not asked: a busy cluster takes its time for
// /readyz, and everybody would wait for that.
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
	_, err := c.typed.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	now := time.Now()
	c.probe.at = now
	if err == nil || answered(err) {
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
