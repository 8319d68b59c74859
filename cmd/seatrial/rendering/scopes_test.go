package rendering_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/cmd/seatrial/rendering"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// asked are clusters a to c, of which some are known to be away, one has just gone and one
// knows kind Thing.
func asked(t *testing.T, knows, gone string, away ...string) rendering.Scopes {
	return rendering.Scopes{
		Clusters: func() (all []release.Cluster) {
			for _, n := range []string{"a", "b", "c"} {
				all = append(all, release.Cluster{Meta: release.Meta{Name: n, Labels: map[string]string{"env": "prod"}}})
			}
			return all
		},
		Reach: func(_ context.Context, cluster string) (string, string) {
			if slices.Contains(away, cluster) {
				t.Errorf("%s was asked", cluster)
			}
			return map[bool]string{true: "Unreachable", false: "Ready"}[cluster == gone], ""
		},
		Away: func(cluster string) time.Time {
			if slices.Contains(away, cluster) {
				return time.Now()
			}
			return time.Time{}
		},
		Of: func(cluster string) render.Scope {
			if slices.Contains(away, cluster) {
				t.Errorf("%s was asked", cluster)
			}
			return func(gvk schema.GroupVersionKind) (bool, bool) { return false, cluster == knows && gvk.Kind == "Thing" }
		},
	}
}

func TestWhoIsAwayIsNotAskedAndMayBeTheOneThatKnows(t *testing.T) {
	for _, c := range []struct {
		name, knows, gone string
		away              []string
		known             bool
		waitsFor          string
	}{
		{"one knows", "b", "", nil, true, ""},
		{"one knows and others do not answer", "b", "c", []string{"a"}, true, ""},
		{"nobody knows", "", "", nil, false, ""},
		{"who knows has just gone", "c", "c", nil, false, "when c answers"},
		{"who knows is away", "b", "", []string{"b"}, false, "when b answers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wide, known, err := asked(t, c.knows, c.gone, c.away...).ClusterScoped(t.Context(), "example.com/v1", "Thing")
			if known != c.known || wide != c.known || (err != nil) != (c.waitsFor != "") {
				t.Errorf("wide %v, known %v, %v", wide, known, err)
			}
			if err != nil && !strings.Contains(hint.Of(err), c.waitsFor) {
				t.Errorf("hint %q", hint.Of(err))
			}
		})
	}
}

func TestReached(t *testing.T) {
	env := release.Environment{Spec: release.EnvironmentSpec{Waves: []release.WaveSpec{{Name: "all", Clusters: release.Selector{MatchLabels: map[string]string{"env": "prod"}}}}}}
	got := asked(t, "", "c", "a").Reached(t.Context(), env)
	if len(got) != 1 || got[0].Meta.Name != "b" {
		t.Errorf("%+v", got)
	}
}
