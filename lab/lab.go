// Package lab runs several real Kubernetes clusters and what they share - a
// forge, a registry, BuildKit, Prometheus, Chaos Mesh - on one Linux machine
// without Docker.
//
// Start at Lab.Up; a test that only uses a running lab starts at Load. The
// package is for development and tests: it never imports the product, and
// nothing in the product imports it.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/lab/build"
	"github.com/seatrial/seatrial/lab/cluster"
	"github.com/seatrial/seatrial/lab/deps"
	"github.com/seatrial/seatrial/lab/hub"
	"github.com/seatrial/seatrial/lab/images"
	"github.com/seatrial/seatrial/lab/layout"
)

// Env is what a user of a running lab needs to know.
type Env = layout.Env

// ErrNotUp says that no lab runs below the root.
var ErrNotUp = errors.New("no lab is up")

// Load reads what a running lab says about itself. An empty root is the default one.
func Load(root string) (Env, error) {
	r := layout.DefaultRoot
	if root != "" {
		r = layout.Root(root)
	}
	b, err := os.ReadFile(r.EnvFile())
	if errors.Is(err, fs.ErrNotExist) {
		return Env{}, fmt.Errorf("load %s: %w", r.EnvFile(), ErrNotUp)
	}
	if err != nil {
		return Env{}, fmt.Errorf("load lab: %w", err)
	}
	return layout.ParseEnv(b)
}

// Lab is one lab, running or not.
type Lab struct {
	Root layout.Root
	Say  func(format string, args ...any) // progress, one line each

	builder *build.Builder
	hub     *hub.Hub
	bins    cluster.Bins
}

// Open prepares a lab below root with the programs of source, which is the
// folder lab/components of a checkout.
func Open(root layout.Root, cache, source string, say func(string, ...any)) (*Lab, error) {
	b := &build.Builder{Source: source, Cache: cache, Say: say}
	bin := map[string]string{}
	for _, f := range slices.Concat(build.Families(), build.Tools()) {
		dir, err := b.Bin(f.Name)
		if err != nil {
			return nil, fmt.Errorf("open lab: %w", err)
		}
		bin[f.Name] = dir
	}
	l := &Lab{Root: root, Say: say, builder: b}
	l.bins = cluster.Bins{
		Kubernetes: bin["kubernetes"], Etcd: bin["etcd"], Containerd: bin["containerd"], Runc: bin["runc"],
		CoreDNS: bin["coredns"], ChaosMesh: bin["chaosmesh"], Traefik: bin["traefik"], Helpers: bin["helpers"],
		CRDs:        filepath.Join(filepath.Dir(bin["chaosmesh"]), build.CRDFile),
		GatewayCRDs: filepath.Join(filepath.Dir(bin["traefik"]), build.GatewayCRDFile),
		Cache:       cache,
	}
	l.hub = hub.New(root, hub.Bins{
		Registry: bin["registry"], Buildkit: bin["buildkit"], Runc: bin["runc"], Gitea: bin["gitea"], Prometheus: bin["prometheus"],
		GiteaShare: filepath.Join(filepath.Dir(bin["gitea"]), build.GiteaShare),
		Cache:      cache,
	})
	return l, nil
}

// Build makes the programs that are missing: all, or the named families.
func (l *Lab) Build(ctx context.Context, names ...string) error {
	families := build.Families()
	for _, n := range names {
		if !slices.ContainsFunc(families, func(f build.Family) bool { return f.Name == n }) {
			return fmt.Errorf("build: no family %q", n)
		}
	}
	if len(names) > 0 {
		families = slices.DeleteFunc(families, func(f build.Family) bool { return !slices.Contains(names, f.Name) })
	}
	return l.builder.Build(ctx, families)
}

// Tool makes one of build.Tools and says where its program is.
func (l *Lab) Tool(ctx context.Context, name string) (string, error) {
	tools := build.Tools()
	i := slices.IndexFunc(tools, func(f build.Family) bool { return f.Name == name })
	if i < 0 {
		return "", fmt.Errorf("tool %s: there is none of this name", name)
	}
	if err := l.builder.Build(ctx, tools[i:i+1]); err != nil {
		return "", err
	}
	dir, err := l.builder.Bin(name)
	return filepath.Join(dir, name), err
}

