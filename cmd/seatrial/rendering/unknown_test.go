package rendering_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/cmd/seatrial/rendering"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/release"
)

const (
	conf    = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\n"
	monitor = "apiVersion: monitoring.example/v1\nkind: Monitor\nmetadata: {name: web}\n"
	defined = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: monitors.monitoring.example}\n" +
		"spec: {group: monitoring.example, scope: Namespaced, names: {kind: Monitor, plural: monitors}}\n"
)

func TestAClusterHasToKnowOnlyTheKindsThatItGets(t *testing.T) {
	of := func(text string) render.Rendered {
		out, err := render.Parse("m", []byte(text), render.Options{Service: "shop/web", Namespace: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	watched := release.Selector{MatchLabels: map[string]string{"watched": "yes"}}
	with := func(rest, variant string) render.Rendered {
		return of(rest).With([]render.Variant{{Name: "watched", Clusters: watched, Rendered: of(variant)}})
	}
	clusters := []release.Cluster{{Meta: release.Meta{Name: "plain"}}, {Meta: release.Meta{Name: "rich", Labels: watched.MatchLabels}}}
	scope := func(cluster string) render.Scope { // only rich has the kind
		return func(k schema.GroupVersionKind) (bool, bool) { return true, k.Kind != "Monitor" || cluster == "rich" }
	}
	lacks := []string{"cluster plain does not know kind Monitor (monitoring.example/v1)"}
	for _, c := range []struct {
		name string
		all  render.Rendered
		want []string
	}{
		{"a kind that everybody knows", of(conf), nil},
		{"a kind that one does not know", of(conf + "---\n" + monitor), lacks},
		{"one is enough to be told", of(monitor + "---\n" + "apiVersion: monitoring.example/v1\nkind: Monitor\nmetadata: {name: db}\n"), lacks},
		{"a kind that is brought along", of(defined + "---\n" + monitor), nil},
		{"a kind only for those that know it", with(conf, monitor), nil},
		{"a kind for all but those that know it", with(monitor, conf), lacks},
		{"a kind that only others are brought", with(monitor, defined+"---\n"+monitor), lacks},
	} {
		if got := rendering.Unknown(c.all, clusters, scope); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
