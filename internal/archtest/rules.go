package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// Rule is one rule of the house.
type Rule struct {
	Name   string
	Reason string // for violations that carry none of their own
	Find   func(Repo) []Violation
}

// The budgets, in lines.
const (
	maxFunction = 60
	maxFile     = 500
	maxPackage  = 2000
)

// Rules are all rules.
func Rules() []Rule {
	return []Rule{
		{"arrows", "", arrows},
		{"doors", "", doors},
		{"standard library", "release is the vocabulary of every part: what it needed, all would need", standardOnly},
		{"blank import", "who is registered has to be visible in wire.go", blankImports},
		{"package doc", "a reader has to know what a package is for, where to start and what it never does", docs},
		{"names", "a folder is a word of the journey; a word that fits everything says nothing", names},
		{"function budget", "what does not fit on a screen does more than one thing", functionBudget},
		{"file budget", "a file is one idea", fileBudget},
		{"package budget", "a package that swallows everything is nobody's", packageBudget},
		{"init", "what happens before main cannot be ordered, tested or refused", inits},
		{"sleep", "a test that sleeps is slow or flaky: use testing/synctest or a channel", sleeps},
		{"exit", "os.Exit runs no defer: faults, leases and files would be left behind", exits},
		{"context", "a context that nobody cancels outlives its caller: take ctx, or context.WithoutCancel with a timeout", contexts},
		{"environment", "settings come from one file, composed in cmd; a library that reads the environment surprises", environment},
		{"outside", "the repo has to stand alone", outside},
	}
}

func arrows(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		if f.Dir == "." {
			continue
		}
		i := slices.IndexFunc(Arrows(), func(a Arrow) bool { return within(f.Dir, a.From) })
		if i < 0 {
			found = append(found, Violation{Path: f.Path, What: "folder " + top(f.Dir) + " has no row in the import table", Reason: "a new folder is a new word: say what it may know"})
			continue
		}
		a := Arrows()[i]
		if f.Test && a.May != nil {
			a.May = append(TestsMay(), a.May...)
		}
		for _, imp := range f.Imports {
			dir, ours := strings.CutPrefix(imp.Path, Module+"/")
			if ours && !allowed(dir, a) {
				found = append(found, Violation{Path: f.Path, Line: imp.Line, What: a.From + " imports " + dir, Reason: a.Reason})
			}
		}
	}
	return found
}

func allowed(dir string, a Arrow) bool {
	return within(dir, a.From) || slices.ContainsFunc(a.May, func(may string) bool { return may == "*" || within(dir, may) })
}

func doors(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		for _, imp := range f.Imports {
			d, ok := doorOf(imp.Path)
			if ok && f.Dir != "." && !slices.ContainsFunc(d.May, func(may string) bool { return within(f.Dir, may) }) {
				found = append(found, Violation{Path: f.Path, Line: imp.Line, What: fmt.Sprintf("imports %s, whose door is %s", imp.Path, strings.Join(d.May, ", ")), Reason: d.Reason})
			}
			if ok && !f.Test && slices.Contains(OnlyTests(), d.SDK) {
				found = append(found, Violation{Path: f.Path, Line: imp.Line, What: "imports " + imp.Path + " outside of tests", Reason: d.Reason})
			}
		}
	}
	return found
}

func doorOf(imported string) (best Door, ok bool) {
	for _, d := range Doors() {
		if (within(imported, d.SDK) || strings.HasPrefix(imported, d.SDK+".")) && len(d.SDK) > len(best.SDK) {
			best, ok = d, true
		}
	}
	return best, ok
}

func standardOnly(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		for _, imp := range f.Imports {
			first, _, _ := strings.Cut(imp.Path, "/")
			if within(f.Dir, "release") && strings.Contains(first, ".") && !within(imp.Path, Module+"/release") {
				found = append(found, Violation{Path: f.Path, Line: imp.Line, What: "release imports " + imp.Path})
			}
		}
	}
	return found
}

func blankImports(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		for _, imp := range f.Imports {
			if imp.Blank && imp.Path != "embed" && f.Dir != "." && top(f.Dir) != "cmd" {
				found = append(found, Violation{Path: f.Path, Line: imp.Line, What: "imports " + imp.Path + " for its side effects"})
			}
		}
	}
	return found
}

func docs(repo Repo) []Violation {
	var found []Violation
	for dir, files := range packages(repo) {
		text := ""
		for _, f := range files {
			if f.Syntax.Doc != nil {
				text += f.Syntax.Doc.Text()
			}
		}
		want := "Package " + files[0].Package + " "
		switch {
		case files[0].Package == "main":
			if text == "" {
				found = append(found, Violation{Path: dir, What: "the command has no doc comment"})
			}
		case !strings.HasPrefix(text, want):
			found = append(found, Violation{Path: dir, What: "no doc comment that begins with " + strings.TrimSpace(want)})
		case !strings.Contains(strings.ToLower(text), "start"):
			found = append(found, Violation{Path: dir, What: "the doc comment does not say where to start"})
		case !strings.Contains(text, "never"):
			found = append(found, Violation{Path: dir, What: "the doc comment does not say what the package never does"})
		}
	}
	return found
}

// packages are the Go files that are not tests by folder; folders with tests only have
// nothing to explain.
func packages(repo Repo) map[string][]File {
	all := map[string][]File{}
	for _, f := range repo.Files {
		if !f.Test && f.Dir != "." {
			all[f.Dir] = append(all[f.Dir], f)
		}
	}
	return all
}

func names(repo Repo) []Violation {
	var found []Violation
	for dir := range packages(repo) {
		switch base := path.Base(dir); base {
		case "pkg", "utils", "util", "common", "models", "services", "mocks", "config", "api", "helpers", "helper", "misc", "base", "errors", "types", "strings", "context", "time", "http":
			found = append(found, Violation{Path: dir, What: "a folder is called " + base})
		}
	}
	return found
}

func functionBudget(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		for _, d := range f.Syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || f.Test || f.Made {
				continue
			}
			from, to := f.Set.Position(fn.Pos()).Line, f.Set.Position(fn.End()).Line
			if n := to - from + 1; n > maxFunction {
				found = append(found, Violation{Path: f.Path, Line: from, What: fmt.Sprintf("%s has %d lines, at most %d", fn.Name.Name, n, maxFunction)})
			}
		}
	}
	return found
}

func fileBudget(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		if !f.Test && !f.Made && f.Lines > maxFile {
			found = append(found, Violation{Path: f.Path, What: fmt.Sprintf("%d lines, at most %d", f.Lines, maxFile)})
		}
	}
	return found
}

func packageBudget(repo Repo) []Violation {
	var found []Violation
	for dir, files := range packages(repo) {
		n := 0
		for _, f := range files {
			if !f.Made {
				n += f.Lines
			}
		}
		if n > maxPackage {
			found = append(found, Violation{Path: dir, What: fmt.Sprintf("%d lines, at most %d", n, maxPackage)})
		}
	}
	return found
}
