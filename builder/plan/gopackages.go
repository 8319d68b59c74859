package plan

import (
	"bytes"
	"errors"
	"go/build"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

const (
	maxPackages = 3000
	maxSource   = 1 << 20 // bytes of a Go file that are looked at
)

// goFiles reads the tree as go build for Linux would. Its functions keep package build
// within the tree; it never starts the go command.
func goFiles(t tree, cgo bool) *build.Context {
	return &build.Context{
		GOOS: "linux", GOARCH: "amd64", Compiler: "gc", CgoEnabled: cgo,
		ReleaseTags: build.Default.ReleaseTags,
		JoinPath:    path.Join,
		IsAbsPath:   path.IsAbs,
		HasSubdir:   func(string, string) (string, bool) { return "", false },
		IsDir:       t.hasDir,
		ReadDir: func(dir string) ([]fs.FileInfo, error) {
			entries, err := fs.ReadDir(t, dir)
			if len(entries) > maxEntries {
				return nil, errors.New("too many files")
			}
			var out []fs.FileInfo
			for _, e := range entries {
				if info, err := e.Info(); err == nil && (info.Mode().IsRegular() || info.IsDir()) {
					out = append(out, info)
				}
			}
			return out, err
		},
		OpenFile: func(name string) (io.ReadCloser, error) {
			f, err := t.Open(name)
			if err != nil {
				return nil, err
			}
			return struct {
				io.Reader
				io.Closer
			}{io.LimitReader(f, maxSource), f}, nil
		},
	}
}

// packageName is the name of the package in a folder; empty when there is none.
func packageName(t tree, dir string) string {
	p, err := goFiles(t, true).ImportDir(dir, 0)
	if err != nil {
		return ""
	}
	return p.Name
}

// noCgo follows the imports of the command through its own module and refuses a file that
// needs a C compiler. One that says //go:build cgo is there for those who have one, and
// go build leaves it out.
func noCgo(t tree, modulePath, dir string) error {
	with, without := goFiles(t, true), goFiles(t, false)
	seen := map[string]bool{dir: true}
	for queue := []string{dir}; len(queue) > 0; queue = queue[1:] {
		p, err := with.ImportDir(queue[0], 0)
		if err != nil {
			continue // go build says it better, with the line
		}
		for _, file := range p.CgoFiles {
			if match, err := without.MatchFile(queue[0], file); err == nil && match {
				return refuse(`build it with a Dockerfile, or give the file the line "//go:build cgo" and a sibling without cgo`,
					`%s imports "C": a planned build is cross-compiled, without a C compiler`, path.Join(queue[0], file))
			}
		}
		for _, imported := range p.Imports {
			below, own := strings.CutPrefix(imported+"/", modulePath+"/")
			if next := path.Join(".", below); own && !seen[next] {
				if len(seen) >= maxPackages {
					return refuse("build it with a Dockerfile", "the command has over %d packages of its own", maxPackages)
				}
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// lacking is a module that go.mod requires and whose entry the lock does not have; ""
// when the two agree. A module that is replaced by a folder is in no go.sum.
func lacking(mod *modfile.File, lock []byte, entry func(required, taken module.Version) []string) string {
	have := map[string]bool{}
	for l := range bytes.Lines(lock) {
		have[strings.TrimSpace(string(l))] = true
		if words := strings.Fields(string(l)); len(words) == 3 { // "path version hash"
			have[words[0]+" "+words[1]] = true
		}
	}
	for _, r := range mod.Require {
		taken := r.Mod
		for _, x := range mod.Replace {
			if x.Old.Path == r.Mod.Path && (x.Old.Version == "" || x.Old.Version == r.Mod.Version) {
				taken = x.New
			}
		}
		want := entry(r.Mod, taken)
		if len(want) > 0 && !slices.ContainsFunc(want, func(s string) bool { return have[s] }) {
			return r.Mod.Path + " " + r.Mod.Version
		}
	}
	return ""
}

// sums are the lines of go.sum that show a module is locked: its content, or at least its
// go.mod when none of its packages is needed.
func sums(_, taken module.Version) []string {
	if taken.Version == "" {
		return nil
	}
	line := taken.Path + " " + taken.Version
	return []string{line, line + "/go.mod"}
}

// vendored is the line of vendor/modules.txt.
func vendored(required, taken module.Version) []string {
	line := "# " + required.Path + " " + required.Version
	if taken == required {
		return []string{line}
	}
	return []string{line + " => " + strings.TrimSpace(taken.Path+" "+taken.Version)}
}
