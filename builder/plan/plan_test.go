package plan_test

import (
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/builder/plan"
	"github.com/seatrial/seatrial/internal/hint"
)

var update = flag.Bool("update", false, "write what is planned into testdata")

// TestTrees plans each small tree of testdata: a case is headed by its claim, "ask" is
// what .seatrial.yaml says, and "want/" what comes out.
func TestTrees(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ask, tree, want := read(t, a)
			got := outcome(t, tree, ask)
			if *update {
				write(t, file, a, got)
			} else if !reflect.DeepEqual(got, want) {
				for name := range with(got, want) {
					if got[name] != want[name] {
						t.Errorf("%s: got\n%s\nwant\n%s", name, got[name], want[name])
					}
				}
			}
		})
	}
}

func read(t *testing.T, a *txtar.Archive) (plan.Ask, fstest.MapFS, map[string]string) {
	t.Helper()
	ask, tree, want := plan.Ask{Name: "web"}, fstest.MapFS{}, map[string]string{}
	for _, f := range a.Files {
		switch {
		case f.Name == "ask":
			if err := yaml.UnmarshalStrict(f.Data, &ask.BuildPlan); err != nil {
				t.Fatal(err)
			}
		case f.Name == "secrets":
			ask.Secrets = strings.Fields(string(f.Data))
		case strings.HasPrefix(f.Name, "want/"):
			want[f.Name] = string(f.Data)
		default:
			tree[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	return ask, tree, want
}

func outcome(t *testing.T, tree fs.FS, ask plan.Ask) map[string]string {
	t.Helper()
	p, err := plan.Detect(tree, ask)
	if err != nil {
		if hint.Of(err) == "" {
			t.Errorf("%v: no next step", err)
		}
		return map[string]string{"want/error": err.Error() + "\nhint: " + hint.Of(err) + "\n"}
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back plan.Plan
	if err := json.Unmarshal(raw, &back); err != nil || !reflect.DeepEqual(p, back) {
		t.Errorf("JSON gives another plan back: %v\n%s", err, raw)
	}
	wellFormed(t, p)
	return map[string]string{"want/words": plan.Words(p), "want/Dockerfile": plan.Dockerfile(p, nil)}
}

// wellFormed is what package graph relies on.
func wellFormed(t *testing.T, p plan.Plan) {
	t.Helper()
	known := map[string]bool{}
	for _, s := range p.Stages {
		if known[s.Name] || s.From == "" {
			t.Errorf("stage %q from %q", s.Name, s.From)
		}
		for _, step := range s.Steps {
			if (step.Run == nil) == (step.Copy == nil) {
				t.Errorf("stage %s has a step that is not one thing: %+v", s.Name, step)
			}
			if c := step.Copy; c != nil && (c.From != "" && !known[c.From] || !strings.HasPrefix(c.To, "/") || !strings.HasSuffix(c.To, "/")) {
				t.Errorf("stage %s copies from %q to %q", s.Name, c.From, c.To)
			}
		}
		known[s.Name] = true
	}
	if last := p.Stages[len(p.Stages)-1].Name; last != plan.Final || len(p.Image.Entrypoint) == 0 || p.Image.User == "" {
		t.Errorf("ends in %q, image %+v", last, p.Image)
	}
}

func write(t *testing.T, file string, a *txtar.Archive, got map[string]string) {
	t.Helper()
	out := &txtar.Archive{Comment: a.Comment}
	for _, f := range a.Files {
		if !strings.HasPrefix(f.Name, "want/") {
			out.Files = append(out.Files, f)
		}
	}
	for _, name := range []string{"want/words", "want/Dockerfile", "want/error"} {
		if text, ok := got[name]; ok {
			out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(text)})
		}
	}
	if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
		t.Fatal(err)
	}
}

func with(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

func TestALinkOutOfTheTreeIsNotFollowed(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "go.mod"), []byte("module example.org/secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "go.mod"), filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	_, err = plan.Detect(root.FS(), plan.Ask{Name: "web"})
	if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), outside) {
		t.Errorf("error = %v", err)
	}
}

