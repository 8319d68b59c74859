package pack_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/git/pack"
)

func git(t testing.TB, dir, stdin string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "HOME=/nonexistent")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// history is what git fast-import makes n commits of, which change one of a few long files.
func history(from, n int) string {
	var b strings.Builder
	rnd := rand.New(rand.NewPCG(1, uint64(from)))
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, "commit refs/heads/main\ncommitter a <a@x> %d +0000\ndata 2\nc\n", 1700000000+i)
		if i == from && from > 0 {
			b.WriteString("from refs/heads/main^0\n")
		}
		text := strings.Repeat(fmt.Sprintf("line %d\n", i%7), 300) + fmt.Sprintln(rnd.Uint64())
		fmt.Fprintf(&b, "M 100644 inline dir%d/file\ndata %d\n%s\n", i%7, len(text), text)
	}
	return b.String()
}

// repo has three packs that git has made, with differences in them, and loose objects; some
// of its objects are in several of them.
func repo(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	git(t, "", "", "init", "-q", "--bare", "-b", "main", dir)
	for i := range 3 {
		git(t, dir, history(40*i, 40), "-c", "fastimport.unpackLimit=0", "fast-import", "--quiet")
		git(t, dir, "main\n", "pack-objects", "-q", "--revs", "--delta-base-offset", filepath.Join(dir, "objects/pack/pack"))
	}
	git(t, dir, history(120, 10), "-c", "fastimport.unpackLimit=1000", "fast-import", "--quiet")
	git(t, dir, "in no commit", "hash-object", "-w", "--stdin")
	git(t, dir, strings.Repeat("large and in no commit\n", 1<<18), "hash-object", "-w", "--stdin")
	return dir
}

const everything = "--batch-check=%(objectname) %(objecttype) %(objectsize)"

func objects(t testing.TB, dir string) string {
	t.Helper()
	return git(t, dir, "", "cat-file", "--batch-all-objects", everything)
}

func look(t testing.TB, dir string) pack.Pile {
	t.Helper()
	p, err := pack.Look(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMerge(t *testing.T) {
	dir := repo(t)
	before, pile := objects(t, dir), look(t, dir)
	if pile.Loose() < 30 || pile.Packs() < 4 {
		t.Fatalf("%d loose objects and %d packs are not much", pile.Loose(), pile.Packs())
	}
	spare, err := pile.Merge(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range spare { // a program that is killed after each file
		if i%20 == 0 && objects(t, dir) != before {
			t.Fatalf("something is missing when %d of %d files have gone", i, len(spare))
		}
		if err := pack.Remove(spare[:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := pack.Clean(dir); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "", "fsck", "--full", "--strict")
	left, err := filepath.Glob(filepath.Join(dir, "objects", "*", "*"))
	if objects(t, dir) != before || err != nil || len(left) != 2 {
		t.Fatalf("%v are left, %v", left, err)
	}
	for _, f := range left {
		if strings.HasSuffix(f, ".pack") {
			git(t, dir, "", "verify-pack", f)
		}
	}
	t.Run("who is told to stop leaves nothing", func(t *testing.T) {
		dir := repo(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		spare, err := look(t, dir).Merge(ctx)
		half, gerr := filepath.Glob(filepath.Join(dir, "objects", "pack", "tmp_*"))
		if !errors.Is(err, context.Canceled) || spare != nil || gerr != nil || half != nil {
			t.Fatalf("%v, %d files to go, %v", err, len(spare), half)
		}
	})
	t.Run("once more there is nothing to do", func(t *testing.T) {
		if spare, err := look(t, dir).Merge(t.Context()); spare != nil || err != nil {
			t.Fatalf("%v, %v", spare, err)
		}
	})
	t.Run("a large pack stays until as much has come to it", func(t *testing.T) {
		git(t, dir, "one more", "hash-object", "-w", "--stdin")
		git(t, dir, "and one more", "hash-object", "-w", "--stdin")
		before := objects(t, dir)
		spare, err := look(t, dir).Merge(t.Context())
		if err := errors.Join(err, pack.Remove(spare)); err != nil {
			t.Fatal(err)
		}
		if p := look(t, dir); len(spare) != 2 || p.Loose() != 0 || p.Packs() != 2 || objects(t, dir) != before {
			t.Fatalf("%d files went, %d loose objects and %d packs are left", len(spare), p.Loose(), p.Packs())
		}
	})
}

func TestMergeRefuses(t *testing.T) {
	flip := func(at int) func(t *testing.T, files []string) {
		return func(t *testing.T, files []string) {
			for _, f := range files {
				raw, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				raw[min(at, len(raw)/2)] ^= 0x55
				if err := errors.Join(os.Chmod(f, 0o600), os.WriteFile(f, raw, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for name, c := range map[string]struct {
		files  string
		damage func(t *testing.T, files []string)
	}{
		"damaged packs":         {"pack/*.pack", flip(200)},
		"damaged indexes":       {"pack/*.idx", flip(1 << 20)},
		"damaged loose objects": {"[0-9a-f][0-9a-f]/*", flip(20)},
		"a loose object under another's name": {"[0-9a-f][0-9a-f]/*", func(t *testing.T, files []string) {
			if err := os.Rename(files[0], files[1]); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := repo(t)
			files, err := filepath.Glob(filepath.Join(dir, "objects", c.files))
			if err != nil || len(files) < 2 {
				t.Fatal(files, err)
			}
			c.damage(t, files)
			was, err := filepath.Glob(filepath.Join(dir, "objects", "*", "*"))
			if err != nil {
				t.Fatal(err)
			}
			spare, err := look(t, dir).Merge(t.Context())
			now, gerr := filepath.Glob(filepath.Join(dir, "objects", "*", "*"))
			if err == nil || spare != nil || gerr != nil || len(now) != len(was) {
				t.Fatalf("merged: %v, %d files to go; %d files were there, %d are", err, len(spare), len(was), len(now))
			}
		})
	}
}
