package kube_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/internal/kube"
)

func TestAClusterThatAnswersCallsIsNotAskedWhetherItIsThere(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			asked.Add(1)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"apiVersion":"v1","kind":"NamespaceList","items":[]}`))
	}))
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
