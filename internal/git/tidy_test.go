package git_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/release"
)

// mirrorOf is the one mirror below a folder, in a shape that git reads.
func mirrorOf(t testing.TB, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.git"))
	if err != nil || len(found) != 1 {
		t.Fatalf("mirrors %v, %v", found, err)
	}
	if err := os.WriteFile(filepath.Join(found[0], "HEAD"), []byte("ref: refs/heads/main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return found[0]
}

// count is how many files match below a mirror.
func count(t testing.TB, mirror, pattern string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(mirror, "objects", pattern))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

const (
	loose = "[0-9a-f][0-9a-f]/*"
	packs = "pack/*.pack"
)

// desiredState commits and has others push, in turn: loose objects and packs pile up.
func desiredState(t *testing.T, f *forge, r *git.Repos, from, to int) (made []release.Commit) {
	t.Helper()
	for i := from; i < to; i++ {
		c := change(f, fmt.Sprint("k/", i), map[string]string{"manifests.yaml": strings.Repeat(fmt.Sprintf("line of %d\n", i), 200)})
		c.Folder = fmt.Sprintf("team%d/web", i%5)
		one, err := r.Commit(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		f.git(f.work, "fetch", "-q", "origin")
		f.git(f.work, "checkout", "-q", "-B", "env/staging", "origin/env/staging")
		f.write("by-hand.txt", strings.Repeat(fmt.Sprintln("by hand", i), 200))
		made = append(made, one.Commit, f.push("env/staging", "by hand"))
	}
	return made
}

func TestTidying(t *testing.T) {
	f := newForge(t, "")
	dir := t.TempDir()
	r := open(t, git.Config{Dir: dir, Loose: 20, Packs: 3})
	commits := desiredState(t, f, r, 0, 12)
	head := commits[len(commits)-1]
	if _, err := r.Log(t.Context(), f.url, "env/staging", head, "", 100); err != nil {
		t.Fatal(err)
	}
	mirror := mirrorOf(t, dir)
	if l, p := count(t, mirror, loose), count(t, mirror, packs); l <= 20 || p <= 3 {
		t.Fatalf("only %d loose objects and %d packs have piled up", l, p)
	}
	objects := func() string {
		return f.git(mirror, "cat-file", "--batch-all-objects", "--batch-check")
	}
	before := objects()
	if err := r.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l, p := count(t, mirror, loose), count(t, mirror, packs); l != 0 || p != 1 || objects() != before {
		t.Fatalf("%d loose objects and %d packs are left, with\n%s\nwant\n%s", l, p, objects(), before)
	}
	f.git(mirror, "fsck", "--full", "--strict")
	t.Run("the same server, and the next one, read all commits without the forge", func(t *testing.T) {
		if err := os.Rename(f.dir, f.dir+".away"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.Rename(f.dir+".away", f.dir) }()
		for _, r := range []*git.Repos{r, open(t, git.Config{Dir: dir})} {
			log, err := r.Log(t.Context(), f.url, "env/staging", head, "", 100)
			if err != nil || len(log) != len(commits) {
				t.Fatalf("%d commits, %v; want %d", len(log), err, len(commits))
			}
			for i, c := range commits[:len(commits)-1] {
				name := fmt.Sprintf("team%d/web/manifests.yaml", i/2%5)
				got, err := r.ReadFile(t.Context(), f.url, "env/staging", c, name, 1<<20)
				if err != nil || !strings.HasPrefix(string(got), fmt.Sprintf("line of %d\n", i/2)) {
					t.Fatalf("commit %d: %.20q, %v", i, got, err)
				}
			}
		}
	})
	t.Run("keys are still known, and commits are made on top", func(t *testing.T) {
		again, err := r.Commit(t.Context(), change(f, "k/3", nil))
		if err != nil || !again.Found || again.Commit != commits[6] {
			t.Fatalf("%+v, %v; want %s", again, err, commits[6])
		}
		desiredState(t, f, r, 12, 14)
		if err := r.Tidy(t.Context()); err != nil || count(t, mirror, loose) == 0 {
			t.Fatalf("%d loose objects are too few to tidy, and yet it was: %v", count(t, mirror, loose), err)
		}
	})
}

func TestTidyingWhileOthersReadAndWrite(t *testing.T) {
	f := newForge(t, "")
	dir := t.TempDir()
	r := open(t, git.Config{Dir: dir, Loose: 1, Packs: 1})
	commits := desiredState(t, f, r, 0, 6)
	if _, err := r.Log(t.Context(), f.url, "env/staging", commits[len(commits)-1], "", 100); err != nil {
		t.Fatal(err)
	}
	stop, done := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	read := func(n int) error {
		c := commits[n%len(commits)]
		if _, err := r.ReadFile(t.Context(), f.url, "env/staging", c, "team0/web/manifests.yaml", 1<<20); err != nil {
			return err
		}
		if _, err := r.Tree(t.Context(), f.url, "env/staging", c, "team0", git.Limits{}); err != nil {
			return err
		}
		all, done, err := r.Files(t.Context(), f.url, "env/staging", c, git.Limits{})
		if err != nil {
			return err
		}
		_, err = fs.ReadFile(all, "team0/web/manifests.yaml")
		return errors.Join(err, done())
	}
	for reader := range 3 {
		wg.Go(func() {
			for n := reader; stop.Err() == nil; n++ {
				if err := read(n); err != nil {
					t.Errorf("reading %d: %v", n, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for stop.Err() == nil {
			if err := r.Tidy(t.Context()); err != nil {
				t.Errorf("tidying: %v", err)
				return
			}
		}
	})
	for i := range 25 {
		if _, err := r.Commit(t.Context(), change(f, fmt.Sprint("more/", i), map[string]string{"m": fmt.Sprint(i)})); err != nil {
			t.Fatal(err)
		}
	}
	done()
	wg.Wait()
	if err := r.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadFile(t.Context(), f.url, "", commits[0], "team0/web/manifests.yaml", 1<<20); err != nil {
		t.Fatal(err)
	}
	f.git(mirrorOf(t, dir), "fsck", "--full", "--strict")
}

func TestTidyingWaitsForWhoReadsFiles(t *testing.T) {
	f := newForge(t, "")
	dir := t.TempDir()
	r := open(t, git.Config{Dir: dir, Loose: 1, Packs: 1})
	commits := desiredState(t, f, r, 0, 3)
	tree, done, err := r.Files(t.Context(), f.url, "env/staging", commits[0], git.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	mirror := mirrorOf(t, dir)
	was := count(t, mirror, loose)
	if _, err := fs.ReadFile(tree, "team0/web/manifests.yaml"); err != nil || was == 0 {
		t.Fatalf("%d loose objects, %v", was, err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Info(t.Context(), f.url, "env/staging", commits[0]); err != nil || count(t, mirror, loose) != 0 {
		t.Fatalf("%d loose objects are left, %v", count(t, mirror, loose), err)
	}
}

func TestTidyingIsInterrupted(t *testing.T) {
	f := newForge(t, "")
	dir := t.TempDir()
	r := open(t, git.Config{Dir: dir, Loose: 1, Packs: 1})
	commits := desiredState(t, f, r, 0, 3)
	mirror := mirrorOf(t, dir)
	var left []string
	for _, name := range []string{"tmp_merge_1", "tmp_idx_2", "tmp_pack_3", "pack-" + strings.Repeat("a", 40) + ".idx"} {
		left = append(left, filepath.Join(mirror, "objects", "pack", name))
		if err := os.WriteFile(left[len(left)-1], []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Tidy(stopped); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	r = open(t, git.Config{Dir: dir, Loose: 1, Packs: 1})
	if _, err := r.Info(t.Context(), f.url, "env/staging", commits[0]); err != nil {
		t.Fatal(err)
	}
	for _, name := range left {
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	damaged, err := filepath.Glob(filepath.Join(mirror, "objects", loose))
	if err != nil || len(damaged) == 0 {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(damaged[0])
	if err != nil || os.Chmod(damaged[0], 0o600) != nil || os.WriteFile(damaged[0], whole[:len(whole)/2], 0o600) != nil {
		t.Fatal(err)
	}
	if err := r.Tidy(t.Context()); err == nil || count(t, mirror, loose) != len(damaged) {
		t.Fatalf("a damaged object is packed: %v, %d loose objects", err, count(t, mirror, loose))
	}
	if count(t, mirror, "pack/tmp_*") != 0 {
		t.Error("what was not finished is left")
	}
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := open(t, git.Config{})
		ended := make(chan error)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}

func TestAHalfWrittenIndexIsForgotten(t *testing.T) {
	f := newForge(t, "")
	f.write("a.txt", "a")
	c, dir := f.push("main", "begin"), t.TempDir()
	read := func() error {
		_, err := open(t, git.Config{Dir: dir}).ReadFile(t.Context(), f.url, "main", c, "a.txt", 10)
		return err
	}
	if err := read(); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(mirrorOf(t, dir), "objects", packs))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	index := strings.TrimSuffix(found[0], ".pack") + ".idx"
	if err := errors.Join(os.Remove(found[0]), os.Remove(index), os.WriteFile(index, []byte("half"), 0o600)); err != nil {
		t.Fatal(err) // the fetch was killed when the pack was not there yet
	}
	if err := read(); err != nil { // this fetches the same pack once more
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(f.dir, f.dir+".away"), read()); err != nil {
		t.Fatalf("the next server cannot read it without the forge: %v", err)
	}
}
