package render_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/hint"
)

const jsonnetWeb = `{apiVersion: 'apps/v1', kind: 'Deployment', metadata: {name: 'web'}, spec: {template: {spec: {containers: [{name: 'main', image: 'shop/web'}]}}}}`

func TestJsonnet(t *testing.T) {
	r := renderer(t, render.Config{})
	show := func(expression string) string {
		return "[" + jsonnetWeb + ", {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'x'}, data: {v: " + expression + "}}]"
	}
	for _, c := range []struct {
		name   string
		files  map[string]string
		params map[string]string
		has    string
	}{
		{"one object", map[string]string{"deploy/main.jsonnet": jsonnetWeb}, nil, "name: web"},
		{"objects under names, in lists and in a List", map[string]string{"deploy/main.jsonnet": "{a: {b: [" + jsonnetWeb + ", null]}, l: {apiVersion: 'v1', kind: 'List', items: [{apiVersion: 'v1', kind: 'Service', metadata: {name: 'deep'}}]}}"}, nil, "name: deep"},
		{"the environment's main", map[string]string{"deploy/main.jsonnet": "error 'not this'", "deploy/prod/main.jsonnet": show("'prod'")}, nil, "v: prod"},
		{"a file beside", map[string]string{"deploy/main.jsonnet": show("(import 'x/y.libsonnet').v"), "deploy/x/y.libsonnet": "{v: (import 'z.libsonnet')}", "deploy/x/z.libsonnet": "'beside'"}, nil, "v: beside"},
		{"a file above", map[string]string{"deploy/main.jsonnet": show("importstr '../conf.txt'"), "conf.txt": "above"}, nil, "v: above"},
		{"lib before vendor, the nearest first", map[string]string{"deploy/prod/main.jsonnet": show("import 'k.libsonnet'"), "deploy/lib/k.libsonnet": "'lib'", "deploy/vendor/k.libsonnet": "'vendor'", "vendor/k.libsonnet": "'root'"}, nil, "v: lib"},
		{"vendor at the root", map[string]string{"deploy/main.jsonnet": show("import 'github.com/a/b/k.libsonnet'"), "vendor/github.com/a/b/k.libsonnet": "'vendored'"}, nil, "v: vendored"},
		{"params as external variables", map[string]string{"deploy/main.jsonnet": show("std.extVar('host.name') + std.extVar('seatrial.environment')")}, map[string]string{"host.name": "a"}, "v: aprod"},
		{"params as arguments, and what the platform says of itself", map[string]string{"deploy/main.jsonnet": "local x = 1; function(host, environment, other='d') " + show("host + environment + other")}, map[string]string{"host": "a", "unused": "b"}, "v: aprodd"},
		{"YAML and JSON", map[string]string{"deploy/main.jsonnet": show("std.parseYaml(importstr 'a.yaml').x + (import 'b.json').y"), "deploy/a.yaml": "x: a\n", "deploy/b.json": `{"y": "b"}`}, nil, "v: ab"},
		{"large whole numbers", map[string]string{"deploy/main.jsonnet": "[" + jsonnetWeb + ", {apiVersion: 'v1', kind: 'X', metadata: {name: 'x'}, count: 30000000}]"}, nil, "count: 30000000\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options()
			o.Params = c.params
			out, err := r.Render(t.Context(), tree(c.files), o)
			if err != nil {
				t.Fatalf("%v (hint: %s)", err, hint.Of(err))
			}
			if out.Kind != render.Jsonnet || !strings.Contains(string(out.YAML), c.has) {
				t.Errorf("%s without %q:\n%s", out.Kind, c.has, out.YAML)
			}
		})
	}
}

func TestJsonnetRefuses(t *testing.T) {
	r := renderer(t, render.Config{})
	for _, c := range []struct {
		name, main, want string
		more             map[string]string
	}{
		{"an import from outside", "import '../../etc/passwd'", `import of "../../etc/passwd": it is outside of the repository`, nil},
		{"an absolute import", "importstr '/etc/passwd'", "only files of the repository can be imported", nil},
		{"an import by address", "import 'https://example.com/x.libsonnet'", "only files of the repository can be imported", nil},
		{"an import that is not there", "import 'gone.libsonnet'", "no such file beside deploy/main.jsonnet, in lib/ or in vendor/", nil},
		{"an import through a lib out of the tree", "import 'a/../../../../x'", "outside of the repository", nil},
		{"files that import each other", "import 'a.libsonnet'", "render deploy/main.jsonnet", map[string]string{"deploy/a.libsonnet": "(import 'b.libsonnet') + 1", "deploy/b.libsonnet": "(import 'a.libsonnet') + 1"}},
		{"a function that calls itself without end", "local f(x) = f(x + 1) + 1; f(0)", "stack frames", nil},
		{"what is not Jsonnet", "{", "render deploy/main.jsonnet", nil},
		{"a text", "'hello'", "the result is neither an object nor a list of objects", nil},
		{"a number among the objects", "{a: {b: 3}}", "a.b is neither an object", nil},
		{"nothing", "{a: null, b: []}", "evaluates to no object", nil},
		{"a function of what no param is", "function(host) {}", "is a function of host, and no param is called so", nil},
		{"a variable that is not set", "std.extVar('host')", "host", nil},
		{"a native function", "std.native('exec')('ls')", "render deploy/main.jsonnet", nil},
		{"an image by tag", strings.Replace(jsonnetWeb, "shop/web", "nginx:1", 1), "Deployment web (deploy/main.jsonnet): container \"main\" uses image nginx:1 by tag", nil},
		{"a library in UTF-16", "import 'a.libsonnet'", "deploy/a.libsonnet is written in UTF-16", map[string]string{"deploy/a.libsonnet": "\xfe\xff\x00{\x00}"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"deploy/main.jsonnet": c.main}
			maps.Copy(files, c.more)
			_, err := r.Render(t.Context(), tree(files), options())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v; want %q", err, c.want)
			}
			if hint.Of(err) == "" {
				t.Errorf("no next step in %v", err)
			}
		})
	}
}
