package world_test

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/world"
	"github.com/seatrial/seatrial/internal/git"
)

const environment = `apiVersion: seatrial.dev/v1
kind: Environment
metadata: {name: staging}
spec:
  desiredState: {repo: platform/desired-state, branch: env/staging}
  waves: [{name: all, clusters: {matchLabels: {env: staging}}}]
`

// push commits one file to a bare repo, as an operator would.
func push(t *testing.T, bare, text string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "platform.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"},
		{"-c", "user.name=op", "-c", "user.email=op@example.com", "commit", "-q", "-m", "platform"}, {"push", "-q", "-f", bare, "main"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
}

func open(t *testing.T, state, bare string) *world.World {
	t.Helper()
	repos, err := git.Open(git.Config{Dir: filepath.Join(state, "git"), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	return world.New(repos, "file://"+bare, "main", filepath.Join(state, "last"), slog.New(slog.DiscardHandler))
}

func bareRepo(t *testing.T) string {
	t.Helper()
	bare := filepath.Join(t.TempDir(), "platform.git")
	if out, err := exec.Command("git", "init", "-q", "--bare", bare).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bare
}

func TestAPlatformThatDoesNotPassItsChecksIsNotTakenOver(t *testing.T) {
	bare := bareRepo(t)
	push(t, bare, environment)
	w := open(t, t.TempDir(), bare)
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := w.Now().Commit
	push(t, bare, environment+"  wavs: []\n")
	if err := w.Load(t.Context()); err == nil {
		t.Error("an unknown key was accepted")
	}
	if w.Now().Commit != good || len(w.Now().Environments) != 1 {
		t.Errorf("the good platform at %s was given up for %+v", good, w.Now())
	}
}

func TestAServerThatStartsWithoutTheForgeGoesByTheLastGoodPlatform(t *testing.T) {
	bare, state := bareRepo(t), t.TempDir()
	push(t, bare, environment)
	if err := open(t, state, bare).Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(bare); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	w := open(t, state, bare)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	if err := w.Known(ctx); err != nil {
		t.Fatalf("nothing is known without the forge: %v", err)
	}
	if _, ok := w.Environment("staging"); !ok {
		t.Error("staging was forgotten")
	}
	cancel()
	<-ended
}

func TestSLOsAreThoseOfTheCommitGoneBy(t *testing.T) {
	const promise = `---
version: prometheus/v1
service: web
labels: {team: shop}
slos: [{name: answered, objective: 99, sli: {events: {error_query: 'increase(errors[{{.window}}])', total_query: 'increase(all[{{.window}}])'}}}]
`
	bare := bareRepo(t)
	w := open(t, t.TempDir(), bare)
	if len(w.SLOs()) != 0 {
		t.Errorf("before any commit: %v", w.SLOs())
	}
	for _, c := range []struct {
		text  string
		taken bool
		want  int
	}{
		{environment + promise, true, 1},
		{environment + strings.Replace(promise, "increase(all", "increase((all", 1), false, 1},                                                              // no PromQL
		{environment + promise + "---\napiVersion: openslo/v1\nkind: AlertNotificationTarget\nmetadata: {name: nobody}\nspec: {target: slack}\n", false, 1}, // no such channel
		{environment, true, 0},
	} {
		push(t, bare, c.text)
		if err := w.Load(t.Context()); (err == nil) != c.taken {
			t.Errorf("taken over: %v", err)
		}
		if got := w.SLOs(); len(got) != c.want || c.want > 0 && got[0].Service != "shop/web" {
			t.Errorf("%+v, want %d", got, c.want)
		}
	}
}
