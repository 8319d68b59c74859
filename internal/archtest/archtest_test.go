package archtest_test

import (
	"bufio"
	"cmp"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/seatrial/seatrial/internal/archtest"
)

func TestTheHouseKeepsItsRules(t *testing.T) {
	root, err := os.OpenRoot("../..")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	repo, err := archtest.Load(root.FS())
	if err != nil {
		t.Fatal(err)
	}
	if len(repo.Files) < 50 {
		t.Fatalf("only %d files were found", len(repo.Files))
	}
	for _, v := range sorted(archtest.Check(repo, archtest.Rules(), archtest.Exceptions())) {
		t.Error(v)
	}
}

func sorted(all []archtest.Violation) []archtest.Violation {
	slices.SortFunc(all, func(a, b archtest.Violation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}

// TestEveryRuleBites runs the rules over a repo that breaks each of them: the file want
// in the archive lists what has to be found, and nothing else may be.
func TestEveryRuleBites(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tree, want := fstest.MapFS{}, map[string]bool{}
	for _, f := range archive.Files {
		if f.Name == "want" {
			for lines := bufio.NewScanner(strings.NewReader(string(f.Data))); lines.Scan(); {
				want[strings.ReplaceAll(lines.Text(), "SHARED", "/work/"+"shared")] = true
			}
			continue
		}
		// Long things are written as one line that stands for many.
		text := strings.ReplaceAll(string(f.Data), "// 60 lines\n", strings.Repeat("//\n", 60))
		text = strings.ReplaceAll(text, "// 500 lines\n", strings.Repeat("//\n", 500))
		tree[f.Name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, "SHARED", "/work/"+"shared"))}
	}
	repo, err := archtest.Load(tree)
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, v := range archtest.Check(repo, archtest.Rules(), []archtest.Exception{{Rule: "init", Path: "lab/ok.go", Reason: "never broken"}}) {
		rules[v.Rule] = true
		got := v.String()
		got = got[:strings.LastIndex(got, " (")]
		if !want[got] {
			t.Errorf("not wanted: %s", v)
		}
		delete(want, got)
		if v.Reason == "" {
			t.Errorf("no reason: %s", v)
		}
	}
	for w := range want {
		t.Errorf("not found: %s", w)
	}
	for _, r := range archtest.Rules() {
		if !rules[r.Name] {
			t.Errorf("rule %q was not tried", r.Name)
		}
	}
}

func TestAnExceptionCoversItsPlaceOnly(t *testing.T) {
	tree := fstest.MapFS{
		"slo/a.go":  &fstest.MapFile{Data: []byte("package slo\n\nfunc init() {}\n")},
		"slo/b.go":  &fstest.MapFile{Data: []byte("// Package slo. Start here.\npackage slo\n\nfunc init() {}\n")},
		"slo/ab.go": &fstest.MapFile{Data: []byte("package slo\n")},
	}
	repo, err := archtest.Load(tree)
	if err != nil {
		t.Fatal(err)
	}
	var rule archtest.Rule
	for _, r := range archtest.Rules() {
		if r.Name == "init" {
			rule = r
		}
	}
	left := archtest.Check(repo, []archtest.Rule{rule}, []archtest.Exception{{Rule: "init", Path: "slo/a.go", Reason: "tried"}})
	if len(left) != 1 || left[0].Path != "slo/b.go" {
		t.Errorf("left %v", left)
	}
}

func TestTablesHaveReasons(t *testing.T) {
	for _, a := range archtest.Arrows() {
		if a.Reason == "" {
			t.Errorf("arrow %s has no reason", a.From)
		}
	}
	for _, d := range archtest.Doors() {
		if d.Reason == "" || len(d.May) == 0 {
			t.Errorf("door %s has no reason or no folder", d.SDK)
		}
	}
	for _, e := range archtest.Exceptions() {
		if e.Reason == "" || e.Path == "" {
			t.Errorf("exception %+v has no reason or no place", e)
		}
	}
}
