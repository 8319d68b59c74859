package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tonistiigi/fsutil"
	"github.com/tonistiigi/fsutil/types"
	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/builder/transfer"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/git/files"
	"github.com/seatrial/seatrial/release"
)

var when = time.Date(2026, 11, 1, 12, 0, 0, 123, time.UTC)

// end is one end of the stream between the client and buildkitd.
type end struct {
	ctx context.Context
	in  <-chan []byte
	out chan<- []byte
}

func (e end) Context() context.Context { return e.ctx }

func (e end) SendMsg(m any) error {
	raw, err := m.(*types.Packet).MarshalVT()
	if err != nil {
		return err
	}
	select {
	case e.out <- raw:
		return nil
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

func (e end) RecvMsg(m any) error {
	select {
	case raw, ok := <-e.in:
		if !ok {
			return io.EOF
		}
		return m.(*types.Packet).UnmarshalVT(raw)
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

// send sends a tree to a folder, as a build sends its context to buildkitd.
func send(t *testing.T, tree fsutil.FS, dest string) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	to, from := make(chan []byte, 64), make(chan []byte, 64)
	g.Go(func() error {
		defer close(to)
		return fsutil.Send(ctx, end{ctx, from, to}, tree, nil)
	})
	g.Go(func() error { return fsutil.Receive(ctx, end{ctx, to, from}, dest, fsutil.ReceiveOpt{}) })
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// found is everything below a folder: kind, permissions, and what it holds.
func found(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, file)
		if err != nil || name == "." {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var holds string
		switch {
		case e.Type()&fs.ModeSymlink != 0:
			holds, err = os.Readlink(file)
		case !e.IsDir():
			var raw []byte
			raw, err = os.ReadFile(file)
			holds = string(raw)
		}
		out[name] = info.Mode().String() + " " + holds
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestACommitArrivesAsGitChecksItOut holds what is sent straight from git's objects to what
// git writes to disk.
func TestACommitArrivesAsGitChecksItOut(t *testing.T) {
	work, checkout := t.TempDir(), t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", work, "-c", "user.name=mei", "-c", "user.email=mei@example.com"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for name, text := range map[string]string{
		"a": "a\n", "a.b/c": "1", "a-b": "", "a0/x": "2", "b/c/d/e.txt": strings.Repeat("long ", 50_000), "b/c.txt": "3", "b-c": "4", "ü/ñ name": "5", ".dockerignore": "x\n", "run.sh": "#!/bin/sh\n",
	} {
		file := filepath.Join(work, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chmod(filepath.Join(work, "run.sh"), 0o755), os.Symlink("c/d", filepath.Join(work, "b/folder")), os.Symlink("../a", filepath.Join(work, "b/file")), os.Symlink("gone", filepath.Join(work, "nowhere"))); err != nil {
		t.Fatal(err)
	}
	run("init", "-q", "-b", "main")
	run("add", "-A")
	run("commit", "-q", "-m", "begin")
	run("-c", "tar.umask=0022", "archive", "--format=tar", "-o", checkout+".tar", "HEAD")
	if out, err := exec.Command("tar", "-xpf", checkout+".tar", "-C", checkout).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	repos, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	tree, done, err := repos.Files(t.Context(), "file://"+work+"/.git", "main", release.Commit(run("rev-parse", "HEAD")), git.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	disk, err := fsutil.NewFS(checkout)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := t.TempDir(), t.TempDir()
	send(t, transfer.New(tree, when), ours)
	send(t, disk, theirs)
	got, want := found(t, ours), found(t, theirs)
	if len(want) != 19 || !maps.Equal(got, want) {
		t.Errorf("%d arrived, want %d", len(got), len(want))
		for name := range want {
			if got[name] != want[name] {
				t.Errorf("%s is %.40q, want %.40q", name, got[name], want[name])
			}
		}
	}
	for name := range got {
		if info, err := os.Lstat(filepath.Join(ours, name)); err != nil || !info.IsDir() && !info.ModTime().Equal(when) {
			t.Errorf("%s is of %s, %v; want %s", name, info.ModTime(), err, when)
		}
	}
}

// reading is a tree that counts how many files of it are read.
func reading(n *atomic.Int64, text map[string]string) *files.FS {
	var entries []files.Entry
	for name, content := range text {
		entries = append(entries, files.Entry{Path: name, Mode: 0o644, Size: int64(len(content))})
	}
	return files.New(entries, when, func(e files.Entry) ([]byte, error) { n.Add(1); return []byte(text[e.Path]), nil })
}

func TestOnlyWhatBuildKitHasNotGotIsRead(t *testing.T) {
	var n atomic.Int64
	text := map[string]string{}
	for i := range 100 {
		text[fmt.Sprintf("files/%d", i)] = fmt.Sprint("file ", i)
	}
	dest := t.TempDir()
	for _, c := range []struct {
		name   string
		change func()
		when   time.Time
		read   int64
	}{
		{"everything, to begin with", func() {}, when, 100},
		{"nothing of the same commit", func() {}, when, 0},
		{"a file of another size", func() { text["files/7"] = "longer than before" }, when, 1},
		{"a new file", func() { text["new/file"] = "new" }, when, 1},
		{"nothing for a file that is gone", func() { delete(text, "files/8") }, when, 0},
		{"everything of another time", func() { text["files/9"] = "FILE 9" }, when.Add(1), 100},
	} {
		c.change()
		n.Store(0)
		send(t, transfer.New(reading(&n, text), c.when), dest)
		if n.Load() != c.read {
			t.Errorf("%s: %d files were read, want %d", c.name, n.Load(), c.read)
		}
		got := found(t, dest)
		maps.DeleteFunc(got, func(_, is string) bool { return is[0] == 'd' })
		for name, content := range text {
			if got[name] != "-rw-r--r-- "+content {
				t.Errorf("%s: %s is %q, want %q", c.name, name, got[name], content)
			}
		}
		if len(got) != len(text) {
			t.Errorf("%s: there are %d files, want %d", c.name, len(got), len(text))
		}
	}
}

func TestAWalkKeepsTheRulesOfWalking(t *testing.T) {
	var n atomic.Int64
	tree := transfer.New(reading(&n, map[string]string{"a/1": "", "a/2": "", "a/b/3": "", "c": "", "d/4": ""}), when)
	for _, c := range []struct {
		from string
		stop map[string]error
		want []string
	}{
		{from: "/", want: []string{"a", "a/1", "a/2", "a/b", "a/b/3", "c", "d", "d/4"}},
		{from: "", stop: map[string]error{"a": fs.SkipDir}, want: []string{"a", "c", "d", "d/4"}},
		{from: ".", stop: map[string]error{"a/1": fs.SkipDir}, want: []string{"a", "a/1", "c", "d", "d/4"}},
		{from: ".", stop: map[string]error{"a/1": fs.SkipAll}, want: []string{"a", "a/1"}},
		{from: "a/b", want: []string{"a/b", "a/b/3"}},
		{from: "/c", want: []string{"c"}},
		{from: "../d/", want: []string{"d", "d/4"}},
		{from: "none"}, {from: "c/none"},
	} {
		var got []string
		err := tree.Walk(t.Context(), c.from, func(name string, e fs.DirEntry, err error) error {
			if info, ierr := e.Info(); ierr != nil || info.IsDir() != e.IsDir() || e.Name() != filepath.Base(name) {
				t.Errorf("%s: %v, %v", name, info, ierr)
			}
			got = append(got, name)
			return errors.Join(err, c.stop[name])
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("from %q without %v: %q, %v; want %q", c.from, c.stop, got, err, c.want)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := tree.Walk(stopped, "/", func(string, fs.DirEntry, error) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("a walk that nobody waits for: %v", err)
	}
}
