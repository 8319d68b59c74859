// Package agents measures the stream of an agent: how soon the server sees what has
// changed on a cluster with many objects, and what the agent needs for it.
//
// Start at Run. It never leaves anything on the cluster but what an aborted run left.
package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/hub"
	"github.com/seatrial/seatrial/deployer/hub/authority"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// Config of a run.
type Config struct {
	Bin     string // folder of seatrial and lab
	Dir     string // of what is kept while measuring
	Objects int
	Changes int
	Every   time.Duration // between two changes
	Say     func(format string, args ...any)
}

const (
	perService = 4
	atOnce     = 16 // services that are synced
	namespace  = "bench-agent"
	cluster    = "far"
	patience   = 5 * time.Minute
)

// bench is one run.
type bench struct {
	Config
	kube *kube.Cluster
	hub  *hub.Hub

	mu   sync.Mutex           // guards when
	when map[string]time.Time // by name and version
}

// Run measures on the first cluster of a running lab.
func Run(ctx context.Context, c Config, errs io.Writer) (figure.Report, error) {
	b := &bench{Config: c, when: map[string]time.Time{}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return figure.Report{}, err
	}
	kubeconfig, err := b.lab(ctx)
	if err != nil {
		return figure.Report{}, err
	}
	var group errgroup.Group
	defer func() { _ = group.Wait() }() // it ends with ctx
	defer cancel()
	address, token, err := b.serve(ctx, &group)
	if err != nil {
		return figure.Report{}, err
	}
	agent, err := b.start(ctx, address, kubeconfig, token, errs)
	if err != nil {
		return figure.Report{}, err
	}
	defer func() {
		_ = agent.Process.Signal(syscall.SIGTERM)
		_ = agent.Wait() // how it ends does not count
	}()
	defer b.clean(context.WithoutCancel(ctx))
	if err := b.fill(ctx); err != nil {
		return figure.Report{}, err
	}
	took, err := b.change(ctx)
	if err != nil {
		return figure.Report{}, err
	}
	peak, err := peakOf(agent.Process.Pid)
	if err != nil {
		return figure.Report{}, err
	}
	slices.Sort(took)
	ms := func(share float64) float64 { return took[int(share*float64(len(took)-1))].Seconds() * 1000 }
	return figure.Report{Name: "agent", Notes: []string{
		fmt.Sprintf("a lab cluster with etcd and a real API server, %d objects of %d services (ConfigMap, ServiceAccount, headless Service, Ingress), brought there through the agent, which is a process of its own", c.Objects, c.Objects/perService),
		fmt.Sprintf("%d changes of single ConfigMaps by a client, of other services in turn, one each %s; each counts from just before the request is sent until the server's callback has the object at the version of the answer", c.Changes, c.Every),
		"healing is on; memory is the highest resident size of the agent's process (VmHWM), the first sync included",
	}, Figures: []figure.Figure{
		figure.Of("change to seen, median", ms(0.5), "ms"),
		figure.Of("change to seen, p95", ms(0.95), "ms").AtMost(90),
		figure.Of("change to seen, longest", ms(1), "ms"),
		figure.Of("agent's memory, highest", peak, "MiB").AtMost(200),
	}}, nil
}

// lab finds the cluster.
func (b *bench) lab(ctx context.Context) (kubeconfig string, err error) {
	out, err := exec.CommandContext(ctx, filepath.Join(b.Bin, "lab"), "env").Output()
	if err != nil {
		return "", fmt.Errorf("ask the lab: %w (bin/lab up starts it)", err)
	}
	var env struct {
		Clusters []struct {
			Kubeconfig string `json:"kubeconfig"`
		} `json:"clusters"`
	}
	if err := json.Unmarshal(out, &env); err != nil || len(env.Clusters) == 0 {
		return "", errors.New("the lab has no cluster")
	}
	kubeconfig = env.Clusters[0].Kubeconfig
	b.kube, err = kube.Open(b.Dir).Told(func(string) kube.Entry { return kube.Entry{File: kubeconfig} }).Get(cluster)
	return kubeconfig, err
}