// Prune removes programs that this checkout no longer uses from the cache.
func (l *Lab) Prune() error { return l.builder.Prune() }

// UpOptions say what Up boots.
type UpOptions struct {
	Clusters []layout.Cluster
	// Only boots the clusters and the registry they pull from, and leaves the
	// rest of the shared services alone.
	Only bool
}

// needs are the families that every cluster is made of.
var needs = []string{"helpers", "registry", "etcd", "containerd", "runc", "kubernetes", "coredns"}

// Up boots what is missing and returns when everything answers.
func (l *Lab) Up(ctx context.Context, o UpOptions) error {
	if err := l.check(o.Clusters); err != nil {
		return err
	}
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	bare := o.Only && !slices.ContainsFunc(o.Clusters, func(c layout.Cluster) bool { return !c.Bare })
	families := slices.Clone(needs)
	if bare {
		families = []string{"helpers", "etcd", "kubernetes"}
	}
	if slices.ContainsFunc(o.Clusters, func(c layout.Cluster) bool { return c.Chaos }) {
		families = append(families, "chaosmesh")
	}
	if !o.Only {
		families = nil
	}
	if err := l.Build(ctx, families...); err != nil {
		return err
	}
	if slices.ContainsFunc(o.Clusters, func(c layout.Cluster) bool { return c.Gateway }) {
		if _, err := l.Tool(ctx, "traefik"); err != nil {
			return err
		}
	}
	start := time.Now()
	if !bare { // which pulls nothing
		if err := l.hub.Up(ctx, "registry"); err != nil {
			return err
		}
		if err := l.ensureSandbox(ctx); err != nil {
			return err
		}
	}
	if err := l.upAll(ctx, o); err != nil {
		return err
	}
	if err := l.publish(ctx); err != nil {
		return err
	}
	l.Say("lab is up after %.1f s", time.Since(start).Seconds())
	return nil
}

func (l *Lab) upAll(ctx context.Context, o UpOptions) error {
	g, ctx := errgroup.WithContext(ctx)
	if !o.Only {
		g.Go(func() error {
			start := time.Now()
			err := l.hub.Up(ctx)
			if err == nil {
				l.Say("shared services are up after %.1f s", time.Since(start).Seconds())
			}
			return err
		})
		g.Go(func() error { return l.maker().Ensure(ctx, l.maker().BaseImages()) })
	}
	g.Go(func() error {
		boots, ctx := errgroup.WithContext(ctx)
		boots.SetLimit(3)
		for _, c := range o.Clusters {
			boots.Go(func() error { return l.upCluster(ctx, c) })
		}
		return boots.Wait()
	})
	return g.Wait()
}

func (l *Lab) upCluster(ctx context.Context, c layout.Cluster) error {
	t, err := cluster.New(c, l.Root, l.bins).Up(ctx)
	if err != nil {
		return err
	}
	if c.Bare {
		l.Say("control plane %s is up after %.1f s", c.Name, t.Done.Seconds())
		return nil
	}
	l.Say("cluster %s is up after %.1f s (API %.1f s, node Ready %.1f s)", c.Name, t.Done.Seconds(), t.API.Seconds(), t.Node.Seconds())
	return nil
}

func (l *Lab) maker() *images.Maker {
	return &images.Maker{
		Cache: l.builder.Cache, Registry: layout.Registry, Say: l.Say,
		Sandbox: filepath.Join(l.bins.Helpers, "sandbox"),
	}
}

func (l *Lab) ensureSandbox(ctx context.Context) error {
	m := l.maker()
	img, err := m.SandboxImage(strings.TrimPrefix(layout.PauseImage, layout.Registry+"/"))
	if err != nil {
		return err
	}
	return m.Ensure(ctx, []images.Image{img})
}

