package autoscalers_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/cmd/seatrial/autoscalers"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/store/bolt"
)

func hot() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
		"metadata": map[string]any{"name": "web", "namespace": "shop-prod", "labels": map[string]any{"app.kubernetes.io/managed-by": "seatrial"}, "annotations": map[string]any{"seatrial.dev/service": "shop.web"}},
		"spec":     map[string]any{"maxReplicas": int64(4)},
		"status": map[string]any{"currentReplicas": int64(4), "desiredReplicas": int64(4),
			"currentMetrics": []any{map[string]any{"type": "Resource", "resource": map[string]any{"name": "cpu", "current": map[string]any{"averageUtilization": int64(97)}}}}}}}
}

// A server that is killed every two minutes tells once of each cluster; one with an agent is
// not reached for.
func TestWhatIsSeenIsToldOnceOverRestarts(t *testing.T) {
	server := kubetest.New(t, kubetest.Kind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler", Resource: "horizontalpodautoscalers"})
	server.Put(hot())
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "db")
	server.Credentials(t, dir, "near")
	there := t.TempDir()
	server.Credentials(t, there, "far")
	places := func(context.Context) ([]slo.Place, error) {
		return []slo.Place{{Service: "shop/web", Env: "prod", Cluster: "near", Project: "pay"}, {Service: "shop/web", Env: "prod", Cluster: "far", Project: "pay"}}, nil
	}
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	var events []release.Event
	for range 6 {
		db, err := bolt.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		w := autoscalers.Watch(places, func(cluster string) bool { return cluster == "far" }, autoscale.From(kube.Open(there)), kube.Open(dir), db, slog.New(slog.DiscardHandler))
		w.Now = func() time.Time { return now }
		for range 8 {
			if err := w.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			now = now.Add(15 * time.Second)
		}
		if events, err = (shelf.Outbox{KV: db}).Events(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	about := map[string]bool{}
	for _, e := range events {
		if about[e.About] = true; e.Kind != release.EventHot || e.Project != "pay" || e.Env != "prod" || e.Result != "AtMaximum" {
			t.Errorf("%+v", e)
		}
	}
	if len(events) != 2 || !about["web@near"] || !about["web@far"] {
		t.Errorf("%+v", events)
	}
}
