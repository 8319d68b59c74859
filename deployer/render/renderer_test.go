package render_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/hint"
)

func TestTheSameFilesOfAnotherCommitAreNotRenderedAgain(t *testing.T) {
	files := map[string]map[string]string{
		render.Helm: chart(map[string]string{"deploy/values-prod.yaml": "a: 1\n"}),
		render.Kustomize: {"deploy/kustomization.yaml": "resources: [web.yaml]\n", "deploy/web.yaml": deployment("web", "shop/web"),
			"deploy/README.md": "not read"},
		render.Jsonnet: {"deploy/main.jsonnet": "import 'web.libsonnet'", "vendor/web.libsonnet": jsonnetWeb},
		render.Plain:   {"deploy/web.yaml": deployment("web", "shop/web")},
	}
	inputs := map[string]string{render.Helm: "deploy/values-prod.yaml", render.Kustomize: "deploy/web.yaml", render.Jsonnet: "vendor/web.libsonnet", render.Plain: "deploy/web.yaml"}
	newcomers := map[string]string{render.Helm: "deploy/templates/new.yaml", render.Kustomize: "deploy/Chart.yaml", render.Jsonnet: "deploy/lib/web.libsonnet", render.Plain: "deploy/new.yaml"}
	for kind, tree0 := range files {
		t.Run(kind, func(t *testing.T) {
			r := renderer(t, render.Config{})
			do := func(what string, want bool, files fstest.MapFS, o render.Options) render.Rendered {
				t.Helper()
				out, err := r.Render(t.Context(), files, o)
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if out.Cached != want || out.Kind != kind {
					t.Errorf("%s: from memory %v, want %v (%s)", what, out.Cached, want, out.Kind)
				}
				return out
			}
			first := do("the first time", false, tree(tree0), options())
			again := do("the second time", true, tree(tree0), options())
			if again.Digest != first.Digest || string(again.YAML) != string(first.YAML) {
				t.Error("what was remembered is something else")
			}
			again.Objects[0].SetName("changed")
			other := tree(tree0)
			other["main.go"] = &fstest.MapFile{Data: []byte("x")}
			if third := do("another file of the repository", true, other, options()); third.Objects[0].GetName() != "web" {
				t.Error("who was given the objects changed the memory")
			}
			o := options()
			o.Image = strings.Replace(image, "0", "f", 1)
			if next := do("another image", true, tree(tree0), o); !strings.Contains(string(next.YAML), o.Image) {
				t.Error("the old image came out of the memory")
			}
			o.Params = map[string]string{"a": "2"}
			do("another param", false, tree(tree0), o)
			changed := tree(tree0)
			changed[inputs[kind]] = &fstest.MapFile{Data: append([]byte("\n"), changed[inputs[kind]].Data...)}
			do("a file that is read", false, changed, options())
			do("the old files again", true, tree(tree0), options())
		})
		t.Run(kind+", a file where none was", func(t *testing.T) {
			r := renderer(t, render.Config{})
			if _, err := r.Render(t.Context(), tree(tree0), options()); err != nil {
				t.Fatal(err)
			}
			more := tree(tree0)
			more[newcomers[kind]] = &fstest.MapFile{Data: []byte(map[string]string{render.Kustomize: chartYAML, render.Jsonnet: "{apiVersion: 'v1', kind: 'Service', metadata: {name: 'x'}}"}[kind])}
			if out, err := r.Render(t.Context(), more, options()); err == nil && out.Cached {
				t.Error("the new file was not seen")
			}
		})
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	r := renderer(t, render.Config{Cache: 4000})
	render1 := func(name string) bool {
		out, err := r.Render(t.Context(), tree(map[string]string{"deploy/web.yaml": deployment(name, "shop/web")}), options())
		if err != nil {
			t.Fatal(err)
		}
		return out.Cached
	}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if render1(name) {
			t.Errorf("%s was known", name)
		}
	}
	if !render1("h") {
		t.Error("the newest was forgotten")
	}
	if render1("a") {
		t.Error("the oldest was kept")
	}
}

func TestManyAtTheSameTimeGetTheirOwn(t *testing.T) {
	r := renderer(t, render.Config{Parallel: 2, Spare: time.Minute})
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			name := string(rune('a' + i%4))
			out, err := r.Render(t.Context(), tree(chart(map[string]string{"deploy/templates/web.yaml": deployment(name, "shop/web")})), options())
			if err != nil || len(out.Objects) != 1 || out.Objects[0].GetName() != name {
				t.Errorf("%s: %v, %v", name, out.Objects, err)
			}
		})
	}
	all.Wait()
}

func TestIsolationIsToldOnce(t *testing.T) {
	what, err := renderer(t, render.Config{}).Isolation(t.Context())
	if err != nil && hint.Of(err) == "" || !strings.Contains(what, "512 MiB of memory") || err == nil && !strings.Contains(what, "no network") {
		t.Errorf("%q, %v (hint %q)", what, err, hint.Of(err))
	}
}

