package git_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

// forge is a real bare repository, served over http by git itself.
type forge struct {
	t    *testing.T
	dir  string // of the bare repository
	work string // a clone to push from
	url  string
}

func newForge(t *testing.T, need string) *forge {
	t.Helper()
	f := &forge{t: t, dir: filepath.Join(t.TempDir(), "app.git"), work: filepath.Join(t.TempDir(), "work")}
	f.git("", "init", "-q", "--bare", "-b", "main", f.dir)
	f.git(f.dir, "config", "http.receivepack", "true")
	f.git(f.dir, "config", "uploadpack.allowAnySHA1InWant", "true")
	f.git("", "init", "-q", "-b", "main", f.work)
	f.git(f.work, "remote", "add", "origin", f.dir)
	backend := &cgi.Handler{Path: "/usr/lib/git-core/git-http-backend",
		Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(f.dir), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=test"}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pass, _ := r.BasicAuth(); need != "" && pass != need {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	f.url = srv.URL + "/app.git"
	return f
}

func (f *forge) git(dir string, args ...string) string {
	f.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=mei", "GIT_AUTHOR_EMAIL=mei@example.com", "GIT_COMMITTER_NAME=mei",
		"GIT_COMMITTER_EMAIL=mei@example.com", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=/nonexistent")
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (f *forge) write(name, content string) {
	f.t.Helper()
	p := filepath.Join(f.work, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// push commits what is in the work tree and pushes it.
func (f *forge) push(branch, message string) release.Commit {
	f.t.Helper()
	f.git(f.work, "add", "-A")
	f.git(f.work, "commit", "-q", "--allow-empty", "-m", message)
	f.git(f.work, "push", "-q", "origin", "HEAD:refs/heads/"+branch)
	return release.Commit(f.git(f.work, "rev-parse", "HEAD"))
}

func open(t *testing.T, cfg git.Config) *git.Repos {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	r, err := git.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReading(t *testing.T) {
	f := newForge(t, "")
	f.write("web/main.go", "package main\n")
	f.write("deploy/web.yaml", "kind: Deployment\n")
	first := f.push("main", "web: begin\n\nbody")
	f.write("deploy/web.yaml", "kind: Deployment\nx: 1\n")
	if err := os.Symlink("web.yaml", filepath.Join(f.work, "deploy/alias.yaml")); err != nil {
		t.Fatal(err)
	}
	second := f.push("main", "web: go on")
	ctx := t.Context()
	for _, url := range []string{f.url, "file://" + f.dir} {
		r := open(t, git.Config{AllowFile: true})
		t.Run(url[:4]+" head, metadata, file, tree and changed paths are read", func(t *testing.T) {
			if head, err := r.Head(ctx, url, "refs/heads/main"); err != nil || head != second {
				t.Fatalf("Head = %s, %v; want %s", head, err, second)
			}
			info, err := r.Info(ctx, url, "main", first)
			if err != nil || info.Subject != "web: begin" || info.Author != "mei" || info.Email != "mei@example.com" {
				t.Fatalf("Info = %+v, %v", info, err)
			}
			if b, err := r.ReadFile(ctx, url, "main", first, "deploy/web.yaml", 100); err != nil || string(b) != "kind: Deployment\n" {
				t.Fatalf("ReadFile = %q, %v", b, err)
			}
			tree, err := r.Tree(ctx, url, "main", second, "deploy", git.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := fs.ReadFile(tree, "alias.yaml"); err != nil || !strings.Contains(string(b), "x: 1") {
				t.Fatalf("a link inside reads as %q, %v", b, err)
			}
			if got, err := r.Changed(ctx, url, "main", first, second); err != nil || !slices.Equal(got, []string{"deploy/alias.yaml", "deploy/web.yaml"}) {
				t.Fatalf("Changed = %v, %v", got, err)
			}
			all, done, err := r.Files(ctx, url, "main", second, git.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if b, err := fs.ReadFile(all, "web/main.go"); err != nil || string(b) != "package main\n" {
				t.Fatalf("shown %q, %v", b, err)
			}
			if err := done(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestObjectID(t *testing.T) {
	f := newForge(t, "")
	f.write("web/main.go", "package main\n")
	f.write("docs/read.me", "one\n")
	first := f.push("main", "begin")
	f.write("docs/read.me", "two\n")
	second := f.push("main", "another text")
	r := open(t, git.Config{})
	for _, sub := range []string{"", ".", "/", "web", "web/", "./web", "web/main.go", "docs"} {
		id, err := r.ObjectID(t.Context(), f.url, "main", second, sub)
		if want := f.git(f.work, "rev-parse", string(second)+":"+strings.Trim(sub, "./")); err != nil || id != want {
			t.Errorf("%q is %s, want %s: %v", sub, id, want, err)
		}
		before, err := r.ObjectID(t.Context(), f.url, "main", first, sub)
		if same := strings.Contains(sub, "web"); err != nil || same != (before == id) {
			t.Errorf("%q was %s and is %s, want the same: %v", sub, before, id, same)
		}
	}
	for _, sub := range []string{"none", "none/web", "web/none", "web/main.go/x", "../web/none"} {
		if _, err := r.ObjectID(t.Context(), f.url, "main", second, sub); !errors.Is(err, git.ErrNoFile) {
			t.Errorf("%q: %v", sub, err)
		}
	}
	if _, err := r.ObjectID(t.Context(), f.url, "main", second, "a/.git/b"); err == nil {
		t.Error("no tree has a folder .git")
	}
}

func TestReadingRefuses(t *testing.T) {
	f := newForge(t, "")
	f.write("big.txt", strings.Repeat("x", 5000))
	good := f.push("main", "begin")
	if err := os.Symlink("../../etc/passwd", filepath.Join(f.work, "out")); err != nil {
		t.Fatal(err)
	}
	bad := f.push("main", "a link out")
	r, ctx := open(t, git.Config{}), t.Context()
	for _, c := range []struct {
		name string
		err  func() error
		is   error
		want string
	}{
		{"a branch that is not there", func() error { _, err := r.Head(ctx, f.url, "nope"); return err }, git.ErrNoRef, "has no nope"},
		{"a commit that is not there", func() error {
			_, err := r.Info(ctx, f.url, "main", release.Commit(strings.Repeat("a", 40)))
			return err
		}, git.ErrNoCommit, "has no commit aaaaaaaaaaaa"},
		{"a file that is not there", func() error { _, err := r.ReadFile(ctx, f.url, "main", good, "x.yaml", 10); return err }, git.ErrNoFile, "x.yaml"},
		{"a file over the limit", func() error { _, err := r.ReadFile(ctx, f.url, "main", good, "big.txt", 4999); return err }, git.ErrTooBig, "5000 bytes"},
		{"a tree over the limit", func() error { _, err := r.Tree(ctx, f.url, "main", good, "", git.Limits{Bytes: 100}); return err }, git.ErrTooBig, "100 bytes"},
		{"a link out of the tree", func() error { _, err := r.Tree(ctx, f.url, "main", bad, "", git.Limits{}); return err }, git.ErrUnfit, "link out points to ../../etc/passwd"},
		{"a link out of all files", func() error { _, _, err := r.Files(ctx, f.url, "main", bad, git.Limits{}); return err }, nil, "outside of the folder"},
		{"a folder that is not there", func() error { _, err := r.Tree(ctx, f.url, "main", good, "deploy", git.Limits{}); return err }, git.ErrNoFile, "folder deploy"},
		{"a repository that is not there", func() error { _, err := r.Head(ctx, strings.Replace(f.url, "app", "other", 1), "main"); return err }, nil, "has no repository /other.git"},
		{"a local path", func() error { _, err := r.Head(ctx, "file:///etc", "main"); return err }, nil, "not supported"},
		{"a fetch over the limit", func() error {
			_, err := open(t, git.Config{MaxPack: 50}).Info(ctx, f.url, "main", good)
			return err
		}, git.ErrTooBig, "50 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.err()
			if err == nil || !strings.Contains(err.Error(), c.want) || (c.is != nil && !errors.Is(err, c.is)) {
				t.Fatalf("got %v; want %q", err, c.want)
			}
		})
	}
}

func TestForgeTrouble(t *testing.T) {
	f := newForge(t, "s3cret")
	f.push("main", "begin")
	t.Run("a wrong token is told as such and is not in the error", func(t *testing.T) {
		r := open(t, git.Config{Credentials: func(string) (git.Login, bool) { return git.Login{User: "a", Token: "wr0ng"}, true }})
		_, err := r.Head(t.Context(), f.url, "main")
		if err == nil || !strings.Contains(err.Error(), "refuses our login") || strings.Contains(err.Error(), "wr0ng") || hint.Of(err) == "" {
			t.Fatalf("got %v (hint %q)", err, hint.Of(err))
		}
	})
	t.Run("the right token lets us in", func(t *testing.T) {
		r := open(t, git.Config{Credentials: func(string) (git.Login, bool) { return git.Login{Token: secret.Text("s3cret")}, true }})
		if _, err := r.Head(t.Context(), f.url, "main"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a forge that is down is named", func(t *testing.T) {
		r := open(t, git.Config{})
		_, err := r.Head(t.Context(), "http://127.0.0.1:1/app.git", "main")
		if err == nil || err.Error() != "the forge at http://127.0.0.1:1 does not answer: connection refused" {
			t.Fatalf("got %v", err)
		}
	})
}

func change(f *forge, key string, files map[string]string) git.Change {
	c := git.Change{URL: f.url, Branch: "env/staging", Folder: "shop/web", Subject: "deploy shop/web", Key: key,
		Files: map[string][]byte{}, Trailers: []git.Trailer{{Key: "Image", Value: "reg/web@sha256:1"}}}
	for k, v := range files {
		c.Files[k] = []byte(v)
	}
	return c
}

func TestCommit(t *testing.T) {
	f := newForge(t, "")
	r, ctx := open(t, git.Config{}), t.Context()
	one, err := r.Commit(ctx, change(f, "a/1", map[string]string{"manifests.yaml": "one\n", "old.yaml": "old\n"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("the branch is made, without history, in an empty repository", func(t *testing.T) {
		if got := f.git(f.dir, "rev-parse", "env/staging"); got != string(one.Commit) {
			t.Fatalf("branch at %s, want %s", got, one.Commit)
		}
		f.git(f.dir, "fsck", "--strict")
	})
	t.Run("the same key answers with the same commit, also from a fresh server", func(t *testing.T) {
		for _, repos := range []*git.Repos{r, open(t, git.Config{})} {
			again, err := repos.Commit(ctx, change(f, "a/1", map[string]string{"manifests.yaml": "other\n"}))
			if err != nil || again.Commit != one.Commit || !again.Found {
				t.Fatalf("got %+v, %v", again, err)
			}
		}
	})
	t.Run("a folder is replaced and others stay", func(t *testing.T) {
		other := change(f, "b/1", map[string]string{"manifests.yaml": "api\n"})
		other.Folder = "shop/api"
		if _, err := r.Commit(ctx, other); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Commit(ctx, change(f, "a/2", map[string]string{"manifests.yaml": "two\n"})); err != nil {
			t.Fatal(err)
		}
		if got := f.git(f.dir, "ls-tree", "-r", "--name-only", "env/staging"); got != "shop/api/manifests.yaml\nshop/web/manifests.yaml" {
			t.Fatalf("tree:\n%s", got)
		}
		if got := f.git(f.dir, "log", "-1", "--format=%B", "env/staging"); got != "deploy shop/web\n\nImage: reg/web@sha256:1\nSeatrial-Key: a/2" {
			t.Fatalf("message:\n%s", got)
		}
		f.git(f.dir, "fsck", "--strict")
	})
	t.Run("a person's push in between stays", func(t *testing.T) {
		f.git(f.work, "fetch", "-q", "origin")
		f.git(f.work, "checkout", "-q", "-B", "env/staging", "origin/env/staging")
		f.write("shop/web/note.txt", "by hand\n")
		hand := f.push("env/staging", "by hand")
		made, err := r.Commit(ctx, change(f, "a/3", map[string]string{"manifests.yaml": "three\n"}))
		if err != nil {
			t.Fatal(err)
		}
		if got := f.git(f.dir, "rev-parse", string(made.Commit)+"^"); got != string(hand) {
			t.Fatalf("parent %s, want %s", got, hand)
		}
		log, err := r.Log(ctx, f.url, "env/staging", made.Commit, one.Commit, 10)
		if err != nil || len(log) != 4 || log[0].Trailer(git.KeyTrailer) != "a/3" || log[1].Trailer(git.KeyTrailer) != "" ||
			!slices.Equal(log[1].Paths, []string{"shop/web/note.txt"}) {
			t.Fatalf("log %+v, %v", log, err)
		}
	})
	t.Run("a path out of the folder is refused", func(t *testing.T) {
		if _, err := r.Commit(ctx, change(f, "a/9", map[string]string{"../x": ""})); err == nil {
			t.Fatal("accepted")
		}
	})
	t.Run("a protected branch is told as such", func(t *testing.T) {
		hook := filepath.Join(f.dir, "hooks", "pre-receive")
		if err := os.WriteFile(hook, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(hook)
		_, err := r.Commit(ctx, change(f, "a/10", map[string]string{"m": ""}))
		if err == nil || !strings.Contains(err.Error(), "refuses the push to env/staging") {
			t.Fatalf("got %v", err)
		}
	})
}

func TestCommitsAtOnce(t *testing.T) {
	f := newForge(t, "")
	ctx := t.Context()
	var wg sync.WaitGroup
	errs := make(chan error, 12)
	for server := range 3 { // three servers with mirrors of their own race for the branch
		r := open(t, git.Config{Timeout: 5 * time.Minute})
		for i := range 4 {
			wg.Go(func() {
				c := change(f, fmt.Sprintf("k/%d/%d", server, i), map[string]string{"manifests.yaml": "x"})
				c.Folder = fmt.Sprintf("team%d/svc%d", server, i)
				_, err := r.Commit(ctx, c)
				for errors.Is(err, git.ErrMoved) { // it is tried again
					_, err = r.Commit(ctx, c)
				}
				errs <- err
			})
		}
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if got := len(strings.Fields(f.git(f.dir, "ls-tree", "-r", "--name-only", "env/staging"))); got != 12 {
		t.Errorf("%d folders on the branch, want 12", got)
	}
}

func TestSigning(t *testing.T) {
	f := newForge(t, "")
	r := open(t, git.Config{Sign: func(_ context.Context, b []byte) (string, error) {
		return fmt.Sprintf("-----BEGIN SSH SIGNATURE-----\n%d\n-----END SSH SIGNATURE-----\n", len(b)), nil
	}})
	made, err := r.Commit(t.Context(), change(f, "s", map[string]string{"m": "x"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.git(f.dir, "cat-file", "commit", string(made.Commit)); !strings.Contains(got, "gpgsig -----BEGIN SSH SIGNATURE-----") {
		t.Fatalf("commit:\n%s", got)
	}
}

func TestOnlyWhatIsSignedIsOurs(t *testing.T) {
	f := newForge(t, "")
	sign := func(_ context.Context, b []byte) (string, error) { return fmt.Sprintf("signed %d\n", len(b)), nil }
	signed := func(b []byte, sig string) bool { return strings.TrimSpace(sig) == fmt.Sprintf("signed %d", len(b)) }
	forger, r := open(t, git.Config{}), open(t, git.Config{Sign: sign, Signed: signed})
	forged, err := forger.Commit(t.Context(), change(f, "k", map[string]string{"m": "evil"}))
	if err != nil {
		t.Fatal(err)
	}
	made, err := r.Commit(t.Context(), change(f, "k", map[string]string{"m": "good"}))
	if err != nil || made.Found || made.Commit == forged.Commit {
		t.Fatalf("a forged commit is taken for ours: %+v, %v", made, err)
	}
	if again, err := r.Commit(t.Context(), change(f, "k", map[string]string{"m": "good"})); err != nil || !again.Found || again.Commit != made.Commit {
		t.Fatalf("the same change again: %+v, %v", again, err)
	}
	log, err := r.Log(t.Context(), f.url, change(f, "k", nil).Branch, made.Commit, "", 10)
	if err != nil || log[0].Key != "k" || log[1].Commit != forged.Commit || log[1].Key != "" {
		t.Fatalf("%+v, %v", log, err)
	}
}

func TestTrimming(t *testing.T) {
	f := newForge(t, "")
	r, ctx := open(t, git.Config{MaxPacks: 2}), t.Context()
	f.write("a.txt", "0")
	commits := []release.Commit{f.push("main", "begin")}
	for i := range 8 {
		f.write("a.txt", fmt.Sprint(i+1))
		commits = append(commits, f.push("main", "go on"))
	}
	t.Run("a branch that grows is read whole, however often the mirror is made anew", func(t *testing.T) {
		for i, head := range commits {
			if log, err := r.Log(ctx, f.url, "main", head, "", 100); err != nil || len(log) != i+1 {
				t.Fatalf("commit %d: %d commits, %v", i, len(log), err)
			}
		}
	})
	t.Run("both ends of a comparison are there at once", func(t *testing.T) {
		r := open(t, git.Config{MaxPacks: 2})
		for i := 1; i < len(commits); i++ {
			_, err := r.Info(ctx, f.url, "main", commits[i-1])
			got, cerr := r.Changed(ctx, f.url, "main", commits[max(0, i-2)], commits[i])
			if err != nil || cerr != nil || !slices.Equal(got, []string{"a.txt"}) {
				t.Fatalf("commit %d: %v, %v, %v", i, got, err, cerr)
			}
		}
	})
	t.Run("files that are being read stay, and go when nobody reads them", func(t *testing.T) {
		dir := t.TempDir()
		r := open(t, git.Config{Dir: dir, MaxPacks: 2})
		packs := func() int {
			found, err := filepath.Glob(filepath.Join(dir, "*.git", "objects", "pack", "*.pack"))
			if err != nil {
				t.Fatal(err)
			}
			return len(found)
		}
		tree, done, err := r.Files(ctx, f.url, "main", commits[0], git.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range commits {
			if _, err := r.Info(ctx, f.url, "main", c); err != nil {
				t.Fatal(err)
			}
		}
		if raw, err := fs.ReadFile(tree, "a.txt"); err != nil || string(raw) != "0" || packs() != len(commits) {
			t.Fatalf("%q, %v, of %d packs", raw, err, packs())
		}
		if err := errors.Join(done(), done()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Info(ctx, f.url, "main", commits[0]); err != nil || packs() != 1 {
			t.Fatalf("%d packs are left, %v", packs(), err)
		}
	})
	t.Run("a commit is made on top of what others push", func(t *testing.T) {
		for i := range 8 {
			f.git(f.work, "fetch", "-q", "origin")
			if i > 0 {
				f.git(f.work, "reset", "-q", "--hard", "origin/env/staging")
			}
			f.write("a.txt", fmt.Sprint("by hand ", i))
			f.push("env/staging", "by hand")
			if _, err := r.Commit(ctx, change(f, fmt.Sprint("k/", i), map[string]string{"m": fmt.Sprint(i)})); err != nil {
				t.Fatalf("commit %d: %v", i, err)
			}
		}
	})
}
