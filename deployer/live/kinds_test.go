package live_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
)

func TestACacheHoldsOnlyKindsThatAreManaged(t *testing.T) {
	quiet()
	server := kubetest.New(t, kubetest.Kind{Group: "db.dev", Version: "v1", Kind: "Database", Resource: "databases"},
		kubetest.Kind{Group: "huge.dev", Version: "v1", Kind: "Event", Resource: "events"})
	var mu sync.Mutex // guards asked
	var asked []string
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	lists := func(path string) bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(asked, func(p string) bool { return strings.HasSuffix(p, path) })
	}
	server.URL = front.URL
	dir := t.TempDir()
	server.Credentials(t, dir, "prod")
	y := &yard{T: t, server: server, live: live.New(kube.Open(dir), live.Config{})}
	t.Cleanup(y.live.Close)
	y.synced("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
	if !lists("/configmaps") || lists("/databases") || lists("/events") {
		t.Errorf("listed: %v", asked)
	}
	y.synced("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n---\napiVersion: db.dev/v1\nkind: Database\nmetadata: {name: web}\n")
	if !lists("/db.dev/v1/databases") || lists("/events") {
		t.Errorf("once a Database is managed: %v", asked)
	}
}