func (l *Lab) check(clusters []layout.Cluster) error {
	for i, c := range clusters {
		if err := c.Validate(); err != nil {
			return err
		}
		for _, d := range slices.Concat(clusters[:i], l.Clusters()) {
			if d.Name != c.Name && d.Index == c.Index {
				return fmt.Errorf("cluster %s: index %d belongs to %s", c.Name, c.Index, d.Name)
			}
			if d.Name == c.Name && d.Index != c.Index {
				return fmt.Errorf("cluster %s: it exists with index %d", c.Name, d.Index)
			}
		}
	}
	var all []string
	for _, p := range deps.Check() {
		all = append(all, p.What+" ("+p.Hint+")")
	}
	if len(all) > 0 {
		return fmt.Errorf("this machine cannot run the lab yet:\n  %s", strings.Join(all, "\n  "))
	}
	return nil
}

// Clusters returns the clusters that have a folder, by index.
func (l *Lab) Clusters() []layout.Cluster {
	entries, err := os.ReadDir(l.Root.Path("clusters"))
	if err != nil {
		return nil
	}
	var all []layout.Cluster
	for _, e := range entries {
		if c, err := cluster.Load(e.Name(), l.Root, l.bins); err == nil {
			all = append(all, c.Cluster)
		}
	}
	slices.SortFunc(all, func(a, b layout.Cluster) int { return a.Index - b.Index })
	return all
}

// publish writes lab.json and tells Prometheus which clusters there are.
func (l *Lab) publish(ctx context.Context) error {
	e := Env{
		Registry: layout.Registry, BuildKit: "unix://" + l.Root.BuildkitSocket(), Prometheus: "http://" + layout.PrometheusAddr,
		Forge: layout.ForgeEnv{
			URL: "http://" + layout.ForgeAddr, User: hub.ForgeUser,
			PasswordFile: l.hub.PasswordFile(), TokenFile: l.hub.TokenFile(),
		},
		RuleDir: l.hub.RuleDir(), Root: string(l.Root), Lacks: deps.Lacks(ctx), Clusters: []layout.ClusterEnv{},
	}
	for _, f := range []string{"kubernetes", "buildkit", "etcd", "containerd", "prometheus"} {
		dir, err := l.builder.Bin(f)
		if err != nil {
			return err
		}
		e.Bin = append(e.Bin, dir)
	}
	for _, c := range l.Clusters() {
		if cluster.New(c, l.Root, l.bins).Machine.InitPID() != 0 {
			e.Clusters = append(e.Clusters, layout.ClusterEnv{Cluster: c, Kubeconfig: l.Root.Kubeconfig(c.Name), NodeIP: c.NodeIP(), DNS: c.DNS()})
		}
	}
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	tmp := l.Root.EnvFile() + ".new"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := os.Rename(tmp, l.Root.EnvFile()); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := l.hub.WatchClusters(ctx, e.Clusters); err != nil {
		l.Say("%v", err) // rules of a user may be wrong; the clusters are not
	}
	return nil
}

// Down removes the named clusters, or with no name the whole lab. What a crash
// left behind is removed as well; the cache of programs stays.
func (l *Lab) Down(ctx context.Context, names ...string) error {
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if len(names) == 0 {
		return l.downAll(ctx)
	}
	for _, n := range names {
		c, err := cluster.Load(n, l.Root, l.bins)
		if err != nil {
			return err
		}
		if err := c.Down(ctx); err != nil {
			return err
		}
	}
	return l.publish(ctx)
}

func (l *Lab) downAll(ctx context.Context) error {
	var mu sync.Mutex
	var all []error
	var wg sync.WaitGroup
	for _, c := range l.Clusters() {
		wg.Go(func() {
			err := cluster.New(c, l.Root, l.bins).Down(ctx)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, err)
		})
	}
	wg.Wait()
	all = append(all, l.hub.Down(ctx), sweep(ctx, l.Root))
	if err := errors.Join(all...); err != nil {
		return err // what is left is needed for the next try
	}
	if err := os.RemoveAll(string(l.Root)); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	return nil
}
