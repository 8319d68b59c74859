package render_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/deployer/render/charts"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const chartYAML = "apiVersion: v2\nname: web\nversion: 1.0.0\n"

// chart is a chart whose template shows values, with a Deployment of our image beside.
func chart(more map[string]string) map[string]string {
	files := map[string]string{"deploy/Chart.yaml": chartYAML, "deploy/templates/web.yaml": deployment("web", "shop/web")}
	maps.Copy(files, more)
	return files
}

// shows is a ConfigMap of values.
func shows(name string, values ...string) string {
	out := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata:\n"
	for _, v := range values {
		out += "  " + strings.ReplaceAll(strings.Trim(v, "."), ".", "-") + ": {{ " + v + " | toJson | quote }}\n"
	}
	return out
}

// packed is a chart as helm packages it.
func packed(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHelm(t *testing.T) {
	r := renderer(t, render.Config{})
	sub := func(name string) map[string]string {
		return map[string]string{name + "/Chart.yaml": "apiVersion: v2\nname: " + name + "\nversion: 1.2.3\n", name + "/values.yaml": "size: 1\n",
			name + "/templates/x.yaml": shows("{{ .Chart.Name }}-"+name, ".Values.size"), name + "/templates/NOTES.txt": "Sub {{ .Chart.Name }}"}
	}
	dir := map[string]string{}
	for name, content := range sub("store") {
		dir["deploy/charts/"+name] = content
	}
	with := func(all ...map[string]string) map[string]string {
		out := map[string]string{}
		for _, m := range all {
			maps.Copy(out, m)
		}
		return out
	}
	depends := func(rest string) map[string]string {
		return map[string]string{"deploy/Chart.yaml": chartYAML + "dependencies:\n- {name: store, version: \">=1.0.0\", repository: 'https://charts.example'" + rest + "}\n"}
	}
	for _, c := range []struct {
		name   string
		files  map[string]string
		params map[string]string
		has    []string
		lacks  string
	}{
		{"values.yaml lies below values-ENV.yaml, and params above both",
			chart(map[string]string{"deploy/values.yaml": "a: 1\nb: 1\nc: {d: 1, e: 1}\n", "deploy/values-prod.yaml": "b: 2\nc: {d: 2}\n", "deploy/values-staging.yaml": "a: 9\n",
				"deploy/templates/x.yaml": shows("x", ".Values.a", ".Values.b", ".Values.c.d", ".Values.c.e")}),
			map[string]string{"c.d": "3", "unused": "x"}, []string{`Values-a: "1"`, `Values-b: "2"`, `Values-c-d: "3"`, `Values-c-e: "1"`}, ""},
		{"a param is what a values file would make of it, unless that changes it",
			chart(map[string]string{"deploy/templates/x.yaml": shows("x", ".Values.n", ".Values.b", ".Values.v", ".Values.z", ".Values.s")}),
			map[string]string{"n": "3", "b": "true", "v": "1.10", "z": "007", "s": "{a: b}"},
			[]string{`Values-n: "3"`, `Values-b: "true"`, `Values-v: '"1.10"'`, `Values-z: '"007"'`, `Values-s: '"{a: b}"'`}, ""},
		{"the platform's own params are global, also below a strict schema",
			chart(map[string]string{"deploy/values.schema.json": `{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {"global": {}}, "additionalProperties": false}`,
				"deploy/templates/x.yaml": shows("x", ".Values.global.seatrial.environment", ".Values.global.seatrial.team", ".Values.global.seatrial.service", ".Values.global.seatrial.namespace", ".Release.Name")}),
			nil, []string{"environment: '\"prod\"'", "team: '\"shop\"'", "service: '\"web\"'", "namespace: '\"shop\"'", `Release-Name: '"web"'`}, ""},
		{"a value that is not set is nothing, as with helm template",
			chart(map[string]string{"deploy/templates/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: \"{{ .Values.gone }}\"}\n"}), nil, []string{`a: ""`}, "no value"},
		{"lookup finds nothing, and nothing of the machine is there",
			chart(map[string]string{"deploy/templates/x.yaml": shows("x", `(lookup "v1" "Secret" "kube-system" "x")`, `(getHostByName "localhost")`, ".Values.c")}), map[string]string{"c": "1"}, []string{"'{}'", `'""'`}, ""},
		{"a chart below, as a folder, without its notes", with(chart(depends("")), dir), map[string]string{"store.size": "5"}, []string{"name: store-store", `Values-size: "5"`}, "Sub store"},
		{"a chart below, packed", chart(with(depends(""), map[string]string{"deploy/charts/store-1.2.3.tgz": packed(t, sub("store"))})), nil, []string{"name: store-store"}, ""},
		{"a chart from a registry, locked and vendored", with(chart(nil), dir, map[string]string{
			"deploy/Chart.yaml": chartYAML + "dependencies:\n- {name: store, version: 1.2.3, repository: 'oci://registry.example/charts'}\n",
			"deploy/Chart.lock": "dependencies:\n- {name: store, repository: 'oci://registry.example/charts', version: 1.2.3}\ngenerated: \"2026-01-01T00:00:00Z\"\n"}), nil, []string{"name: store-store"}, ""},
		{"a condition leaves a chart out", with(chart(depends(", condition: store.enabled")), dir), map[string]string{"store.enabled": "false"}, nil, "store-store"},
		{"a tag leaves a chart out", with(chart(depends(", tags: [db]")), dir), map[string]string{"tags.db": "false"}, nil, "store-store"},
		{"an alias", with(chart(depends(", alias: cache")), dir), map[string]string{"cache.size": "7"}, []string{"name: cache-store", `Values-size: "7"`}, ""},
		{"import-values", with(chart(with(depends(", import-values: [{child: data, parent: here}]"), map[string]string{"deploy/templates/x.yaml": shows("x", ".Values.here.port")})), dir,
			map[string]string{"deploy/charts/store/values.yaml": "size: 1\ndata: {port: 99}\n"}), nil, []string{`here-port: "99"`}, ""},
		{"a library's templates are used and not applied", chart(map[string]string{"deploy/Chart.yaml": chartYAML + "dependencies:\n- {name: lib, version: 0.1.0, repository: 'file://../lib'}\n",
			"deploy/charts/lib/Chart.yaml": "apiVersion: v2\nname: lib\nversion: 0.1.0\ntype: library\n", "deploy/charts/lib/templates/_x.tpl": `{{ define "lib.x" }}from-the-library{{ end }}`,
			"deploy/charts/lib/templates/y.yaml": "never: applied\n", "deploy/templates/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: {{ include \"lib.x\" . }}}\n"}), nil, []string{"from-the-library"}, "never"},
		{"what .helmignore names is not there", chart(map[string]string{"deploy/.helmignore": "*.md\ndocs/\n", "deploy/docs/big.yaml": "x", "deploy/templates/old.md": "x",
			"deploy/templates/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: {{ len (.Files.Glob \"docs/*\") | quote }}}\n"}), nil, []string{`a: "0"`}, ""},
		{"definitions of crds/ come along", chart(map[string]string{"deploy/crds/x.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.example}\n"}), nil, []string{"name: xs.example"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options()
			o.Params = c.params
			out, err := r.Render(t.Context(), tree(c.files), o)
			if err != nil {
				t.Fatalf("%v (hint: %s)", err, hint.Of(err))
			}
			for _, want := range c.has {
				if !strings.Contains(string(out.YAML), want) {
					t.Errorf("no %s in\n%s", want, out.YAML)
				}
			}
			if c.lacks != "" && strings.Contains(string(out.YAML), c.lacks) {
				t.Errorf("there is %s in\n%s", c.lacks, out.YAML)
			}
		})
	}
}

func TestHelmRefuses(t *testing.T) {
	r := renderer(t, render.Config{})
	for _, c := range []struct {
		name, want, hint string
		files            map[string]string
	}{
		{"a chart from a registry that is not locked", "which no Chart.lock pins", "helm dependency build deploy",
			map[string]string{"deploy/Chart.yaml": chartYAML + "dependencies:\n- {name: store, version: 1.2.3, repository: 'oci://registry.example/charts'}\n"}},
		{"a chart from a registry that is locked and not there", "depends on store, which is not in its charts folder", "helm dependency build deploy",
			map[string]string{"deploy/Chart.yaml": chartYAML + "dependencies:\n- {name: store, version: 1.2.3, repository: 'oci://registry.example/charts'}\n",
				"deploy/Chart.lock": "dependencies:\n- {name: store, version: 1.2.3}\ngenerated: \"2026-01-01T00:00:00Z\"\n"}},
		{"a vendored chart of another version than the lock's", "Chart.lock has store 1.2.3, and its charts folder has 1.2.4", "helm dependency build deploy",
			map[string]string{"deploy/Chart.yaml": chartYAML + "dependencies:\n- {name: store, version: 1.x.x, repository: 'oci://registry.example/charts'}\n",
				"deploy/Chart.lock": "dependencies:\n- {name: store, version: 1.2.3}\ngenerated: \"2026-01-01T00:00:00Z\"\n", "deploy/charts/store/Chart.yaml": "apiVersion: v2\nname: store\nversion: 1.2.4\n"}},
		{"a vendored chart that is too old", "depends on store >=2.0.0, and its charts folder has 1.0.0", "helm dependency build deploy",
			map[string]string{"deploy/Chart.yaml": chartYAML + "dependencies:\n- {name: store, version: '>=2.0.0', repository: 'https://x'}\n", "deploy/charts/store/Chart.yaml": "apiVersion: v2\nname: store\nversion: 1.0.0\n"}},
		{"a library as the chart", "chart deploy is a library", "a chart that uses it", map[string]string{"deploy/Chart.yaml": chartYAML + "type: library\n"}},
		{"a chart for another Kubernetes", "is for Kubernetes <1.20.0, not for v", "another version", map[string]string{"deploy/Chart.yaml": chartYAML + "kubeVersion: '<1.20.0'\n"}},
		{"values that do not fit the schema", "values do not fit values.schema.json", "values file",
			map[string]string{"deploy/values.yaml": "a: x\n", "deploy/values.schema.json": `{"properties": {"a": {"type": "integer"}}}`}},
		{"a schema that refers to an address", "refers to http://169.254.169.254/x", "", map[string]string{"deploy/values.schema.json": `{"$ref": "http://169.254.169.254/x"}`}},
		{"a schema that refers to a file", "refers to file:///etc/passwd", "", map[string]string{"deploy/values.schema.json": `{"$ref": "file:///etc/passwd"}`}},
		{"a template that makes a value up", "Secret comes out different each time", "existing Secret",
			map[string]string{"deploy/templates/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: {{ randAlphaNum 20 | quote }}}\n"}},
		{"templates that call each other without end", "render chart deploy", "", map[string]string{"deploy/templates/_a.tpl": `{{ define "a" }}{{ include "a" . }}{{ end }}`, "deploy/templates/x.yaml": `a: {{ include "a" . }}`}},
		{"two templates with one object", "ConfigMap x is defined twice: in deploy/templates/x.yaml and in deploy/templates/y.yaml", "keep one",
			map[string]string{"deploy/templates/x.yaml": shows("x", ".Chart.Name"), "deploy/templates/y.yaml": shows("x", ".Chart.Name")}},
		{"a values file in UTF-16", "deploy/values-prod.yaml is written in UTF-16", "iconv", map[string]string{"deploy/values-prod.yaml": "\xff\xfea\x00:\x001\x00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Render(t.Context(), tree(chart(c.files)), options())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v; want %q", err, c.want)
			}
			if got := hint.Of(err); got == "" || !strings.Contains(got, c.hint) {
				t.Errorf("hint %q, want %q", got, c.hint)
			}
		})
	}
}

