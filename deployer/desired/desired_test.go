package desired_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const manifests = "apiVersion: v1\ndata:\n  color: %\nkind: ConfigMap\nmetadata:\n  name: conf\n  namespace: shop\n"

func yamlOf(color string) []byte { return []byte(strings.Replace(manifests, "%", color, 1)) }

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=mei", "GIT_AUTHOR_EMAIL=mei@example.com", "GIT_COMMITTER_NAME=mei", "GIT_COMMITTER_EMAIL=mei@example.com", "GIT_CONFIG_GLOBAL=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func open(t *testing.T) (*desired.Store, string) {
	t.Helper()
	bare := filepath.Join(t.TempDir(), "desired.git")
	run(t, "", "init", "-q", "--bare", bare)
	repos, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	return desired.New(repos, func(string) string { return "file://" + bare }), bare
}

var at = release.DesiredState{Repo: "platform/desired", Branch: "env/prod"}

func record(svc release.Service, n string) desired.Record {
	c := release.Commit(strings.Repeat(n, 40))
	return desired.Record{Service: svc, Release: release.NewID(svc, c), Commit: c, Image: "reg/" + string(svc) + "@sha256:" + strings.Repeat(n, 64)}
}

// byHand is a person's push of one file.
func byHand(t *testing.T, bare, file, content string) release.Commit {
	t.Helper()
	work := filepath.Join(t.TempDir(), "w")
	run(t, "", "clone", "-q", "-b", at.Branch, bare, work)
	if err := os.MkdirAll(filepath.Dir(filepath.Join(work, file)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(work, file), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, work, "add", "-A")
	run(t, work, "commit", "-q", "-m", "by hand")
	run(t, work, "push", "-q", "origin", "HEAD")
	return release.Commit(run(t, work, "rev-parse", "HEAD"))
}

func TestStore(t *testing.T) {
	s, bare := open(t)
	ctx := t.Context()
	if _, err := s.Head(ctx, at); !errors.Is(err, git.ErrNoRef) {
		t.Fatalf("head of a branch that is not there: %v", err)
	}
	good, err := s.Write(ctx, at, record("shop/web", "1"), render.Rendered{YAML: yamlOf("blue")}, "r1/deploy")
	if err != nil {
		t.Fatal(err)
	}
	bad, err := s.Write(ctx, at, record("shop/web", "2"), render.Rendered{YAML: yamlOf("red")}, "r2/deploy")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("what was written is read back with its record", func(t *testing.T) {
		c, err := s.Read(ctx, at, "shop/web", bad)
		if err != nil || string(c.Rendered.YAML) != string(yamlOf("red")) || c.Record.Release != "shop.web.222222222222" || c.Revision != bad {
			t.Fatalf("%+v %v", c, err)
		}
		msg := run(t, bare, "log", "-1", "--format=%B", string(bad))
		for _, want := range []string{"Seatrial-Release: shop.web.222222222222", "Source-Commit: 2222", "Image: reg/shop/web@sha256:2222", "Seatrial-Key: r2/deploy"} {
			if !strings.Contains(msg, want) {
				t.Errorf("%s\nlacks %s", msg, want)
			}
		}
	})
	t.Run("a return is the older content on top, once", func(t *testing.T) {
		placed := release.Placed{Release: "shop.web.111111111111", Commit: record("shop/web", "1").Commit, Desired: good}
		back, err := s.Return(ctx, at, "shop/web", placed, "shop.web.222222222222", "r2/return")
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.Return(ctx, at, "shop/web", placed, "shop.web.222222222222", "r2/return")
		if err != nil || again != back {
			t.Fatalf("again: %s, %v; want %s", again, err, back)
		}
		c, err := s.Read(ctx, at, "shop/web", back)
		if err != nil || string(c.Rendered.YAML) != string(yamlOf("blue")) || c.Record.Returned != "shop.web.222222222222" || c.Record.Release != "shop.web.111111111111" {
			t.Fatalf("%+v %v", c.Record, err)
		}
		if parent := run(t, bare, "rev-parse", string(back)+"^"); parent != string(bad) {
			t.Errorf("history was rewritten: parent %s", parent)
		}
	})
	t.Run("people's pushes are told from ours, the newest per service", func(t *testing.T) {
		since, _ := s.Head(ctx, at)
		byHand(t, bare, "shop/api/manifests.yaml", string(yamlOf("x")))
		mine := byHand(t, bare, "shop/web/manifests.yaml", string(yamlOf("green")))
		head, _ := s.Head(ctx, at)
		pushes, err := s.Foreign(ctx, at, since, head)
		if err != nil || len(pushes) != 2 || pushes[1].Service != "shop/web" || pushes[1].Commit != mine || pushes[1].Author != "mei" {
			t.Fatalf("%+v %v", pushes, err)
		}
		if _, err := s.Revert(ctx, at, "shop/web", good, "the image is not signed", "revert/1"); err != nil {
			t.Fatal(err)
		}
		head, _ = s.Head(ctx, at)
		pushes, err = s.Foreign(ctx, at, since, head)
		if err != nil || len(pushes) != 1 || pushes[0].Service != "shop/api" {
			t.Fatalf("after a revert: %+v %v", pushes, err)
		}
		c, err := s.Read(ctx, at, "shop/web", head)
		if err != nil || string(c.Rendered.YAML) != string(yamlOf("blue")) {
			t.Fatalf("reverted to %s, %v", c.Rendered.YAML, err)
		}
	})
	t.Run("an image by tag, pushed by hand, is refused when it is read", func(t *testing.T) {
		c := byHand(t, bare, "shop/web/manifests.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, image: nginx}]}\n")
		if _, err := s.Read(ctx, at, "shop/web", c); err == nil || !strings.Contains(err.Error(), "by tag") {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("a service that was taken away is named", func(t *testing.T) {
		if _, err := s.Read(ctx, at, "shop/gone", good); !errors.Is(err, git.ErrNoFile) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestUnreadable(t *testing.T) {
	s, bare := open(t)
	good, err := s.Write(t.Context(), at, record("shop/web", "1"), render.Rendered{YAML: yamlOf("blue")}, "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		service  release.Service
		revision release.Commit
		want     bool
	}{
		{"what a person broke is told as unreadable", "shop/web", byHand(t, bare, "shop/web/manifests.yaml", "kind: [\n"), true},
		{"an image by tag is told as unreadable", "shop/web", byHand(t, bare, "shop/web/manifests.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, image: nginx}]}\n"), true},
		{"missing manifests are told as unreadable", "shop/gone", good, true},
		{"a commit that the remote does not give out is not", "shop/web", release.Commit(strings.Repeat("e", 40)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Read(t.Context(), at, c.service, c.revision)
			var u desired.Unreadable
			if err == nil || errors.As(err, &u) != c.want || (c.want && hint.Of(err) == "") {
				t.Fatalf("got %T %v, hint %q", err, err, hint.Of(err))
			}
		})
	}
}

func TestAVariantIsAFileOfItsOwnAndReturnsWithTheRest(t *testing.T) {
	s, bare := open(t)
	ctx := t.Context()
	parse := func(color string) render.Rendered {
		out, err := render.Parse("m", yamlOf(color), render.Options{Service: "shop/web"})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	eu := release.Selector{MatchLabels: map[string]string{"region": "eu"}}
	of := func(rest, variant string) render.Rendered {
		return parse(rest).With([]render.Variant{{Name: "eu", Clusters: eu, Rendered: parse(variant)}})
	}
	write := func(n string, out render.Rendered) release.Commit {
		rec := record("shop/web", n)
		rec.Manifests = out.Digest
		c, err := s.Write(ctx, at, rec, out, n)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	first := write("1", of("blue", "pale"))
	plain := write("2", parse("red"))
	if files := run(t, bare, "ls-tree", "--name-only", string(plain), "shop/web/"); strings.Contains(files, "manifests.eu") {
		t.Errorf("a variant that is not wanted any more is still there: %s", files)
	}
	back, err := s.Return(ctx, at, "shop/web", release.Placed{Release: "shop.web.1", Commit: record("shop/web", "1").Commit, Desired: first}, "shop.web.2", "back")
	if err != nil {
		t.Fatal(err)
	}
	reverted, err := s.Revert(ctx, at, "shop/web", first, "not this", "revert")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]release.Commit{"written": first, "returned": back, "reverted": reverted} {
		got, err := s.Read(ctx, at, "shop/web", c)
		if err != nil || got.Rendered.Digest != of("blue", "pale").Digest || len(got.Record.Variants) != 1 ||
			string(run(t, bare, "show", string(c)+":shop/web/manifests.eu.yaml")) != strings.TrimSpace(string(yamlOf("pale"))) {
			t.Errorf("%s: %+v %v", name, got.Record, err)
		}
	}
	for name, c := range map[string]struct{ record, want string }{
		"a variant that points elsewhere": {"variants: [{name: ../../other/db/manifests, clusters: {matchLabels: {a: b}}}]\n", `variant "../../other/db/manifests": want at most 20`},
		"a record that cannot be read":    {"variants: [{name: eu, clusters: {matchLabels: {region: eu}}]\n", "shop/web/release.yaml at "},
		"variants that are none":          {"variants: {eu: true}\n", "shop/web/release.yaml at "},
	} {
		byHand(t, bare, "shop/web/release.yaml", c.record)
		head, err := s.Head(ctx, at)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Read(ctx, at, "shop/web", head)
		if _, unreadable := errors.AsType[desired.Unreadable](err); !unreadable || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAPersonsPushIsFoundBelowManyOfOurs(t *testing.T) {
	s, bare := open(t)
	since, err := s.Write(t.Context(), at, record("shop/web", "1"), render.Rendered{YAML: yamlOf("blue")}, "r1/deploy")
	if err != nil {
		t.Fatal(err)
	}
	person := byHand(t, bare, "shop/web/manifests.yaml", string(yamlOf("pink")))
	var in strings.Builder
	for i := range 1000 { // as after one commit to a repo of many services
		message := fmt.Sprintf("deploy\n\nSeatrial-Key: k%d\n", i)
		fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter seatrial <s@example.com> 1700000000 +0000\ndata %d\n%s", at.Branch, len(message), message)
		if i == 0 {
			fmt.Fprintf(&in, "from refs/heads/%s^0\n", at.Branch)
		}
		fmt.Fprintf(&in, "M 100644 inline many/s%d/manifests.yaml\ndata 0\n\n", i)
	}
	load := exec.Command("git", "fast-import", "--quiet")
	load.Dir, load.Stdin = bare, strings.NewReader(in.String())
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	head, err := s.Head(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	pushes, err := s.Foreign(t.Context(), at, since, head)
	if err != nil || len(pushes) != 1 || pushes[0].Commit != person {
		t.Errorf("%+v, %v", pushes, err)
	}
}

func TestARewrittenBranchIsAPersonsPush(t *testing.T) {
	s, bare := open(t)
	write := func(service release.Service, colour, n string) release.Commit {
		t.Helper()
		c, err := s.Write(t.Context(), at, record(service, n), render.Rendered{YAML: yamlOf(colour)}, string(service)+n)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	write("shop/api", "blue", "1")
	good := write("shop/web", "blue", "1")
	bad := write("shop/web", "red", "2")
	for _, c := range []struct {
		name  string
		since release.Commit
		head  release.Commit
		want  string
	}{
		{"back to one of our commits: what is not as it was", bad, good, "[shop/web]"},
		{"what was followed is not known any more: everything is looked at", "0123456789012345678901234567890123456789", good, "[shop/api shop/web]"},
		{"forward again, as it is usual", good, bad, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run(t, bare, "update-ref", "refs/heads/"+at.Branch, string(c.head))
			pushes, err := s.Foreign(t.Context(), at, c.since, c.head)
			if err != nil {
				t.Fatal(err)
			}
			services := []release.Service{}
			for _, p := range pushes {
				services = append(services, p.Service)
				if p.Commit != c.head || !strings.Contains(p.Author, "rewrote") {
					t.Errorf("%+v", p)
				}
			}
			if got := fmt.Sprint(services); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
