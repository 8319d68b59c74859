//go:build lab

package deployer_test

import (
	"context"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

// TestLabEachClusterHasTheVariantOfItsLabels: from its release on, after it changed its
// labels, and after a return. What only its old variant had is deleted.
func TestLabEachClusterHasTheVariantOfItsLabels(t *testing.T) {
	h := newHouse(t)
	image := labtest.Open(t).Image(t, "lab/pause", "1")
	h.rollout.Content = func(_ context.Context, r release.Release, _ release.Environment) (render.Rendered, error) {
		color := h.content[r.Commit]
		parse := func(text string) render.Rendered {
			out, err := render.Parse("m.yaml", []byte(text), render.Options{Service: r.Service, Namespace: h.ns})
			if err != nil {
				t.Error(err)
			}
			return out
		}
		pale := app(image, "pale-"+color, "", "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n")
		return parse(app(image, color, "")).With([]render.Variant{{Name: "pale", Clusters: match("ring", "canary"), Rendered: parse(pale)}}), nil
	}
	has := func(when, canary, main string) {
		t.Helper()
		if c, m := h.color("prod-canary"), h.color("prod-main"); c != canary || m != main {
			t.Fatalf("%s: prod-canary has %q and prod-main %q, want %q and %q", when, c, m, canary, main)
		}
	}
	first, v := h.deploy(h.release(1, "blue"))
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
	}
	h.verify(first)
	has("released", "pale-blue", "blue")

	p := h.rollout.Platform.(platform)
	p.clusters = slices.Clone(p.clusters)
	for i, c := range p.clusters {
		switch c.Meta.Name {
		case "prod-canary":
			p.clusters[i] = cluster(c.Meta.Name, "env", "prod", "ring", "main")
		case "prod-main":
			p.clusters[i] = cluster(c.Meta.Name, "env", "prod", "ring", "canary")
		}
	}
	h.rollout.Platform = p
	t.Logf("with other labels, brought over after %v and %v", h.follow("prod-main", "pale-blue"), h.follow("prod-canary", "blue"))
	k, err := h.kube.Get("prod-canary")
	if err != nil {
		t.Fatal(err)
	}
	gone := func() bool {
		extra, err := k.Typed().CoreV1().ConfigMaps(h.ns).Get(t.Context(), "extra", metav1.GetOptions{})
		return apierrors.IsNotFound(err) || err == nil && extra.DeletionTimestamp != nil
	}
	for began := time.Now(); !gone(); <-time.After(200 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatal("prod-canary keeps what only its old variant had")
		}
	}

	second, v := h.deploy(h.release(2, "green"))
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
	}
	has("released again", "green", "pale-green")
	if _, v, _ := h.act(second, h.rollout.Return); v.Outcome() != release.Passed {
		t.Fatalf("return: %v %s", v.Outcome(), v.Reason())
	}
	has("returned", "blue", "pale-blue")
}