func TestHelmsHooksBecomePhasesOfTheSync(t *testing.T) {
	job := func(name, annotations string) string {
		return "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: " + name + ", annotations: {" + annotations + "}}\n"
	}
	hooks := job("before", `helm.sh/hook: "pre-install, pre-upgrade", helm.sh/hook-weight: "-5", helm.sh/hook-delete-policy: "hook-succeeded,before-hook-creation"`) +
		job("after", "helm.sh/hook: post-upgrade, keep: me") + job("both", `helm.sh/hook: "pre-upgrade,post-install,pre-delete"`) +
		job("never", "helm.sh/hook: post-delete") + job("tried", "helm.sh/hook: test-success") + job("back", "helm.sh/hook: pre-rollback")
	out, err := renderer(t, render.Config{}).Render(t.Context(), tree(chart(map[string]string{"deploy/templates/hooks.yaml": hooks})), options())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]string{}
	for _, o := range out.Objects {
		got[o.GetName()] = o.GetAnnotations()
	}
	const argo = "argocd.argoproj.io/"
	want := map[string]map[string]string{"web": nil, "after": {argo + "hook": "PostSync", "keep": "me"}, "both": {argo + "hook": "PreSync,PostSync"},
		"before": {argo + "hook": "PreSync", argo + "sync-wave": "-5", argo + "hook-delete-policy": "HookSucceeded,BeforeHookCreation"}}
	if !maps.EqualFunc(got, want, maps.Equal[map[string]string, map[string]string]) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	notes := strings.Join(out.Notes, "\n")
	for _, note := range []string{"Job never is a hook for post-delete, which never runs here", "Job tried is a hook for test-success", "Job back is a hook for pre-rollback", "Job both is a hook for pre-delete"} {
		if !strings.Contains(notes, "deploy/templates/hooks.yaml: "+note) {
			t.Errorf("%s\nlacks %q", notes, note)
		}
	}
}

