package render_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/hint"
)

const (
	hex   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	image = "reg.example/shop/web@sha256:" + hex
)

// TestMain lets the test binary be the child that a Renderer starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "render-child" {
		if err := render.Child(context.Background(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func renderer(t testing.TB, cfg render.Config) *render.Renderer {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Exec = self
	r := render.New(cfg)
	t.Cleanup(r.Close)
	return r
}

func deployment(name, img string) string {
	return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `}
spec:
  replicas: 2
  selector: {matchLabels: {app: ` + name + `}}
  template:
    metadata: {labels: {app: ` + name + `}}
    spec: {containers: [{name: main, image: "` + img + `"}]}
`
}

const service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n"

func tree(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for n, c := range files {
		m[n] = &fstest.MapFile{Data: []byte(c)}
	}
	return m
}

func options() render.Options {
	return render.Options{Path: "deploy/", Env: "prod", Service: "shop/web", Image: image, Namespace: "shop"}
}

func TestRender(t *testing.T) {
	r := renderer(t, render.Config{})
	for _, c := range []struct {
		name    string
		files   map[string]string
		kind    string
		objects []string
		has     string
	}{
		{"plain files become sorted objects with our image", map[string]string{"deploy/b.yaml": service + "---\n# only a comment\n---\n", "deploy/a.yml": deployment("web", "shop/web"), "deploy/README.md": "x"},
			render.Plain, []string{"Service/web", "Deployment/web"}, image},
		{"a tag on our own image is replaced as well", map[string]string{"deploy/a.yaml": deployment("web", "shop/web:dev")}, render.Plain, []string{"Deployment/web"}, image},
		{"a List is its items", map[string]string{"deploy/a.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n---\n" + deployment("web", "shop/web")},
			render.Plain, []string{"ConfigMap/c", "Deployment/web"}, image},
		{"the environment's folder is preferred", map[string]string{"deploy/staging/a.yaml": "x", "deploy/prod/a.yaml": deployment("web", "shop/web")}, render.Plain, []string{"Deployment/web"}, image},
		{"a kustomize overlay of the environment is preferred", map[string]string{
			"deploy/base/kustomization.yaml": "resources: [web.yaml]\n", "deploy/base/web.yaml": deployment("web", "shop/web"),
			"deploy/overlays/prod/kustomization.yaml": "resources: [../../base]\nnamePrefix: p-\nconfigMapGenerator: [{name: c, files: [a=conf.txt], options: {disableNameSuffixHash: true}}]\n",
			"deploy/overlays/prod/conf.txt":           "https://example.com/ is only text"},
			render.Kustomize, []string{"ConfigMap/p-c", "Deployment/p-web"}, image},
		{"a chart takes the environment's values and leaves tests and notes out", map[string]string{
			"deploy/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", "deploy/values.yaml": "count: 1\n", "deploy/values-prod.yaml": "count: 5\n",
			"deploy/templates/web.yaml":   strings.Replace(deployment("web", "shop/web"), "replicas: 2", "replicas: {{ .Values.count }}", 1),
			"deploy/templates/NOTES.txt":  "hello",
			"deploy/templates/_h.tpl":     `{{ define "x" }}{{ end }}`,
			"deploy/templates/test.yaml":  "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\nspec: {containers: [{name: a, image: nginx}]}\n",
			"deploy/templates/empty.yaml": "{{ if false }}x{{ end }}"},
			render.Helm, []string{"Deployment/web"}, "replicas: 5"},
		{"what an autoscaler scales has no replicas", map[string]string{"deploy/a.yaml": deployment("web", "shop/web") +
			"---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {maxReplicas: 3, scaleTargetRef: {kind: Deployment, name: web, apiVersion: apps/v1}}\n"},
			render.Plain, []string{"Deployment/web", "HorizontalPodAutoscaler/web"}, "maxReplicas: 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := r.Render(t.Context(), tree(c.files), options())
			if err != nil {
				t.Fatalf("%v (hint: %s)", err, hint.Of(err))
			}
			if here, err := render.Render(t.Context(), tree(c.files), options()); err != nil || here.Digest != out.Digest {
				t.Fatalf("in this process it is %v:\n%s", err, here.YAML)
			}
			var got []string
			for _, o := range out.Objects {
				got = append(got, o.GetKind()+"/"+o.GetName())
				if o.GetNamespace() != "shop" {
					t.Errorf("%s is in namespace %q", o.GetName(), o.GetNamespace())
				}
			}
			if out.Kind != c.kind || strings.Join(got, " ") != strings.Join(c.objects, " ") || !strings.Contains(string(out.YAML), c.has) {
				t.Fatalf("%s %v:\n%s", out.Kind, got, out.YAML)
			}
			if strings.Contains(c.name, "autoscaler") && strings.Contains(string(out.YAML), "replicas: 2") {
				t.Error("replicas stayed")
			}
			again, err := render.Parse("manifests.yaml", out.YAML, options())
			if err != nil || string(again.YAML) != string(out.YAML) || again.Digest != out.Digest {
				t.Fatalf("what was rendered does not read as the same: %v\n%s", err, again.YAML)
			}
		})
	}
}

func TestRenderRefuses(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 8 {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", 'b'+i, 'b'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i, 'a'+i)
	}
	kust := func(k string) map[string]string {
		return map[string]string{"deploy/kustomization.yaml": k, "deploy/web.yaml": deployment("web", "shop/web"), "deploy/sub/x.yaml": service}
	}
	one := func(content string) map[string]string { return map[string]string{"deploy/web.yaml": content} }
	r := renderer(t, render.Config{})
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"what is not YAML, with file and document", one(service + "---\na: [1\n"), "deploy/web.yaml: document 2 is not YAML"},
		{"a key that is there twice", one("apiVersion: v1\nkind: A\nkind: B\nmetadata: {name: x}\n"), `key "kind" already set`},
		{"a text instead of an object", one("hello\n"), "is not an object but a text"},
		{"an object without kind", one("apiVersion: v1\nmetadata: {name: x}\n"), "no apiVersion or no kind"},
		{"an object without name", one("apiVersion: v1\nkind: Service\nmetadata: {}\n"), "Service has no name"},
		{"a label that is a number", one("apiVersion: v1\nkind: Service\nmetadata: {name: x, labels: {a: 1}}\n"), `"a" is not a text`},
		{"an image by tag, with object and container", one(deployment("web", "shop/web") + "---\n" + deployment("side", "nginx:1.25")), `Deployment side (deploy/web.yaml): container "main" uses image nginx:1.25 by tag`},
		{"an image without a tag", one(deployment("web", "nginx")), "uses image nginx by tag"},
		{"another team's image", one(deployment("web", "shop/web2")), "by tag"},
		{"a container without image", one(deployment("web", "")), `container "main" has no image`},
		{"manifests that never run the build", one(service), "no container uses the image of shop/web"},
		{"the same object twice", map[string]string{"deploy/a.yaml": service, "deploy/b.yaml": service}, "Service web is defined twice: in deploy/a.yaml and in deploy/b.yaml"},
		{"an alias bomb", one(bomb), "excessive aliasing"},
		{"too much", one("# " + strings.Repeat("x", 9<<20)), "over the limit"},
		{"an empty folder", map[string]string{"deploy/README.md": ""}, "holds no manifest"},
		{"a folder that is not there", map[string]string{"other/a.yaml": ""}, "manifests folder deploy is not in the repository"},
		{"a remote kustomize base", kust("resources: [web.yaml, https://github.com/a/b]\n"), "remote reference"},
		{"a remote base without scheme", kust("resources: [web.yaml, github.com/a/b]\n"), "remote reference"},
		{"a remote base over ssh", kust("resources: ['git@host:a/b']\n"), "remote reference"},
		{"a remote component", kust("resources: [web.yaml]\ncomponents: ['https://host/x?ref=1']\n"), "remote reference"},
		{"a remote patch", kust("resources: [web.yaml]\npatches: [{path: 'https://host/x.yaml'}]\n"), "remote reference"},
		{"a remote file of a generator", kust("resources: [web.yaml]\nconfigMapGenerator: [{name: a, files: ['k=http://169.254.169.254/x']}]\n"), "remote reference"},
		{"a remote address in an inline transformer", kust("resources: [web.yaml]\ntransformers: [\"a: 1\\npath: http://x\"]\n"), "remote reference"},
		{"a base outside of the repository", kust("resources: [../../etc]\n"), "outside of the repository"},
		{"a base that is not committed", kust("resources: [gone.yaml]\n"), "not in the repository"},
		{"a chart inside a kustomization", kust("helmCharts: [{name: x}]\n"), "would run the helm program"},
		{"a chart that does not parse", map[string]string{"deploy/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", "deploy/templates/a.yaml": "{{ .Values.x"}, "render chart deploy"},
		{"a value that is not set", map[string]string{"deploy/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n", "deploy/templates/a.yaml": "a: {{ .Values.x.y }}"}, "render chart deploy"},
		{"a chart whose dependency is not vendored", map[string]string{"deploy/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies: [{name: redis, version: 1.0.0, repository: 'https://x'}]\n"}, "depends on redis"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Render(t.Context(), tree(c.files), options())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v; want %q", err, c.want)
			}
			if hint.Of(err) == "" {
				t.Errorf("no next step in %v", err)
			}
		})
	}
	t.Run("a path out of the repository", func(t *testing.T) {
		o := options()
		o.Path = "../x"
		if _, err := render.Render(t.Context(), tree(nil), o); err == nil {
			t.Fatal("accepted")
		}
	})
}

func FuzzRender(f *testing.F) {
	f.Add(deployment("web", "shop/web"))
	f.Add(service + "---\n" + service)
	f.Add("apiVersion: v1\nkind: List\nitems: [1]\n")
	f.Add("a: &a [*a]\n")
	f.Add("{\"kind\": 1}")
	f.Add("apiVersion: v1\nkind: X\nmetadata: {name: \"a\\u0000\", labels: [1]}\nspec: {containers: [{image: 3}]}\n")
	f.Fuzz(func(t *testing.T, content string) {
		o := options()
		o.Limits = render.Limits{Bytes: 1 << 16}
		out, err := render.Render(context.Background(), tree(map[string]string{"deploy/a.yaml": content}), o)
		if err != nil {
			if hint.Of(err) == "" {
				t.Errorf("no next step in %v", err)
			}
			return
		}
		again, err := render.Parse("m.yaml", out.YAML, o)
		if err != nil || again.Digest != out.Digest {
			t.Errorf("what was rendered does not read as the same: %v\n%s", err, out.YAML)
		}
	})
}
