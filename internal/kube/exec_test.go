package kube_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/kube"
)

// execServer is an API server that answers every exec alike, and remembers how it was asked.
func execServer(t *testing.T, code int, body string) (*kube.Cluster, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.String())
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	text := "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: '" + server.URL + "'}}]\nusers: [{name: u, user: {token: t}}]\n"
	if err := os.WriteFile(filepath.Join(dir, "staging.kubeconfig"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := kube.Open(dir).Get("staging")
	if err != nil {
		t.Fatal(err)
	}
	return c, func() []string { mu.Lock(); defer mu.Unlock(); return asked }
}

func TestExecTellsWhatNeverStarted(t *testing.T) {
	program := kube.Program{Namespace: "shop", Pod: "web-1", Container: "web", Args: []string{"rm", "-f", "/tmp/a b"}, Limit: 10 * time.Second}
	status := func(code, reason, message string) string {
		return `{"kind":"Status","apiVersion":"v1","status":"Failure","code":` + code + `,"reason":"` + reason + `","message":"` + message + `"}`
	}
	for _, c := range []struct {
		name  string
		code  int
		body  string
		final bool
		want  string
	}{
		{"it may not", 403, status("403", "Forbidden", `pods is forbidden: User robot cannot create resource pods/exec`), true, "cannot create resource pods/exec"},
		{"no such pod", 404, status("404", "NotFound", `pods web-1 not found`), true, "pods web-1 not found"},
		{"a node that does not answer", 500, status("500", "InternalError", "error dialing backend: connection refused"), false, "error dialing backend"},
		{"a proxy in between", 502, "bad gateway", false, "unable to upgrade connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, asked := execServer(t, c.code, c.body)
			_, err := kube.Exec(t.Context(), cluster, program)
			no, ok := errors.AsType[*kube.NotStarted](err)
			if !ok || no.Final != c.final || !strings.Contains(no.Why, c.want) {
				t.Errorf("%v", err)
			}
			const path = "/api/v1/namespaces/shop/pods/web-1/exec?command=rm&command=-f&command=%2Ftmp%2Fa+b&container=web&stderr=true&stdout=true"
			if got := asked(); len(got) != 2 || got[0] != "GET "+path || got[1] != "POST "+path {
				t.Errorf("asked %v", got)
			}
		})
	}
}
