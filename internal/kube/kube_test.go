package kube_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
)

func config(server, user string) string {
	return "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nclusters: [{name: c, cluster: {server: '" + server + "', insecure-skip-tls-verify: true}}]\nusers: [{name: u, user: " + user + "}]\n"
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name+".kubeconfig"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestGetRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "exec", config("https://x", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/evil}}"))
	write(t, dir, "plugin", config("https://x", "{auth-provider: {name: gcp}}"))
	write(t, dir, "broken", "users: [{user: {token: s3cret}")
	write(t, dir, "empty", "apiVersion: v1\nkind: Config\n")
	for _, c := range []struct{ name, want string }{
		{"exec", "runs a credential plug-in"}, {"plugin", "auth-provider gcp, which is refused"}, {"broken", "cannot be read"},
		{"empty", "no usable cluster"}, {"none", "no credentials"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := kube.Open(dir).Get(c.name)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") || hint.Of(err) == "" {
				t.Fatalf("got %v (hint %q)", err, hint.Of(err))
			}
		})
	}
	if _, err := kube.Open(dir).Get("../etc/passwd"); err == nil {
		t.Error("a path is taken for a name")
	}
}

func TestReady(t *testing.T) {
	up := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Header.Get("Authorization") != "Bearer t" {
			http.Error(w, "no", http.StatusInternalServerError)
		}
	}))
	defer up.Close()
	dir := t.TempDir()
	write(t, dir, "a", config(up.URL, "{token: t}"))
	all := kube.Open(dir)
	first, err := all.Get("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if same, _ := all.Get("a"); same != first {
		t.Error("an unchanged file makes a new cluster")
	}
	write(t, dir, "a", config("https://127.0.0.1:1", "{token: quite-another}"))
	second, err := all.Get("a")
	if err != nil || second == first || second.Version == first.Version {
		t.Fatalf("a changed file is not read again: %v", err)
	}
	err = second.Ready(t.Context())
	var gone *kube.Unreachable
	if !errors.As(err, &gone) || !strings.HasPrefix(err.Error(), "cluster a does not answer: connection refused (since ") || hint.Of(err) == "" {
		t.Fatalf("got %v", err)
	}
	write(t, dir, "b", config(up.URL, "{token: wrong}"))
	b, _ := all.Get("b")
	if err := b.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "it is not ready (500") {
		t.Fatalf("got %v", err)
	}
}

func TestTransient(t *testing.T) {
	gr := schema.GroupResource{Resource: "deployments"}
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"no error", nil, false},
		{"the network", errors.New("connection reset"), true},
		{"an overloaded server", apierrors.NewTooManyRequests("slow", 1), true},
		{"a webhook that does not answer", apierrors.NewInternalError(errors.New("failed calling webhook")), true},
		{"an unknown field, which the server calls an internal error", apierrors.NewInternalError(errors.New(".spec.x: field not declared in schema")), false},
		{"admission", apierrors.NewForbidden(gr, "web", errors.New("no")), false},
		{"an invalid object", apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "web", nil), false},
		{"a lost race", apierrors.NewConflict(gr, "web", errors.New("changed")), true},
		{"any other status", &apierrors.StatusError{ErrStatus: metav1.Status{Code: 404}}, false},
	} {
		if got := kube.Transient(c.err); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
