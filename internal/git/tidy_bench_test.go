package git_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/release"
)

// BenchmarkFolder reads folders of one service each at commits of a branch, from a mirror
// in which all is loose or in many packs, and from the same when it is tidy.
func BenchmarkFolder(b *testing.B) {
	for _, size := range []struct{ commits, loose, packs int }{{1500, 1100, 50}, {6000, 5000, 250}} {
		src := filepath.Join(b.TempDir(), "src.git")
		run(b, "", "", "init", "-q", "--bare", src)
		run(b, src, manyServices(size.commits), "-c", "fastimport.unpackLimit=0", "fast-import", "--quiet")
		commits := strings.Fields(run(b, src, "", "rev-list", "--reverse", "env/prod"))
		dir := b.TempDir()
		url := "file://" + src
		read := func(b *testing.B, r *git.Repos, n int) {
			c := n % len(commits)
			if _, err := r.Tree(b.Context(), url, "", release.Commit(commits[c]), service(c), git.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
		fresh := func(b *testing.B, loose int) *git.Repos {
			r, err := git.Open(git.Config{Dir: dir, AllowFile: true, Loose: loose, MaxPacks: 1 << 20})
			if err != nil {
				b.Fatal(err)
			}
			return r
		}
		if _, err := fresh(b, 0).Log(b.Context(), url, "env/prod", release.Commit(commits[len(commits)-1]), "", 1); err != nil {
			b.Fatal(err)
		}
		shatter(b, mirrorOf(b, dir), commits, size.loose, size.packs)
		measure := func(state string) {
			b.Run(fmt.Sprintf("commits=%d/%s/first", size.commits, state), func(b *testing.B) {
				for n := 0; b.Loop(); n++ {
					read(b, fresh(b, 0), n*97)
				}
			})
			b.Run(fmt.Sprintf("commits=%d/%s/next", size.commits, state), func(b *testing.B) {
				r := fresh(b, 0)
				for n := 0; b.Loop(); n++ {
					read(b, r, n*97)
				}
			})
		}
		measure("untidy")
		r := fresh(b, 1)
		read(b, r, 0)
		if err := r.Tidy(b.Context()); err != nil {
			b.Fatal(err)
		}
		measure("tidy")
	}
}

func service(i int) string { return fmt.Sprintf("team%d/svc%d", i%50, i%2000) }

func manyServices(n int) string {
	var in strings.Builder
	for i := range n {
		text := strings.Repeat(fmt.Sprintf("kind: Deployment\nname: %s\nimage: reg/web@sha256:%x\n", service(i), i*7919), 30)
		fmt.Fprintf(&in, "commit refs/heads/env/prod\ncommitter a <a@x> %d +0000\ndata 6\ndeploy\nM 100644 inline %s/manifests.yaml\ndata %d\n%s\n", 1700000000+i, service(i), len(text), text)
	}
	return in.String()
}

// shatter makes loose objects of all, and packs of one commit each beside them.
func shatter(b *testing.B, mirror string, commits []string, loose, packs int) {
	b.Helper()
	found, err := filepath.Glob(filepath.Join(mirror, "objects", "pack", "*.pack"))
	if err != nil || len(found) != 1 {
		b.Fatal(found, err)
	}
	away := filepath.Join(b.TempDir(), "all.pack")
	if err := os.Rename(found[0], away); err != nil {
		b.Fatal(err)
	}
	raw, err := os.ReadFile(away)
	if err != nil {
		b.Fatal(err)
	}
	run(b, mirror, string(raw), "unpack-objects", "-q")
	each := (len(commits) - loose) / packs
	for i := range packs {
		to := commits[(i+1)*each-1]
		from := ""
		if i > 0 {
			from = "^" + commits[i*each-1] + "\n"
		}
		run(b, mirror, to+"\n"+from, "pack-objects", "-q", "--revs", "--delta-base-offset", filepath.Join(mirror, "objects/pack/pack"))
	}
	run(b, mirror, "", "prune-packed", "-q")
	_ = os.Remove(strings.TrimSuffix(found[0], ".pack") + ".idx")
	b.Logf("%d loose objects, %d packs", count(b, mirror, "??/*"), count(b, mirror, "pack/*.pack"))
}

func run(b *testing.B, dir, stdin string, args ...string) string {
	b.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "HOME=/nonexistent")
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("git %v: %v", args, err)
	}
	return strings.TrimSpace(string(out))
}
