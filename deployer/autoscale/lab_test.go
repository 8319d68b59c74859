//go:build lab

package autoscale_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

const labManifests = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: main, image: IMAGE, resources: {requests: {cpu: 10m}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, annotations: {seatrial.dev/cpu-notice: "80%/1m"}}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}
`

// measure serves the metrics API, which the lab has nobody for: each pod uses so many
// thousandths of a core.
func measure(t *testing.T, k *kube.Cluster, milli *atomic.Int64) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		const gv = "metrics.k8s.io/v1beta1"
		namespace, found := strings.CutPrefix(req.URL.Path, "/apis/"+gv+"/namespaces/")
		if !found && req.URL.Path != "/apis/"+gv {
			http.NotFound(w, req)
			return
		}
		if !found {
			_ = json.NewEncoder(w).Encode(map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": gv,
				"resources": []any{map[string]any{"name": "pods", "singularName": "", "namespaced": true, "kind": "PodMetrics", "verbs": []any{"get", "list"}}}})
			return
		}
		pods, err := k.Typed().CoreV1().Pods(strings.TrimSuffix(namespace, "/pods")).List(req.Context(), metav1.ListOptions{LabelSelector: req.URL.Query().Get("labelSelector")})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		items := []any{}
		for _, p := range pods.Items {
			items = append(items, map[string]any{"metadata": map[string]any{"name": p.Name, "namespace": p.Namespace, "labels": p.Labels}, "timestamp": time.Now().UTC().Format(time.RFC3339), "window": "1s",
				"containers": []any{map[string]any{"name": "main", "usage": map[string]any{"cpu": fmt.Sprintf("%dm", milli.Load()), "memory": "1Mi"}}}})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "PodMetricsList", "apiVersion": gv, "metadata": map[string]any{}, "items": items})
	}))
	_ = server.Listener.Close()
	l, err := net.Listen("tcp", "198.18.0.1:0") // where the lab's clusters reach the host
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = l
	server.StartTLS()
	t.Cleanup(server.Close)
	object := func(text string) {
		o := &unstructured.Unstructured{}
		if err := json.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatal(err)
		}
		client, err := k.Objects(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "autoscale-test", Force: true}); err != nil { // a test that was killed left its own
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = client.Delete(context.WithoutCancel(t.Context()), o.GetName(), metav1.DeleteOptions{}) // a lab that is gone has nothing to delete
		})
	}
	object(`{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "measure", "namespace": "kube-system"}, "spec": {"type": "ExternalName", "externalName": "198.18.0.1"}}`)
	object(fmt.Sprintf(`{"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": {"group": "metrics.k8s.io", "version": "v1beta1",
		"insecureSkipTLSVerify": true, "groupPriorityMinimum": 100, "versionPriority": 100, "service": {"namespace": "kube-system", "name": "measure", "port": %d}}}`, l.Addr().(*net.TCPAddr).Port))
}

// TestLabARealAutoscaler: the controller of a real cluster reads metrics, scales to its
// maximum and stops there. What is told is what it did.
func TestLabARealAutoscaler(t *testing.T) {
	lab := labtest.Open(t)
	name := lab.Names()[0]
	clusters := lab.Kube(t, name)
	k, err := clusters.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	var milli atomic.Int64
	milli.Store(13)
	measure(t, k, &milli)
	ns := fmt.Sprintf("scale-%d", time.Now().UnixNano()%1e9)
	space := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": ns}}}
	spaces, err := k.Objects(space)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := spaces.Create(t.Context(), space, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = spaces.Delete(context.WithoutCancel(t.Context()), ns, metav1.DeleteOptions{}) // a lab that is gone has nothing to delete
	})
	rendered, err := render.Parse("m.yaml", []byte(strings.ReplaceAll(labManifests, "IMAGE", lab.Image(t, "lab/pause", "1"))), render.Options{Service: "shop/web", Namespace: ns})
	if err != nil {
		t.Fatal(err)
	}
	hands := live.New(clusters, live.Config{})
	t.Cleanup(hands.Close)
	res, err := hands.Sync(t.Context(), name, live.Want{Service: "shop/web", Revision: release.Commit(strings.Repeat("a", 40)), Namespace: ns, Objects: rendered.Objects})
	if err != nil || res.State == live.Refused {
		t.Fatalf("%+v %v", res, err)
	}

	w := newTown(t)
	w.places = []autoscale.Place{{Service: "shop/web", Env: "staging", Cluster: name, Project: "pay"}}
	w.watch.List, w.watch.Now, w.watch.Log = autoscale.From(clusters), time.Now, slog.New(slog.NewTextHandler(t.Output(), nil))
	await := func(kind release.EventKind, n int) release.Event {
		for began := time.Now(); time.Since(began) < 4*time.Minute; <-time.After(3 * time.Second) {
			if err := w.watch.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(w.events) == n {
				e := w.events[n-1]
				t.Logf("%s (%s)\n%s\n%s", e.Subject, e.Kind, e.Reason, e.Hint)
				if e.Kind != kind {
					t.Fatalf("%+v", e)
				}
				return e
			}
		}
		list, err := autoscale.From(clusters)(t.Context(), name)
		t.Fatalf("no %s; %d episodes, autoscalers %+v %v", kind, len(w.kept), list, err)
		return release.Event{}
	}
	hot := await(release.EventHot, 1)
	for _, want := range []string{"replicas went from 1 to 3 at ", "it is at its maximum of 3", "its target is 50 %"} {
		if !strings.Contains(hot.Reason, want) {
			t.Errorf("no %q in %q", want, hot.Reason)
		}
	}
	if hot.Result != autoscale.AtMaximum || hot.Severity != "error" || !strings.Contains(hot.Subject, "over 80 % of what its pods request for 1m") || !strings.HasSuffix(hot.Subject, ": 130 % now") {
		t.Errorf("%+v", hot)
	}
	milli.Store(2)
	calm := await(release.EventCalm, 2)
	if !strings.Contains(calm.Reason, "130 % at most; replicas went from 1 to 3 at ") || !strings.Contains(calm.Reason, "replicas went from 3 to ") || calm.Result != "" {
		t.Errorf("%+v", calm)
	}
}
