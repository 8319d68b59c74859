// Package cluster boots a real Kubernetes cluster of one node inside a machine:
// etcd, control plane, containerd, kubelet, kube-proxy and DNS, and Chaos Mesh
// and a gateway where they are wanted.
//
// Start at Cluster.Up. The package never changes anything outside its machine
// and its folder.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/machine"
)

// Cluster is one cluster, running or not.
type Cluster struct {
	layout.Cluster
	Machine *machine.Machine

	dir  string
	bins Bins
}

// New returns the cluster that c describes below root.
func New(c layout.Cluster, root layout.Root, bins Bins) *Cluster {
	dir := root.Cluster(c.Name)
	m := machine.New(machine.Spec{
		Name: c.Machine(), Dir: dir, Hostname: c.Node(), Binds: []string{bins.Cache}, Tools: bins.Helpers,
		Net: &machine.Net{
			Link: c.Link(), HostIP: c.HostIP(), NodeIP: c.NodeIP(),
			Routes: []string{c.ServiceCIDR(), c.PodCIDR()}, Back: "198.18.0.0/15",
		},
	})
	return &Cluster{Cluster: c, Machine: m, dir: dir, bins: bins}
}

// Load reads back a cluster that was booted below root.
func Load(name string, root layout.Root, bins Bins) (*Cluster, error) {
	b, err := os.ReadFile(filepath.Join(root.Cluster(name), "cluster.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no cluster %q", name)
	}
	if err != nil {
		return nil, fmt.Errorf("load cluster %s: %w", name, err)
	}
	var c layout.Cluster
	if err := json.Unmarshal(b, &c); err != nil {
		return nil, fmt.Errorf("load cluster %s: %w", name, err)
	}
	return New(c, root, bins), nil
}

// Times says how long after the start of Up each stage was reached.
type Times struct {
	API, Node, Done time.Duration
}

// Up boots the cluster, or starts what is missing of it, and returns when the
// API answers, the node takes pods, DNS resolves and faults can be injected. Of
// a bare cluster the API and its controllers are all there is.
func (c *Cluster) Up(ctx context.Context) (Times, error) {
	start := time.Now()
	var t Times
	if err := c.prepare(ctx); err != nil {
		return t, fmt.Errorf("boot cluster %s: %w", c.Name, err)
	}
	if err := c.startControlPlane(ctx); err != nil {
		return t, fmt.Errorf("boot cluster %s: %w", c.Name, err)
	}
	t.API = time.Since(start)
	if c.Bare {
		if err := errors.Join(c.launch(ctx, "kcm"), c.ready(ctx, "kcm")); err != nil {
			return t, fmt.Errorf("boot cluster %s: %w", c.Name, err)
		}
		t.Done = time.Since(start)
		return t, nil
	}
	// From here on everything needs the API and hardly each other.
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		err := c.startNode(gctx)
		t.Node = time.Since(start)
		return err
	})
	g.Go(func() error { return c.startDNS(gctx) })
	if c.Chaos {
		g.Go(func() error { return c.startChaos(gctx) })
	}
	if c.Gateway {
		g.Go(func() error { return c.startGateway(gctx) })
	}
	if err := g.Wait(); err != nil {
		return t, fmt.Errorf("boot cluster %s: %w", c.Name, err)
	}
	t.Done = time.Since(start)
	return t, nil
}

func (c *Cluster) prepare(ctx context.Context) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	if err := c.save(); err != nil {
		return err
	}
	if err := writePKI(c.Cluster, c.dir); err != nil {
		return err
	}
	if err := writeConfigs(c.Cluster, c.dir); err != nil {
		return err
	}
	_, err := c.Machine.Up(ctx)
	return err
}

func (c *Cluster) save() error {
	b, err := json.MarshalIndent(c.Cluster, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, "cluster.json"), b, 0o644)
}

func (c *Cluster) startControlPlane(ctx context.Context) error {
	for _, name := range []string{"etcd", "containerd", "apiserver"} {
		if c.Bare && name == "containerd" {
			continue
		}
		if err := c.launch(ctx, name); err != nil {
			return err
		}
	}
	return c.ready(ctx, "apiserver")
}

func (c *Cluster) startNode(ctx context.Context) error {
	if err := c.ready(ctx, "containerd"); err != nil {
		return err // a kubelet that finds no runtime gives up at once
	}
	for _, name := range []string{"kcm", "scheduler", "kubelet"} {
		if err := c.launch(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range []string{"kubelet", "kcm", "scheduler"} {
		if err := c.ready(ctx, name); err != nil {
			return err
		}
	}
	// It ends when the node's addresses change, so it wants a finished node.
	if err := c.launch(ctx, "proxy"); err != nil {
		return err
	}
	return c.ready(ctx, "proxy")
}

func (c *Cluster) startDNS(ctx context.Context) error {
	if err := c.applyDNS(ctx); err != nil {
		return fmt.Errorf("set up DNS: %w", err)
	}
	if err := c.launch(ctx, "coredns"); err != nil {
		return err
	}
	return c.ready(ctx, "coredns")
}

func (c *Cluster) launch(ctx context.Context, name string) error {
	p, ok := Programs(c.Cluster, c.dir, c.bins)[name]
	if !ok {
		return fmt.Errorf("cluster %s has no component %q", c.Name, name)
	}
	return c.Machine.Start(ctx, p)
}

// ErrNoComponent is for a name that no component has.
var ErrNoComponent = errors.New("no such component")

// Start starts one component and waits until it is of use again.
func (c *Cluster) Start(ctx context.Context, name string) error {
	if !slices.Contains(Components(c.Cluster), name) {
		return fmt.Errorf("%w: %q in cluster %s", ErrNoComponent, name, c.Name)
	}
	if name == "kubelet" {
		if err := c.ready(ctx, "containerd"); err != nil {
			return err
		}
	}
	if err := c.launch(ctx, name); err != nil {
		return err
	}
	return c.ready(ctx, name)
}

// Stop stops one component; with grace zero it is killed.
func (c *Cluster) Stop(ctx context.Context, name string, grace time.Duration) error {
	if !slices.Contains(Components(c.Cluster), name) {
		return fmt.Errorf("%w: %q in cluster %s", ErrNoComponent, name, c.Name)
	}
	return c.Machine.Stop(ctx, name, grace)
}

// Down removes the cluster and everything of it.
func (c *Cluster) Down(ctx context.Context) error { return c.Machine.Down(ctx) }
