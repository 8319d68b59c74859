package trial

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/mesh"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

const (
	tracked  = 500 // faults at once
	looks    = 5   // rounds, each a look at all of them
	atOnce   = 8
	becoming = 90 * time.Second // until the watches have brought everything
	water    = "bench-track"    // the namespace: it has no pods, so nothing is ever hit
)

// gate is between the program and a cluster's API server, and counts.
type gate struct {
	to                      http.Handler
	asked, single, watching atomic.Int64 // requests in all, those for one object, watches that run
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked.Add(1)
	switch parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/"); {
	case r.URL.Query().Get("watch") != "":
		g.watching.Add(1)
		defer g.watching.Add(-1)
	case r.Method == http.MethodGet && len(parts) == 7: // apis/GROUP/VERSION/namespaces/NAMESPACE/KIND/NAME
		g.single.Add(1)
	}
	g.to.ServeHTTP(w, r)
}

// through is a cluster that is reached through a gate.
func through(dir string, g *gate) (*kube.Cluster, func(), error) {
	server := httptest.NewServer(g)
	end := func() { server.CloseClientConnections(); server.Close() }
	if err := os.MkdirAll(dir, 0o755); err != nil {
		end()
		return nil, nil, err
	}
	file := filepath.Join(dir, "gate.kubeconfig")
	text := fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}], clusters: [{name: c, cluster: {server: %q}}], users: [{name: u, user: {}}]}\n", server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		end()
		return nil, nil, err
	}
	k, err := kube.Admin(file, "c")
	if err != nil {
		end()
	}
	return k, end, err
}

// tracks measures on a real cluster what it takes to know how many faults are.
func tracks(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, 8*time.Minute)
	defer cancel()
	file, err := kubeconfig(c)
	if err != nil {
		return figure.Report{}, err
	}
	to, err := proxy(file, c.Cluster)
	if err != nil {
		return figure.Report{}, err
	}
	return track(ctx, c.Dir, &gate{to: to}, tracked, say)
}

// proxy hands requests on to a cluster, with its credentials.
func proxy(kubeconfig, name string) (http.Handler, error) {
	real, err := kube.Admin(kubeconfig, name)
	if err != nil {
		return nil, err
	}
	host, err := url.Parse(real.Host())
	if err != nil {
		return nil, err
	}
	to := httputil.NewSingleHostReverseProxy(host)
	to.FlushInterval = -1 // a watch's events at once
	to.Transport, err = rest.TransportFor(real.WatchConfig())
	return to, err
}

// fleet is so many faults on one cluster.
type fleet struct {
	gate   *gate
	k      *kube.Cluster
	faults []release.FaultRecord
}

// track makes n faults that harm nothing, looks at them one by one and by watches, and takes
// them away again.
func track(ctx context.Context, dir string, g *gate, n int, say io.Writer) (r figure.Report, err error) {
	k, end, err := through(dir, g)
	if err != nil {
		return r, err
	}
	defer end()
	f := &fleet{gate: g, k: k}
	if err := f.make(ctx, n); err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running errgroup.Group
	m := f.mesh()
	m.Watches = mesh.Watches()
	running.Go(func() error { return m.Watches.Run(ctx) })
	defer func() {
		cancel()
		_ = running.Wait() // canceled: it says nothing else
	}()
	defer func() {
		if gone := f.remove(context.WithoutCancel(ctx), m); err == nil {
			err = gone
		}
	}()
	return f.measure(ctx, m, say)
}

func (f *fleet) mesh() *mesh.Mesh {
	return &mesh.Mesh{Clusters: func(string) (*kube.Cluster, error) { return f.k, nil }}
}