func TestChartsOfARegistryComeFromThere(t *testing.T) {
	r := renderer(t, render.Config{})
	files := tree(chart(map[string]string{
		"deploy/Chart.yaml": chartYAML + "dependencies:\n- {name: store, version: 1.x.x, repository: 'oci://registry.example/charts'}\n",
		"deploy/Chart.lock": "dependencies:\n- {name: store, version: 1.2.3}\ngenerated: \"2026-01-01T00:00:00Z\"\n"}))
	o, size := options(), "1"
	o.Charts = func(_ context.Context, d charts.Dependency) (charts.Archive, error) {
		content := packed(t, map[string]string{"store/Chart.yaml": "apiVersion: v2\nname: store\nversion: 1.2.3\n",
			"store/templates/x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: store}\ndata: {size: '" + size + "'}\n"})
		return charts.Archive{Content: []byte(content), Digest: release.Digest("sha256:" + size)}, nil
	}
	for _, want := range []struct {
		size   string
		cached bool
	}{{"1", false}, {"1", true}, {"2", false}} {
		size = want.size
		out, err := r.Render(t.Context(), files, o)
		if err != nil || !strings.Contains(string(out.YAML), "size: '"+want.size+"'") && !strings.Contains(string(out.YAML), `size: "`+want.size+`"`) || out.Cached != want.cached {
			t.Fatalf("want %+v: cached %t, %v in\n%s", want, out.Cached, err, out.YAML)
		}
		if !slices.ContainsFunc(out.Notes, func(n string) bool {
			return strings.Contains(n, "registry.example/charts/store:1.2.3 was fetched: sha256:"+want.size)
		}) {
			t.Errorf("notes %q", out.Notes)
		}
	}
	for _, c := range []struct {
		err   error
		later bool
	}{{errors.New("connection refused"), true}, {charts.ErrUnfit, false}} {
		o.Charts = func(context.Context, charts.Dependency) (charts.Archive, error) { return charts.Archive{}, c.err }
		if _, err := r.Render(t.Context(), files, o); err == nil || errors.Is(err, render.ErrUnable) != c.later {
			t.Errorf("%v: tried again later: %v", c.err, err)
		}
	}
}
