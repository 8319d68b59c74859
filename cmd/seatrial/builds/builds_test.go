package builds_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/cmd/seatrial/builds"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// repo makes a repository with one commit.
func repo(t testing.TB) (url string, head release.Commit) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"web/main.go": "package main\n", ".seatrial.yaml": `apiVersion: seatrial.dev/v1
kind: Pipeline
metadata: {name: web, team: shop}
spec:
  build: {context: web}
  deploy: {manifests: deploy/, environments: [dev]}
`} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=mei", "-c", "user.email=mei@example.com"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("init", "-q", "-b", "main")
	run("add", "-A")
	run("commit", "-q", "-m", "begin")
	return "file://" + dir + "/.git", release.Commit(run("rev-parse", "HEAD"))
}

func TestSources(t *testing.T) {
	url, head := repo(t)
	repos, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	rego := map[string]string{"no-latest.rego": "package a"}
	s := builds.Sources{Repos: repos, URL: func(string) string { return url }, Builder: "https://seatrial.example/builder",
		Rego: func() map[string]string { return rego }}
	r := release.Release{Service: "shop/web", Ref: "refs/heads/main", Commit: head}
	if p, err := s.Pipeline(t.Context(), r); err != nil || p.Spec.Build.Context != "web" {
		t.Errorf("pipeline %+v, %v", p, err)
	}
	if tree, err := s.Tree(t.Context(), r, "web"); err != nil || len(tree) != 40 {
		t.Errorf("tree %q, %v", tree, err)
	}
	if tree, err := s.Tree(t.Context(), r, "none"); err != nil || tree != "" {
		t.Errorf("a folder that is not there has no tree: %q, %v", tree, err)
	}
	tree, committed, done, err := s.Checkout(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	if raw, err := fs.ReadFile(tree, "web/main.go"); err != nil || string(raw) != "package main\n" || committed.IsZero() {
		t.Errorf("checked out %q of %s, %v", raw, committed, err)
	}
	before := s.Policies()
	rego = map[string]string{"no-latest.rego": "package b"}
	if after := s.Policies(); after == before {
		t.Error("another policy gives another digest")
	}
}

func TestASecretIsForTheProjectsThatListIt(t *testing.T) {
	project := func(secrets ...string) release.Project {
		return release.Project{Spec: release.ProjectSpec{Secrets: secrets}}
	}
	s := builds.Sources{
		Projects: func() map[string]release.Project {
			return map[string]release.Project{"shop": project("npm-token", "unset"), "pay": project("bank-key")}
		},
		Value: func(name string) secret.Text {
			return map[string]secret.Text{"npm-token": "correct-horse", "bank-key": "battery-staple"}[name]
		},
	}
	for _, c := range []struct {
		project, name string
		value         secret.Text
		allowed       bool
	}{
		{"shop", "npm-token", "correct-horse", true},
		{"shop", "unset", "", true},
		{"shop", "bank-key", "", false},
		{"shop", "NPM_TOKEN", "", false},
	} {
		value, allowed, err := s.SecretOf(release.Release{Project: c.project}, c.name)
		if value != c.value || allowed != c.allowed || err != nil {
			t.Errorf("%s of %s: %q, %v, %v", c.name, c.project, value.Reveal(), allowed, err)
		}
	}
	if _, _, err := s.SecretOf(release.Release{Project: "gone"}, "npm-token"); err == nil || hint.Of(err) == "" {
		t.Errorf("a project that is gone: %v", err)
	}
	if mask := logs.NewMasker(s.Secrets()...); mask.Mask("correct-horse battery-staple") != "*** ***" {
		t.Error("every project's secrets are masked everywhere")
	}
}

func TestAnUnsignedArtifactIsNotProved(t *testing.T) {
	server := ocitest.New(t, true)
	a := server.Push(t, "shop/web", "v1", "linux/amd64")
	key, err := signing.LoadOrCreateKey(filepath.Join(t.TempDir(), "signing.key"), secret.Text("a long passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := signing.NewVerifier(server.Registry(t), key.Public())
	if err != nil {
		t.Fatal(err)
	}
	s := builds.Sources{Builder: "https://seatrial.example/builder", Verifier: func() *signing.Verifier { return verifier }}
	wrong, err := s.Verify(t.Context(), release.Release{Service: "shop/web", Artifact: &a})
	if err != nil || len(wrong) != 6 || !strings.Contains(wrong[0], "nothing is attached") {
		t.Errorf("%d: %q, %v", len(wrong), wrong, err)
	}
}
