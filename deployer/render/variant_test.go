package render_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/release"
)

func TestTheDigestCoversEveryVariantAndWhomItIsFor(t *testing.T) {
	parse := func(color string) render.Rendered {
		out, err := render.Parse("m", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {color: "+color+"}\n"), render.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	eu := release.Selector{MatchLabels: map[string]string{"region": "eu"}}
	of := func(rest, name string, clusters release.Selector, color string) release.Digest {
		return parse(rest).With([]render.Variant{{Name: name, Clusters: clusters, Rendered: parse(color)}}).Digest
	}
	base := of("red", "eu", eu, "blue")
	if again := of("red", "eu", eu, "blue"); again != base {
		t.Errorf("the same has digests %s and %s", base, again)
	}
	if plain := parse("red"); plain.With(nil).Digest != plain.Digest {
		t.Error("no variants change the digest")
	}
	seen := map[release.Digest]string{base: "as it is", parse("red").Digest: "without variants"}
	for what, d := range map[string]release.Digest{
		"another content for the rest": of("green", "eu", eu, "blue"),
		"another content":              of("red", "eu", eu, "green"),
		"another name":                 of("red", "us", eu, "blue"),
		"other clusters":               of("red", "eu", release.Selector{MatchLabels: map[string]string{"region": "us"}}, "blue"),
	} {
		if same, twice := seen[d]; twice {
			t.Errorf("%s has the digest of %s", what, same)
		}
		seen[d] = what
	}
}

func TestTheFirstVariantThatFitsIsRenderedOverTheEnvironmentsParams(t *testing.T) {
	tree := fstest.MapFS{
		"deploy/main.jsonnet": {Data: []byte(`function(size, host) if host == "" then error "no host" else [{apiVersion: "v1", kind: "ConfigMap", metadata: {name: "conf"}, data: {size: size, host: host}},
  {apiVersion: "apps/v1", kind: "Deployment", metadata: {name: "web"}, spec: {template: {spec: {containers: [{name: "web", image: "shop/web"}]}}}}]`)},
	}
	match := func(k, v string) release.Selector { return release.Selector{MatchLabels: map[string]string{k: v}} }
	env := release.EnvironmentSpec{Params: map[string]string{"size": "1", "host": "all.example"}, ParamsFor: []release.ClusterParams{
		{Name: "large", Clusters: match("class", "large"), Params: map[string]string{"size": "3"}},
		{Name: "eu", Clusters: match("region", "eu"), Params: map[string]string{"host": "eu.example"}},
	}}
	r := renderer(t, render.Config{})
	out, err := r.RenderAll(t.Context(), tree, render.Options{Path: "deploy", Env: "prod", Service: "shop/web", Params: env.Params,
		Image: "registry.example/shop/web@sha256:" + strings.Repeat("a", 64)}, env)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		labels     map[string]string
		size, host string
	}{
		{nil, "1", "all.example"},
		{map[string]string{"class": "large"}, "3", "all.example"},
		{map[string]string{"region": "eu"}, "1", "eu.example"},
		{map[string]string{"class": "large", "region": "eu"}, "3", "all.example"},
	} {
		for _, o := range out.For(c.labels) {
			if data, ok := o.Object["data"].(map[string]any); ok && (data["size"] != c.size || data["host"] != c.host) {
				t.Errorf("%v get %v, want size %s and host %s", c.labels, data, c.size, c.host)
			}
		}
	}
	env.ParamsFor[1].Params = map[string]string{"host": ""}
	_, err = r.RenderAll(t.Context(), tree, render.Options{Path: "deploy", Env: "prod", Service: "shop/web", Params: env.Params,
		Image: "registry.example/shop/web@sha256:" + strings.Repeat("a", 64)}, env)
	if err == nil || !strings.Contains(err.Error(), "with the params for eu: ") || !strings.Contains(err.Error(), "no host") {
		t.Errorf("a variant that cannot be rendered: %v", err)
	}
}
