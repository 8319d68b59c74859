package kube_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/internal/kube"
)

// listing is a cluster that has no namespaces, and does something else when it is asked
// whether it is ready.
func listing(t *testing.T, ready func(*http.Request)) (*httptest.Server, *kube.Cluster) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			ready(r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"apiVersion":"v1","kind":"NamespaceList","items":[]}`))
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	config := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: " + server.URL + "}}]\nusers: [{name: u, user: {token: t}}]\n" +
		"contexts: [{name: c, context: {cluster: c, user: u}}]\ncurrent-context: c\n"
	if err := os.WriteFile(filepath.Join(dir, "prod.kubeconfig"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := kube.Open(dir).Get("prod")
	if err != nil {
		t.Fatal(err)
	}
	return server, c
}

func TestAClusterThatAnswersOtherCallsMeanwhileIsThere(t *testing.T) {
	for _, busy := range []bool{true, false} {
		asked := make(chan struct{}, 1)
		_, c := listing(t, func(r *http.Request) {
			asked <- struct{}{}
			<-r.Context().Done()
		})
		if busy {
			go func() {
				<-asked
				_, _ = c.Typed().CoreV1().Namespaces().List(context.Background(), metav1.ListOptions{})
			}()
		}
		if err := c.Ready(t.Context()); (err == nil) != busy {
			t.Errorf("it answers other calls: %v; ready: %v", busy, err)
		}
	}
}

func TestAClusterThatAnswersCallsIsNotAskedWhetherItIsThere(t *testing.T) {
	var asked atomic.Int32
	server, c := listing(t, func(*http.Request) { asked.Add(1) })
	list := func() error {
		_, err := c.Typed().CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{})
		return err
	}
	if err := list(); err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(t.Context()); err != nil || asked.Load() != 0 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
	server.Close()
	if list() == nil {
		t.Fatal("a closed server answered")
	}
	if err := c.Ready(t.Context()); err == nil {
		t.Error("a cluster that has just failed to answer is called ready")
	}
}
