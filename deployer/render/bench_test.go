package render_test

import (
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/seatrial/seatrial/deployer/render"
)

// typical are the ways to write a service of a Deployment, a Service, a ServiceAccount and
// an Ingress.
func typical() map[string]map[string]string {
	const (
		account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n"
		ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: [{host: shop.example}]}\n"
	)
	web := deployment("web", "shop/web")
	all := web + "---\n" + service + "---\n" + account + "---\n" + ingress
	return map[string]map[string]string{
		render.Plain: {"deploy/a.yaml": all},
		render.Kustomize: {"deploy/base/kustomization.yaml": "resources: [a.yaml]\n", "deploy/base/a.yaml": all,
			"deploy/overlays/prod/kustomization.yaml": "resources: [../../base]\nreplicas: [{name: web, count: 4}]\n"},
		render.Helm: {"deploy/Chart.yaml": chartYAML, "deploy/values.yaml": "host: a\n", "deploy/values-prod.yaml": "host: b\n", "deploy/templates/web.yaml": web, "deploy/templates/service.yaml": service,
			"deploy/templates/account.yaml": account, "deploy/templates/ingress.yaml": ingress, "deploy/templates/_helpers.tpl": `{{ define "web.name" }}web{{ end }}`},
		render.Jsonnet: {"deploy/main.jsonnet": "std.parseYaml(importstr 'a.yaml')", "deploy/a.yaml": all},
	}
}

// BenchmarkRender renders a typical service: with a child that has to be started, with one
// that was started ahead, and again from memory.
func BenchmarkRender(b *testing.B) {
	for _, kind := range []string{render.Plain, render.Kustomize, render.Helm, render.Jsonnet} {
		files := tree(typical()[kind])
		for _, c := range []struct {
			name   string
			cfg    render.Config
			cached bool
		}{
			{"cold", render.Config{}, false}, {"spare", render.Config{Spare: time.Minute}, false}, {"memory", render.Config{}, true},
		} {
			b.Run(kind+"/"+c.name, func(b *testing.B) {
				r, other := renderer(b, c.cfg), renderer(b, render.Config{})
				render1 := func(n int) {
					o := options()
					if !c.cached {
						o.Params = map[string]string{"n": fmt.Sprint(n)}
					}
					if out, err := r.Render(b.Context(), files, o); err != nil || out.Kind != kind || len(out.Objects) != 4 {
						b.Fatalf("%d objects of %s, %v", len(out.Objects), out.Kind, err)
					}
				}
				render1(-1)
				n := 0
				for b.Loop() {
					if c.cfg.Spare > 0 {
						b.StopTimer()
						if _, err := other.Isolation(b.Context()); err != nil { // the spare is up when a later child is
							b.Fatal(err)
						}
						b.StartTimer()
					}
					render1(n)
					n++
				}
			})
		}
	}
}

// BenchmarkLarge renders as many objects as one service may have.
func BenchmarkLarge(b *testing.B) {
	var all string
	for i := range 2000 {
		all += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d}\ndata: {a: b}\n", i)
	}
	for name, files := range map[string]fstest.MapFS{
		render.Plain:     tree(map[string]string{"deploy/a.yaml": all}),
		render.Kustomize: tree(map[string]string{"deploy/a.yaml": all, "deploy/kustomization.yaml": "resources: [a.yaml]\n"}),
		render.Helm:      tree(map[string]string{"deploy/templates/a.yaml": all, "deploy/Chart.yaml": chartYAML}),
	} {
		b.Run(name, func(b *testing.B) {
			r := renderer(b, render.Config{})
			n := 0
			for b.Loop() {
				o := options()
				o.Image, o.Params = "", map[string]string{"n": fmt.Sprint(n)}
				if _, err := r.Render(b.Context(), files, o); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}
