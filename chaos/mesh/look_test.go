package mesh_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/mesh"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
	"github.com/seatrial/seatrial/release"
)

// counted is a server with PodChaos that counts how often single faults are asked for.
type counted struct {
	*kubetest.Server
	gets atomic.Int64
}

func (c *counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/podchaos/") {
		c.gets.Add(1)
	}
	c.Server.ServeHTTP(w, r)
}

// watching is a Mesh whose watches run.
func watching(t *testing.T) (*mesh.Mesh, *counted) {
	t.Helper()
	server := &counted{Server: kubetest.New(t, kubetest.Kind{Group: "chaos-mesh.org", Version: "v1alpha1", Kind: "PodChaos", Resource: "podchaos"})}
	front := httptest.NewServer(server)
	t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	return begun(t, at(t, front.URL)), server
}

func begun(t *testing.T, m *mesh.Mesh) *mesh.Mesh {
	m.Watches = mesh.Watches()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- m.Watches.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return m
}

// looks until a fault is seen in a state without being asked for.
func looks(t *testing.T, m *mesh.Mesh, server *counted, f release.FaultRecord, want chaos.SightState) chaos.Sight {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		before := server.gets.Load()
		sight, err := m.Look(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if sight.State == want && server.gets.Load() == before {
			return sight
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is never seen %v without being asked for: %+v", f.Name, want, sight)
		}
	}
}

func TestLookAsksForNoFaultThatItsWatchBrings(t *testing.T) {
	m, server := watching(t)
	f := order().Fault
	if err := m.Inject(t.Context(), order()); err != nil {
		t.Fatal(err)
	}
	if sight, err := m.Look(t.Context(), f); err != nil || sight.State != chaos.Starting || sight.Seen {
		t.Fatalf("just injected: %+v, %v", sight, err)
	}
	looks(t, m, server, f, chaos.Starting)
	injected := server.Get("PodChaos", f.Namespace, f.Name)
	var like unstructured.Unstructured
	load(t, "pod-kill-injected", &like.Object)
	injected.Object["status"] = like.Object["status"]
	injected.SetFinalizers([]string{"chaos-mesh/records"})
	server.Put(injected)
	sight := looks(t, m, server, f, chaos.Injected)
	direct, err := (&mesh.Mesh{Clusters: m.Clusters}).Look(t.Context(), f)
	if a, b := fmt.Sprint(sight), fmt.Sprint(direct); err != nil || a != b {
		t.Errorf("the watch says %s, the cluster %s, %v", a, b, err)
	}

	again := begun(t, &mesh.Mesh{Clusters: m.Clusters}) // a server that was started again
	if sight, err := again.Look(t.Context(), f); err != nil || sight.State != chaos.Injected {
		t.Errorf("after a restart: %+v, %v", sight, err)
	}
	looks(t, again, server, f, chaos.Injected)

	if err := m.Revert(t.Context(), f, chaos.Delete); err != nil {
		t.Fatal(err)
	}
	if sight, err := m.Look(t.Context(), f); err != nil || sight.State != chaos.Recovering {
		t.Errorf("just reverted: %+v, %v", sight, err)
	}
	looks(t, m, server, f, chaos.Recovering)
	leaving := server.Get("PodChaos", f.Namespace, f.Name)
	leaving.SetFinalizers(nil)
	server.Put(leaving)
	if err := m.Revert(t.Context(), f, chaos.Delete); err != nil {
		t.Fatal(err)
	}
	before := server.gets.Load()
	for { // the watch may be a moment behind, and is then asked again
		sight, err := m.Look(t.Context(), f)
		if err != nil || sight.State != chaos.Recovering && sight.State != chaos.Gone {
			t.Fatalf("%+v, %v", sight, err)
		}
		if sight.State == chaos.Gone {
			break
		}
	}
	if server.gets.Load() == before {
		t.Error("it is said to be gone, and the cluster was not asked")
	}
}