// make creates paused faults of two kinds whose pods do not exist.
func (f *fleet) make(ctx context.Context, n int) error {
	place := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": water}}}
	client, err := f.k.Objects(place)
	if err != nil {
		return err
	}
	if _, err := client.Create(ctx, place, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i := range n {
		one := release.FaultRecord{Experiment: "track", Kind: "PodChaos", Action: "pod-failure", Name: fmt.Sprintf("seatrial-track-%d", i),
			Namespace: water, Cluster: "c", Targets: []string{water + "/nobody"}}
		if i%2 == 1 {
			one.Kind, one.Action, one.With = "StressChaos", "cpu", map[string]any{"workers": 1, "load": 1}
		}
		f.faults = append(f.faults, one)
		all.Go(func() error {
			obj, err := mesh.Object(chaos.Order{Fault: one, Duration: 10 * time.Minute}, "")
			if err != nil {
				return err
			}
			notes := obj.GetAnnotations()
			notes["experiment.chaos-mesh.org/pause"] = "true"
			obj.SetAnnotations(notes)
			client, err := f.k.Objects(obj)
			if err != nil {
				return err
			}
			if _, err = client.Create(ctx, obj, metav1.CreateOptions{}); apierrors.IsAlreadyExists(err) {
				return nil
			}
			return err
		})
	}
	return all.Wait()
}

// round looks at every fault and says what that took.
func (f *fleet) round(ctx context.Context, m *mesh.Mesh) (asked, single int64, took time.Duration, states map[chaos.SightState]int, err error) {
	asked, single = f.gate.asked.Load(), f.gate.single.Load()
	began, seen := time.Now(), make([]chaos.SightState, len(f.faults))
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i, one := range f.faults {
		all.Go(func() error {
			sight, err := m.Look(ctx, one)
			seen[i] = sight.State
			return err
		})
	}
	err = all.Wait()
	took, states = time.Since(began), map[chaos.SightState]int{}
	for _, s := range seen {
		states[s]++
	}
	return f.gate.asked.Load() - asked, f.gate.single.Load() - single, took, states, err
}

// heap is what is in use after everything else was collected, in MiB.
func heap() float64 {
	runtime.GC()
	runtime.GC() // what finalizers have freed
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

func (f *fleet) measure(ctx context.Context, m *mesh.Mesh, say io.Writer) (figure.Report, error) {
	plain, n := f.mesh(), len(f.faults)
	before, empty := []float64{}, heap()
	var slow, quick, after []float64
	for range looks {
		asked, _, took, states, err := f.round(ctx, plain)
		if err != nil {
			return figure.Report{}, err
		}
		before, slow = append(before, float64(asked)), append(slow, float64(took.Milliseconds()))
		fmt.Fprintf(say, "one by one: %d requests, %s, %v\n", asked, took.Round(time.Millisecond), states)
	}
	for deadline := time.Now().Add(becoming); ; {
		_, single, _, _, err := f.round(ctx, m)
		if err != nil {
			return figure.Report{}, err
		}
		if single == 0 {
			break
		}
		if time.Now().After(deadline) {
			return figure.Report{}, fmt.Errorf("after %s the watches have not brought everything: %d faults are still asked for", becoming, single)
		}
		time.Sleep(200 * time.Millisecond)
	}
	for range looks {
		asked, single, took, states, err := f.round(ctx, m)
		if err != nil {
			return figure.Report{}, err
		}
		after, quick = append(after, float64(asked)), append(quick, float64(took.Microseconds())/1000)
		fmt.Fprintf(say, "by watches: %d requests, %d of them for single faults, %s, %v\n", asked, single, took.Round(time.Microsecond), states)
		time.Sleep(time.Second) // so that the cluster is asked again whether it answers
	}
	full := heap()
	var process runtime.MemStats
	runtime.ReadMemStats(&process)
	name := fmt.Sprintf("%d faults tracked at once, ", n)
	return figure.Report{
		Notes: []string{fmt.Sprintf("%d faults of two kinds on one cluster, paused and without a pod to hit; medians of %d rounds of a look at each, %d at a time; requests are counted between the program and the API server", n, looks, atOnce)},
		Figures: []figure.Figure{
			figure.Of(name+"requests of a round", figure.Median(after), "").To("each asked for", figure.Median(before)).AtMost(1),
			figure.Of(name+"a round", figure.Median(quick), "ms").To("each asked for", figure.Median(slow)),
			figure.Of(name+"watches, one for each of two kinds", float64(f.gate.watching.Load()), "").AtMost(2),
			figure.Of(name+"heap in use beside that of none", max(0, full-empty), "MiB").AtMost(100),
			figure.Of(name+"memory that the whole program has from the system", float64(process.Sys)/(1<<20), "MiB"),
		},
	}, nil
}

// remove takes all faults away, and then their namespace.
func (f *fleet) remove(ctx context.Context, m *mesh.Mesh) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	var all errgroup.Group
	all.SetLimit(atOnce)
	for _, one := range f.faults {
		all.Go(func() error {
			for {
				if err := m.Revert(ctx, one, chaos.Delete); err != nil {
					return err
				}
				sight, err := m.Look(ctx, one)
				if err != nil || sight.State == chaos.Gone {
					return err
				}
				time.Sleep(200 * time.Millisecond)
			}
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	place := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	client, err := f.k.Objects(place)
	if err != nil {
		return err
	}
	return client.Delete(ctx, water, metav1.DeleteOptions{})
}