// serve is the server's side.
func (b *bench) serve(ctx context.Context, group *errgroup.Group) (address, token string, err error) {
	a, err := authority.Open(authority.Config{Dir: filepath.Join(b.Dir, "agents"), Passphrase: "bench", Now: time.Now})
	if err != nil {
		return "", "", err
	}
	b.hub = hub.New(hub.Config{Authority: a, Agent: func(name string) bool { return name == cluster }, Object: b.heard, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	group.Go(func() error { return b.hub.Run(ctx, l) })
	t, _, err := a.Invite(cluster, time.Minute)
	return l.Addr().String(), t.Reveal(), err
}

func (b *bench) start(ctx context.Context, address, kubeconfig, token string, errs io.Writer) (*exec.Cmd, error) {
	state := filepath.Join(b.Dir, "agent")
	if err := os.RemoveAll(state); err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(b.Bin, "seatrial"), "agent", "--server", address, "--state", state, "--kubeconfig", kubeconfig)
	cmd.Env = append(os.Environ(), "SEATRIAL_AGENT_TOKEN="+token)
	cmd.Stderr = errs
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	return cmd, b.until(ctx, "the agent is connected", func() bool { return b.hub.Connection(cluster).Connected })
}

func (b *bench) until(ctx context.Context, what string, so func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
	return nil
}

func name(i int) string { return fmt.Sprintf("web-%04d", i) }

// want is one of the services, in the shape of the other benches of the deployer; a
// ConfigMap stands for the Deployment, so that no controller's changes are measured.
func (b *bench) want(service int) live.Want {
	n := name(service)
	object := func(apiVersion, kind string, rest map[string]any) *unstructured.Unstructured {
		rest["apiVersion"], rest["kind"] = apiVersion, kind
		rest["metadata"] = map[string]any{"name": n, "labels": map[string]any{"app": n}}
		return &unstructured.Unstructured{Object: rest}
	}
	port := map[string]any{"name": "http", "port": int64(80), "targetPort": "http"}
	backend := map[string]any{"service": map[string]any{"name": n, "port": map[string]any{"name": "http"}}}
	rule := map[string]any{"host": n + ".example.dev", "http": map[string]any{"paths": []any{map[string]any{"path": "/", "pathType": "Prefix", "backend": backend}}}}
	return live.Want{Service: release.Service("bench/" + n), Revision: "r1", Namespace: namespace, Prune: release.Prune{MaxDelete: perService},
		Rules: release.SyncRules{Namespaces: release.NamespacesCreate}, Objects: []*unstructured.Unstructured{
			object("v1", "ConfigMap", map[string]any{"data": map[string]any{"settings.yaml": "listen: 127.0.0.1:8080\nlevel: info\nupstream: http://web.shop.svc\nretries: 3\ntimeout: 5s\n"}}),
			object("v1", "ServiceAccount", map[string]any{}),
			object("v1", "Service", map[string]any{"spec": map[string]any{"clusterIP": "None", "selector": map[string]any{"app": n}, "ports": []any{port}}}),
			object("networking.k8s.io/v1", "Ingress", map[string]any{"spec": map[string]any{"rules": []any{rule}}}),
		}}
}

func (b *bench) services() int { return b.Objects / perService }

// fill brings the objects to the cluster, through the agent.
func (b *bench) fill(ctx context.Context) error {
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for s := range b.services() {
		g.Go(func() error {
			return b.until(ctx, "a service is synced", func() bool {
				res, err := b.hub.Sync(ctx, cluster, b.want(s))
				if err != nil || res.State == live.Refused {
					b.Say("service %d: %s %v", s, res.Message, err)
				}
				return err == nil && res.State == live.Synced
			})
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	b.Say("%d objects are there after %s", b.Objects, time.Since(began).Round(time.Second))
	return b.until(ctx, "the server has seen all", func() bool { return b.hub.Connection(cluster).Objects >= b.Objects })
}

// heard notes when the server has seen an object at a version.
func (b *bench) heard(_ string, o wire.Object) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.when[o.Name+"@"+o.Version] = now
}

// change changes single objects and measures how long each took to be seen.
func (b *bench) change(ctx context.Context) ([]time.Duration, error) {
	tick := time.NewTicker(b.Every)
	defer tick.Stop()
	began := map[string]time.Time{}
	client := b.kube.Typed().CoreV1().ConfigMaps(namespace)
	for i := range b.Changes {
		<-tick.C
		patch := fmt.Appendf(nil, `{"metadata":{"labels":{"bench/change":"%d"}}}`, i)
		at := time.Now()
		o, err := client.Patch(ctx, name(i*7919%b.services()), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "bench"})
		if err != nil {
			return nil, fmt.Errorf("change an object: %w", err)
		}
		began[o.Name+"@"+o.ResourceVersion] = at
	}
	var took []time.Duration
	err := b.until(ctx, "every change is seen", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		for key, at := range began {
			if seen, ok := b.when[key]; ok {
				took = append(took, seen.Sub(at))
				delete(began, key)
			}
		}
		return len(began) == 0
	})
	return took, err
}

// clean withdraws what was brought.
func (b *bench) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := b.kube.Typed().CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
		b.Say("delete namespace %s: %v", namespace, err)
	}
}

func peakOf(pid int) (mib float64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("the agent's memory: %w", err)
	}
	var kib float64
	for line := range strings.Lines(string(data)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, errors.New("the kernel says nothing of the agent's memory")
}
