// Package archtest holds the rules of the house as tests: who may import whom, which
// package is the door of an SDK, how long things may be, and what no code may do.
//
// Start at Tables, the rules that are data, then Rules, those that are code. Every rule
// carries its reason, and the failure prints it. It reads source text only and never
// decides by taste: what cannot be stated as a rule belongs into a review. An exception
// is a row in Exceptions with its own reason, and one that is no longer needed fails too.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is our module path.
const Module = "github.com/seatrial/seatrial"

// File is one Go file of the repo.
type File struct {
	Path    string // from the repo's root
	Dir     string // of its package, from the root; "." for the root
	Package string
	Test    bool // its name ends in _test.go
	Lines   int
	Made    bool // generated
	Imports []Import
	Syntax  *ast.File
	Set     *token.FileSet
}

// Import is one import of a file.
type Import struct {
	Path  string
	Blank bool
	Line  int
}

// Repo is what the rules look at.
type Repo struct {
	Files []File
	Texts map[string]string // every text file by its path, Go files included
}

// Violation is one breach of a rule.
type Violation struct {
	Rule   string
	Path   string // of a file or a folder
	Line   int    // 0: all of it
	What   string
	Reason string
}

// String is "path:line: what: reason".
func (v Violation) String() string {
	at := v.Path
	if v.Line > 0 {
		at = fmt.Sprintf("%s:%d", v.Path, v.Line)
	}
	return fmt.Sprintf("%s: %s (%s: %s)", at, v.What, v.Rule, v.Reason)
}

// skipped folders hold other modules, other languages, or what tools wrote.
func skipped(dir string) bool {
	switch path.Base(dir) {
	case ".git", "node_modules", "dist", "testdata", "bin", "out":
		return true
	}
	return slices.Contains([]string{"lab/components", "examples", "web/console"}, dir)
}

const maxText = 4 << 20

// Load reads a repo's sources.
func Load(fsys fs.FS) (Repo, error) {
	repo := Repo{Texts: map[string]string{}}
	set := token.NewFileSet()
	err := fs.WalkDir(fsys, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if skipped(name) {
				return fs.SkipDir
			}
			return nil
		}
		info, err := e.Info()
		if err != nil || !e.Type().IsRegular() || info.Size() > maxText || name == ".git" {
			return nil // removed meanwhile, a link, data, or where a worktree has its repo
		}
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if slices.Contains(b[:min(len(b), 512)], 0) {
			return nil // binary
		}
		repo.Texts[name] = string(b)
		if path.Ext(name) != ".go" {
			return nil
		}
		f, err := parse(set, name, b)
		if err != nil {
			return err
		}
		if f.Package != "" {
			repo.Files = append(repo.Files, f)
		}
		return nil
	})
	return repo, err
}

func parse(set *token.FileSet, name string, b []byte) (File, error) {
	syntax, err := parser.ParseFile(set, name, b, parser.ParseComments)
	if err != nil {
		return File{}, fmt.Errorf("parse %s: %w", name, err)
	}
	f := File{
		Path:    name,
		Dir:     path.Dir(name),
		Package: syntax.Name.Name,
		Test:    strings.HasSuffix(name, "_test.go"),
		Lines:   strings.Count(string(b), "\n"),
		Made:    ast.IsGenerated(syntax),
		Syntax:  syntax,
		Set:     set,
	}
	for _, spec := range syntax.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return File{}, fmt.Errorf("parse %s: import %s: %w", name, spec.Path.Value, err)
		}
		f.Imports = append(f.Imports, Import{Path: p, Blank: spec.Name != nil && spec.Name.Name == "_", Line: set.Position(spec.Pos()).Line})
	}
	return f, nil
}

// top is the first step of a folder: the word of the journey it belongs to.
func top(dir string) string { first, _, _ := strings.Cut(dir, "/"); return first }

// within reports whether a folder or import path is prefix or below it.
func within(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

// Check runs every rule and takes the exceptions out. A stale exception is a violation.
func Check(repo Repo, rules []Rule, exceptions []Exception) []Violation {
	used := make([]bool, len(exceptions))
	var left []Violation
	for _, r := range rules {
		for _, v := range r.Find(repo) {
			v.Rule = r.Name
			if v.Reason == "" {
				v.Reason = r.Reason
			}
			i := slices.IndexFunc(exceptions, func(e Exception) bool { return e.Rule == r.Name && within(v.Path, e.Path) })
			if i < 0 {
				left = append(left, v)
				continue
			}
			used[i] = true
		}
	}
	for i, e := range exceptions {
		if !used[i] {
			left = append(left, Violation{Rule: "exceptions", Path: e.Path, What: "no longer breaks the rule " + e.Rule, Reason: "an exception that is not needed hides the next breach: remove its row"})
		}
	}
	return left
}
