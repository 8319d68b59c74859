package kube_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
)

// tlsServer is an API server that answers to one token.
func tlsServer(t *testing.T, token *atomic.Value) (server *httptest.Server, ca string) {
	t.Helper()
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token.Load().(string) {
			http.Error(w, `{"kind":"Status","code":401,"reason":"Unauthorized","status":"Failure"}`, http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	return server, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// rotate writes a token as of another second than before: a file system may count no finer.
func rotate(t *testing.T, file, token string, at int) {
	t.Helper()
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(int64(1_700_000_000+at), 0)
	if err := os.Chtimes(file, when, when); err != nil {
		t.Fatal(err)
	}
}

func TestARotatedTokenIsReadAgainAndNothingElseChanges(t *testing.T) {
	var token atomic.Value
	token.Store("first")
	server, ca := tlsServer(t, &token)
	dir := t.TempDir()
	entry := func(string) kube.Entry { return kube.Entry{Server: server.URL, CA: ca, Credentials: "robot"} }
	for _, c := range []struct{ name, file string }{{"a token beside the entry", "robot.token"}, {"a tokenFile in a kubeconfig", "mounted"}} {
		t.Run(c.name, func(t *testing.T) {
			all := kube.Open(dir).Told(entry)
			if c.file == "mounted" {
				write(t, dir, "far", config(server.URL, "{tokenFile: mounted}"))
				all = kube.Open(dir)
			}
			file := filepath.Join(dir, c.file)
			token.Store("first")
			rotate(t, file, "first", 1)
			k, err := all.Get("far")
			if err != nil {
				t.Fatal(err)
			}
			ask := func(k *kube.Cluster) error {
				return k.Typed().Discovery().RESTClient().Get().AbsPath("/readyz").Do(t.Context()).Error()
			}
			if err := ask(k); err != nil {
				t.Fatal(err)
			}
			token.Store("second")
			if err := ask(k); err == nil {
				t.Fatal("the old token is good")
			}
			rotate(t, file, "second", 2)
			if err := ask(k); err != nil {
				t.Errorf("the new token is not read: %v", err)
			}
			if same, err := all.Get("far"); err != nil || same != k {
				t.Errorf("the cluster is another one now: %v", err)
			}
		})
	}
}

func TestATokenIsRefusedWithTheNextStep(t *testing.T) {
	dir := t.TempDir()
	all := kube.Open(dir).Told(func(string) kube.Entry { return kube.Entry{Server: "https://127.0.0.1:1"} })
	if _, err := all.Get("far"); err == nil || !strings.Contains(hint.Of(err), filepath.Join(dir, "far.token")) {
		t.Errorf("without a file: %v (%s)", err, hint.Of(err))
	}
	for _, bad := range []string{"", "two tokens", "a\nb"} {
		rotate(t, filepath.Join(dir, "far.token"), bad, 3)
		if _, err := all.Get("far"); err == nil || hint.Of(err) == "" || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAnotherEntryIsAnotherCluster(t *testing.T) {
	var token atomic.Value
	token.Store("t")
	server, ca := tlsServer(t, &token)
	dir := t.TempDir()
	rotate(t, filepath.Join(dir, "far.token"), "t", 1)
	e := kube.Entry{Server: server.URL}
	all := kube.Open(dir).Told(func(string) kube.Entry { return e })
	first, err := all.Get("far")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Ready(t.Context()); err == nil {
		t.Error("a server that no authority vouches for is trusted")
	}
	e.CA = ca
	second, err := all.Get("far")
	if err != nil || second == first {
		t.Fatalf("the entry is not read again: %v", err)
	}
	if err := second.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestACredentialPluginRunsOnlyWhereItIsAllowed(t *testing.T) {
	t.Setenv("SEATRIAL_TEST_SECRET", "hunter2")
	var token atomic.Value
	token.Store("made-by-plugin")
	server, _ := tlsServer(t, &token)
	dir := t.TempDir()
	plugin := filepath.Join(dir, "plugin")
	script := fmt.Sprintf(`#!/bin/sh
test -z "$SEATRIAL_TEST_SECRET" || exit 1
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'
`, token.Load())
	if err := os.WriteFile(plugin, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "far", config(server.URL, "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: IfAvailable, command: "+plugin+"}}"))
	allowed := []string{"other"}
	all := kube.Open(dir).Told(func(string) kube.Entry { return kube.Entry{Plugins: allowed} }, "SEATRIAL_TEST_SECRET")
	if _, err := all.Get("far"); err == nil || !strings.Contains(err.Error(), "refused: "+plugin) || !strings.Contains(hint.Of(err), "credentialPlugins") {
		t.Fatalf("not allowed: %v (%s)", err, hint.Of(err))
	}
	allowed = []string{plugin}
	k, err := all.Get("far")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	allowed = nil
	if _, err := all.Get("far"); err == nil {
		t.Error("what is not allowed any more goes on")
	}
	write(t, dir, "old", config(server.URL, "{auth-provider: {name: oidc}}"))
	allowed = []string{"oidc"}
	if _, err := all.Get("old"); err == nil || !strings.Contains(err.Error(), "auth-provider oidc") {
		t.Errorf("an auth-provider: %v", err)
	}
}

func TestNoCallLimitsItself(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", config("https://x", "{token: t}"))
	rotate(t, filepath.Join(dir, "b.token"), "t", 1)
	all := kube.Open(dir).Told(func(name string) kube.Entry {
		if name == "b" {
			return kube.Entry{Server: "https://y"}
		}
		return kube.Entry{}
	})
	for _, name := range []string{"a", "b"} {
		k, err := all.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		if c := k.Config(); c.QPS >= 0 || c.Timeout <= 0 {
			t.Errorf("%s: %v queries a second, timeout %s", name, c.QPS, c.Timeout)
		}
	}
}
