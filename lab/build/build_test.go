package build_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/lab/build"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestKeyChangesWithWhatGoesIntoABuild(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module a\n")
	write(t, filepath.Join(dir, "sub", "x.go"), "package x\n")
	f := build.Family{Name: "a", Programs: []build.Program{{Name: "a", Package: "."}}}
	key := func(f build.Family, goVersion string) string {
		t.Helper()
		k, err := build.Key(f, dir, goVersion)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	base := key(f, "go1")
	if key(f, "go1") != base {
		t.Error("the same input gives another key")
	}
	seen := map[string]string{base: "the base"}
	note := func(what, k string) {
		if other, ok := seen[k]; ok {
			t.Errorf("%s has the key of %s", what, other)
		}
		seen[k] = what
	}
	note("another Go", key(f, "go2"))
	tagged, linked := f, f
	tagged.Tags, linked.LDFlags = "x", "x"
	note("another tag", key(tagged, "go1"))
	note("another link flag", key(linked, "go1"))
	write(t, filepath.Join(dir, "go.sum"), "sum\n")
	note("a new file", key(f, "go1"))
	write(t, filepath.Join(dir, "sub", "x.go"), "package y\n")
	note("a changed file", key(f, "go1"))
}

func builder(t *testing.T, program string) (*build.Builder, build.Family) {
	t.Helper()
	src := t.TempDir()
	write(t, filepath.Join(src, "tiny", "go.mod"), "module tiny\n\ngo 1.26\n")
	write(t, filepath.Join(src, "tiny", "main.go"), program)
	b := &build.Builder{Source: src, Cache: t.TempDir(), Say: t.Logf}
	return b, build.Family{Name: "tiny", Programs: []build.Program{{Name: "tiny", Package: "."}}}
}

func TestBuildFillsTheCacheOnce(t *testing.T) {
	b, f := builder(t, "package main\n\nfunc main() {}\n")
	families := []build.Family{f}
	if err := b.Build(t.Context(), families); err != nil {
		t.Fatal(err)
	}
	dir, err := b.Dir(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "bin", "tiny")); err != nil {
		t.Error(err)
	}
	if missing, err := b.Missing(families); err != nil || len(missing) != 0 {
		t.Errorf("Missing = %v, %v after a build", missing, err)
	}
}

func TestAFailedBuildNamesItsProgramAndLeavesNothing(t *testing.T) {
	b, f := builder(t, "package main\n\nfunc main() { nonsense }\n")
	err := b.Build(t.Context(), []build.Family{f})
	if err == nil || !strings.Contains(err.Error(), "build tiny") || !strings.Contains(err.Error(), "undefined: nonsense") {
		t.Errorf("Build = %v, want the family and the compiler's words", err)
	}
	left, rerr := os.ReadDir(b.Cache)
	if rerr != nil || len(left) != 0 {
		t.Errorf("the cache holds %v, %v", left, rerr)
	}
}

func TestACancelledBuildLeavesNothing(t *testing.T) {
	b, f := builder(t, "package main\n\nfunc main() {}\n")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Build(ctx, []build.Family{f}); err == nil {
		t.Error("a cancelled build passed")
	}
	if left, err := os.ReadDir(b.Cache); err != nil || len(left) != 0 {
		t.Errorf("the cache holds %v, %v", left, err)
	}
}

func TestPruneKeepsWhatIsInUse(t *testing.T) {
	src, err := filepath.Abs("../components")
	if err != nil {
		t.Fatal(err)
	}
	b := &build.Builder{Source: src, Cache: t.TempDir(), Say: t.Logf}
	used, err := b.Bin("etcd")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(used, "etcd"), "")
	write(t, filepath.Join(b.Cache, "etcd-0000000000000000", "bin", "etcd"), "")
	write(t, filepath.Join(b.Cache, ".building-etcd-1", "x"), "")
	write(t, filepath.Join(b.Cache, "layer-debian-1", "x"), "")
	if err := b.Prune(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(b.Cache)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{filepath.Base(filepath.Dir(used)), "layer-debian-1"}
	if !slices.Equal(names, want) {
		t.Errorf("Prune left %v, want %v", names, want)
	}
}

func TestEveryFamilyHasItsFolder(t *testing.T) {
	for _, f := range slices.Concat(build.Families(), build.Tools()) {
		if _, err := os.Stat(filepath.Join("../components", f.Name)); err != nil {
			t.Error(err)
		}
	}
}