func TestWhatIsTooLargeIsNotRead(t *testing.T) {
	for name, file := range map[string]string{"go.mod": "go.mod", "package.json": "package.json", "pyproject.toml": "pyproject.toml"} {
		tree := fstest.MapFS{file: {Data: []byte(strings.Repeat(" ", 2<<20))}}
		if _, err := plan.Detect(tree, plan.Ask{}); err == nil || !strings.Contains(err.Error(), name+" is over 1048576 bytes") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzGo(f *testing.F) {
	f.Add("module example.org/web\n\ngo 1.26\n\nrequire example.org/a v1.0.0\n", "example.org/a v1.0.0 h1:x=\n", "package main\n\nimport \"example.org/web/in\"\n", "package in\n")
	f.Add("module example.org/web\ntoolchain go1.27rc1\nreplace a => ./a\n", "", "//go:build cgo\n\npackage main\nimport \"C\"\n", "")
	f.Fuzz(func(t *testing.T, mod, sum, main, in string) {
		try(t, fstest.MapFS{"go.mod": {Data: []byte(mod)}, "go.sum": {Data: []byte(sum)}, "cmd/web/main.go": {Data: []byte(main)}, "in/in.go": {Data: []byte(in)}})
	})
}

func FuzzNode(f *testing.F) {
	f.Add(`{"dependencies": {"a": "^1"}, "scripts": {"start": "node ."}, "engines": {"node": ">=20 <23 || 24 - 26"}}`, `{"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "^1"}}}}`, byte(0))
	f.Add(`{"devDependencies": {"vite": "5"}, "scripts": {"build": "vite build"}, "packageManager": "pnpm@9.1.0+sha512.x"}`, "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    devDependencies:\n      vite:\n        specifier: '5'\n", byte(1))
	f.Add(`{"dependencies": {"@a/b": "^1"}, "main": "x.js", "workspaces": ["a"]}`, "# yarn lockfile v1\n\"@a/b@^1\":\n", byte(2))
	f.Fuzz(func(t *testing.T, pkg, lock string, kind byte) {
		name := []string{"package-lock.json", "pnpm-lock.yaml", "yarn.lock"}[int(kind)%3]
		try(t, fstest.MapFS{"package.json": {Data: []byte(pkg)}, name: {Data: []byte(lock)}, "server.js": {}})
	})
}

func FuzzPython(f *testing.F) {
	f.Add("[project]\nrequires-python = \">=3.11,<3.13\"\ndependencies = [\"flask>=3\"]\n", "[[package]]\nname = \"flask\"\n", "flask==3\n# x\n-r other.txt\n", byte(0))
	f.Add("[tool.poetry.dependencies]\npython = \"^3.12\"\nDjango = {version = \"5\"}\n", "[[package]]\nname = \"django\"\n", "", byte(1))
	f.Fuzz(func(t *testing.T, project, lock, requirements string, kind byte) {
		tree := fstest.MapFS{"pyproject.toml": {Data: []byte(project)}, "main.py": {}}
		switch kind % 3 {
		case 0:
			tree["uv.lock"] = &fstest.MapFile{Data: []byte(lock)}
		case 1:
			tree["poetry.lock"] = &fstest.MapFile{Data: []byte(lock)}
		case 2:
			tree["requirements.txt"] = &fstest.MapFile{Data: []byte(requirements)}
		}
		try(t, tree)
	})
}

// try plans a tree: there is a plan or an error with a next step, and a Dockerfile is one
// line for each thing said, whatever the files hold.
func try(t *testing.T, tree fs.FS) {
	t.Helper()
	p, err := plan.Detect(tree, plan.Ask{Name: "web"})
	if err != nil {
		if hint.Of(err) == "" {
			t.Fatalf("%v: no next step", err)
		}
		return
	}
	wellFormed(t, p)
	for line := range strings.Lines(plan.Dockerfile(p, nil)) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !strings.HasPrefix(line, "    ") && word != "" && !strings.Contains(" # FROM WORKDIR ENV ARG RUN COPY EXPOSE USER ENTRYPOINT ", " "+word+" ") {
			t.Fatalf("the Dockerfile has the line %q", line)
		}
	}
}