func TestFaultsAreAllFound(t *testing.T) {
	const many, page = 1203, 500
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var from int
		_, _ = fmt.Sscan(r.URL.Query().Get("continue"), &from) // the first page has none
		items, next := []any{}, ""
		if strings.HasSuffix(r.URL.Path, "/podchaos") {
			for i := from; i < min(many, from+page); i++ {
				items = append(items, map[string]any{"apiVersion": "chaos-mesh.org/v1alpha1", "kind": "PodChaos", "metadata": map[string]any{"name": fmt.Sprint("f", i), "namespace": "shop"}})
			}
			if from+page < many {
				next = fmt.Sprint(from + page)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "PodChaosList", "apiVersion": "chaos-mesh.org/v1alpha1", "metadata": map[string]any{"continue": next}, "items": items})
	}))
	t.Cleanup(server.Close)
	found, err := at(t, server.URL).Faults(t.Context(), "staging")
	names := map[string]bool{}
	for _, f := range found {
		names[f.Fault.Name] = true
	}
	if err != nil || len(names) != many {
		t.Errorf("%d of %d, %v", len(names), many, err)
	}
}

func TestAKindThatMayNotBeListedHidesNoOther(t *testing.T) {
	server := kubetest.New(t, kubetest.Kind{Group: "chaos-mesh.org", Version: "v1alpha1", Kind: "PodChaos", Resource: "podchaos"})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/networkchaos") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "no"}`)
			return
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { front.CloseClientConnections(); front.Close() })
	m := at(t, front.URL)
	if err := m.Inject(t.Context(), order()); err != nil {
		t.Fatal(err)
	}
	found, err := m.Faults(t.Context(), "staging")
	if len(found) != 1 || found[0].Fault.Name != order().Fault.Name {
		t.Errorf("found %+v", found)
	}
	if err == nil || !strings.Contains(err.Error(), "NetworkChaos") {
		t.Errorf("nobody hears of the other: %v", err)
	}
}

func TestFaultsOfAnotherInstallationAreNotFound(t *testing.T) {
	server := kubetest.New(t, kubetest.Kind{Group: "chaos-mesh.org", Version: "v1alpha1", Kind: "PodChaos", Resource: "podchaos"})
	for injected, finds := range map[string]map[string]int{"one": {"one": 1, "two": 0}, "": {"one": 1, "two": 1}} { // "": a version that did not say whose
		m := at(t, server.URL)
		m.Installation = injected
		if err := m.Inject(t.Context(), order()); err != nil {
			t.Fatal(err)
		}
		for who, want := range finds {
			m.Installation = who
			if found, err := m.Faults(t.Context(), "staging"); err != nil || len(found) != want {
				t.Errorf("injected by %q: %q finds %+v, %v", injected, who, found, err)
			}
		}
		if err := m.Revert(t.Context(), order().Fault, chaos.Delete); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWantedCountsTheWorkloadsWhosePodsMatch(t *testing.T) {
	server := kubetest.New(t, kubetest.Kind{Group: "apps", Version: "v1", Kind: "StatefulSet", Resource: "statefulsets"})
	put := func(kind, name, app string, replicas int64) {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": kind, "spec": map[string]any{
			"replicas": replicas, "selector": map[string]any{}, "template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": app, "x": "y"}}}}}}
		o.SetNamespace("shop")
		o.SetName(name)
		server.Put(o)
	}
	put("ReplicaSet", "web-old", "web", 0)
	put("ReplicaSet", "web-new", "web", 2)
	put("ReplicaSet", "api", "api", 7)
	put("StatefulSet", "web-state", "web", 1)
	m := at(t, server.URL)
	if n, err := m.Wanted(t.Context(), "staging", "shop", map[string]string{"app": "web"}); err != nil || n != 3 {
		t.Errorf("%d wanted, %v", n, err)
	}
	if n, err := m.Wanted(t.Context(), "staging", "shop", map[string]string{"app": "nobody"}); err != nil || n != 0 {
		t.Errorf("%d wanted of what is not there, %v", n, err)
	}
}
