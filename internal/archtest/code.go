package archtest

import (
	"go/ast"
	"go/build/constraint"
	"path"
	"strconv"
	"strings"
)

func inits(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		for _, d := range f.Syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, Violation{Path: f.Path, Line: f.Set.Position(fn.Pos()).Line, What: "func init"})
			}
		}
	}
	return found
}

// sleeps lets tests of real parts wait in real time: those of the lab and e2e that a
// build tag keeps out of everyday runs. In a bubble of synctest sleeping takes no time.
func sleeps(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		real := (top(f.Dir) == "e2e" || top(f.Dir) == "lab") && tagged(f)
		if f.Test && !real && localName(f, "testing/synctest") == "" {
			found = append(found, calls(f, "time", "Sleep")...)
		}
	}
	return found
}

func tagged(f File) bool {
	for _, group := range f.Syntax.Comments {
		if group.Pos() > f.Syntax.Package {
			return false
		}
		for _, c := range group.List {
			if constraint.IsGoBuild(c.Text) {
				return true
			}
		}
	}
	return false
}

// exits lets the function main of a command end the process, and TestMain; nobody else.
func exits(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		all := append(calls(f, "os", "Exit"), calls(f, "log", "Fatal", "Fatalf", "Fatalln")...)
		for _, v := range all {
			if !f.Test && !insideMain(f, v.Line) || f.Test && !inside(f, "TestMain", v.Line) {
				found = append(found, v)
			}
		}
	}
	return found
}

func insideMain(f File, line int) bool { return f.Package == "main" && inside(f, "main", line) }

// inside reports whether a line belongs to the function of that name.
func inside(f File, function string, line int) bool {
	for _, d := range f.Syntax.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if ok && fn.Recv == nil && fn.Name.Name == function && f.Set.Position(fn.Pos()).Line <= line && line <= f.Set.Position(fn.End()).Line {
			return true
		}
	}
	return false
}

// contexts lets commands make the root of all contexts, wherever they live.
func contexts(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		if !f.Test && f.Package != "main" && top(f.Dir) != "cmd" {
			found = append(found, calls(f, "context", "Background", "TODO")...)
		}
	}
	return found
}

// environment leaves tests alone: they find the lab by a variable.
func environment(repo Repo) []Violation {
	var found []Violation
	for _, f := range repo.Files {
		switch top(f.Dir) {
		case "cmd", "lab", "e2e":
		default:
			if !f.Test {
				found = append(found, calls(f, "os", "Getenv", "LookupEnv", "Environ", "ExpandEnv")...)
			}
		}
	}
	return found
}

// calls finds the uses of some functions of a package, under whatever name the file
// imports it.
func calls(f File, pkg string, functions ...string) []Violation {
	local := localName(f, pkg)
	if local == "" {
		return nil
	}
	var found []Violation
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok || x.Name != local {
			return true
		}
		for _, fn := range functions {
			if sel.Sel.Name == fn {
				found = append(found, Violation{Path: f.Path, Line: f.Set.Position(sel.Pos()).Line, What: pkg + "." + fn})
			}
		}
		return true
	})
	return found
}

func localName(f File, pkg string) string {
	for _, spec := range f.Syntax.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != pkg {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(pkg)
	}
	return ""
}

// outside finds mentions of folders that exist on one machine only. The needles are put
// together here, so that this file does not find itself.
func outside(repo Repo) []Violation {
	needles := []string{"/work/" + "shared", "../" + "shared", "/work/" + "main"}
	var found []Violation
	for name, text := range repo.Texts {
		for i, line := range strings.Split(text, "\n") {
			for _, n := range needles {
				if strings.Contains(line, n) {
					found = append(found, Violation{Path: name, Line: i + 1, What: "mentions " + n})
				}
			}
		}
	}
	return found
}