func TestWithoutNamespacesRenderingGoesOnAndSaysSo(t *testing.T) {
	r := renderer(t, render.Config{})
	if !r.Refuse(syscall.EPERM) {
		t.Fatal("a refusal at the start was taken for something else")
	}
	if _, err := r.Render(t.Context(), tree(chart(nil)), options()); err != nil {
		t.Fatal(err)
	}
	what, err := r.Isolation(t.Context())
	if err == nil || !strings.Contains(hint.Of(err), "user namespaces") || strings.Contains(what, "no network") {
		t.Errorf("%q, %v (hint %q)", what, err, hint.Of(err))
	}
}

func TestNoLaterTroubleTakesTheNamespacesAway(t *testing.T) {
	r := renderer(t, render.Config{})
	if _, err := r.Isolation(t.Context()); err != nil {
		t.Fatalf("this machine has no user namespaces: %v", err)
	}
	if r.Refuse(syscall.EPERM) {
		t.Error("namespaces were given up after they had worked")
	}
	if r := renderer(t, render.Config{}); r.Refuse(syscall.EAGAIN) || r.Refuse(fs.ErrNotExist) {
		t.Error("a passing trouble was taken for a refusal")
	}
}

func TestWithoutAChildNothingIsSaidOfTheManifests(t *testing.T) {
	r := render.New(render.Config{Exec: filepath.Join(t.TempDir(), "gone")})
	defer r.Close()
	_, err := r.Render(t.Context(), tree(chart(nil)), options())
	if !errors.Is(err, render.ErrUnable) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Render(t.Context(), tree(map[string]string{"deploy/a.yaml": deployment("web", "shop/web")}), options()); err != nil {
		t.Errorf("plain manifests need no child: %v", err)
	}
}

func TestLargePlainManifestsAreReadInTheChild(t *testing.T) {
	large := tree(map[string]string{"deploy/a.yaml": deployment("web", "shop/web") + strings.Repeat("# padding\n", 30_000)})
	if _, err := renderer(t, render.Config{}).Render(t.Context(), large, options()); err != nil {
		t.Error(err)
	}
	r := render.New(render.Config{Exec: filepath.Join(t.TempDir(), "gone")})
	defer r.Close()
	if _, err := r.Render(t.Context(), large, options()); !errors.Is(err, render.ErrUnable) {
		t.Errorf("got %v", err)
	}
}

func TestParams(t *testing.T) {
	r := renderer(t, render.Config{})
	o := options()
	o.Params = map[string]string{"domain": "shop.example", "replicas": "4", "yes": "true", "evil": "x\nkind: Secret", "n": "1.10"}
	show := func(fields string) map[string]string {
		return map[string]string{"deploy/web.yaml": strings.Replace(deployment("web", "shop/web"), "replicas: 2", fields, 1)}
	}
	for _, c := range []struct{ name, fields, has, want string }{
		{"a text", "host: https://${param.domain}/${param.seatrial.environment}", "host: https://shop.example/prod\n", ""},
		{"a number", "replicas: ${param.replicas:int}", "replicas: 4\n", ""},
		{"a truth", "paused: ${param.yes:bool}", "paused: true\n", ""},
		{"what looks like a number stays a text", "version: ${param.n}", "version: \"1.10\"\n", ""},
		{"a value never becomes more than a value", "note: ${param.evil}", "note: |-\n    x\n    kind: Secret\n", ""},
		{"two dollars are the text itself", "note: $${param.domain}", "note: ${param.domain}\n", ""},
		{"a shell's variable is left alone", "note: ${HOME} $(NAME)", "note: ${HOME} $(NAME)\n", ""},
		{"a param that is not set", "host: ${param.domian}", "", `deploy/web.yaml: document 1: spec: host: param "domian" is not set (did you mean "domain"?)`},
		{"a text where a number should be", "replicas: ${param.domain:int}", "", `param domain is "shop.example", which is no int`},
		{"a type that is none", "replicas: ${param.replicas:float}", "", "param replicas as float"},
		{"a number within a text", "note: x${param.replicas:int}", "", "stands within a longer text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kust := show(c.fields)
			kust["deploy/kustomization.yaml"] = "resources: [web.yaml]\n"
			for _, files := range []map[string]string{show(c.fields), kust} {
				out, err := r.Render(t.Context(), tree(files), o)
				want := strings.Replace(c.want, "deploy/web.yaml", "deploy", min(len(files)-1, 1))
				switch {
				case c.want == "" && (err != nil || !strings.Contains(string(out.YAML), c.has)):
					t.Errorf("%v, no %q in\n%s", err, c.has, out.YAML)
				case c.want != "" && (err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == ""):
					t.Errorf("got %v (hint %q), want %q", err, hint.Of(err), want)
				}
			}
		})
	}
}

func TestWholeNumbersKeepEveryDigit(t *testing.T) {
	out, err := render.Render(t.Context(), tree(map[string]string{"deploy/a.yaml": "apiVersion: example/v1\nkind: X\nmetadata: {name: x}\nspec: {big: 9007199254740993, small: -1, half: 0.5}\n"}), render.Options{Path: "deploy"})
	if err != nil || !strings.Contains(string(out.YAML), "big: 9007199254740993\n") || !strings.Contains(string(out.YAML), "half: 0.5\n") {
		t.Errorf("%v\n%s", err, out.YAML)
	}
}
