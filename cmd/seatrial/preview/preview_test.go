package preview_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/cmd/seatrial/preview"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

func TestWanted(t *testing.T) {
	for _, c := range []struct {
		name  string
		pull  *release.Pull
		rules release.PullRules
		want  bool
	}{
		{"no pull request", nil, release.PullRules{}, false},
		{"a branch of the repo", &release.Pull{Author: "eve"}, release.PullRules{}, true},
		{"a stranger's fork, even one that was let be built", &release.Pull{Author: "eve", Fork: true}, release.PullRules{Trusted: []string{"mira"}}, false},
		{"the fork of somebody trusted", &release.Pull{Author: "mira", Fork: true}, release.PullRules{Trusted: []string{"mira"}}, true},
		{"a project that does not want it", &release.Pull{Author: "eve"}, release.PullRules{Preview: release.PreviewNone}, false},
	} {
		if got := preview.Wanted(release.Release{Pull: c.pull}, release.Project{Spec: release.ProjectSpec{PullRequests: c.rules}}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestEveryClusterIsAskedAndWhoDoesNotAnswerIsNamed(t *testing.T) {
	match := func(v string) release.Selector { return release.Selector{MatchLabels: map[string]string{"env": v}} }
	cluster := func(name string) release.Cluster {
		return release.Cluster{Meta: release.Meta{Name: name, Labels: map[string]string{"env": "prod", "name": name}}}
	}
	tree := platform.Tree{Projects: map[string]release.Project{"shop": {Meta: release.Meta{Name: "shop"}, Spec: release.ProjectSpec{Namespaces: []string{"shop"}}}},
		Clusters: map[string]release.Cluster{"a": cluster("a"), "b": cluster("b")},
		Environments: []release.Environment{{Meta: release.Meta{Name: "prod"}, Spec: release.EnvironmentSpec{Waves: []release.WaveSpec{{Name: "all", Clusters: match("prod")}}}},
			{Meta: release.Meta{Name: "other"}}}}
	parse := func(color string) render.Rendered {
		out, err := render.Parse("m", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {color: "+color+"}\n"), render.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	r := release.Release{ID: "shop.web.pull-7.1", Service: "shop/web", Project: "shop", Repo: "shop/web", Commit: "1111111111111111", Pull: &release.Pull{Number: 7, Author: "lin"}}
	var judged, said []string
	var failing error
	p := &preview.Preview{
		Release: func(context.Context, release.ID) (release.Release, error) { return r, nil },
		Pipeline: func(context.Context, release.Release) (release.Pipeline, error) {
			return release.Pipeline{Spec: release.PipelineSpec{Deploy: release.DeploySpec{Environments: []release.Env{"prod"}}}}, nil
		},
		Slot: func(context.Context, release.Service, release.Env) (release.Slot, error) {
			return release.Slot{Current: &release.Placed{Image: "registry.example/shop/web@sha256:1"}}, nil
		},
		Content: func(_ context.Context, r release.Release, _ release.Environment) (render.Rendered, error) {
			if !strings.HasPrefix(r.Artifact.Reference(), "registry.example/shop/web@sha256:0000") {
				t.Errorf("rendered with %s", r.Artifact.Reference())
			}
			return parse("red").With([]render.Variant{{Name: "b", Clusters: release.Selector{MatchLabels: map[string]string{"name": "b"}}, Rendered: parse("blue")}}), nil
		},
		Judge: func(_ context.Context, in policies.Input) (release.Verdict, error) {
			color := in.Manifests[0]["data"].(map[string]any)["color"].(string)
			judged = append(judged, color)
			if in.Unbuilt == "" || in.Release.Artifact != nil {
				t.Errorf("judged %+v", in.Release)
			}
			if color == "blue" {
				return release.Refuse("too blue", ""), nil
			}
			return release.Pass(), nil
		},
		Diff: func(_ context.Context, cluster string, w live.Want) ([]live.ObjectDiff, error) {
			if cluster == "a" {
				return nil, errors.New("cluster a does not answer")
			}
			return []live.ObjectDiff{{Kind: "ConfigMap", Name: w.Objects[0].Object["data"].(map[string]any)["color"].(string), Act: live.Creates}}, nil
		},
		Keep: func(_ context.Context, repo string, number int, marker, body string) error {
			if repo != "shop/web" || number != 7 || !strings.HasPrefix(body, marker) {
				t.Errorf("kept %s on %s#%d", marker, repo, number)
			}
			said = append(said, body)
			return failing
		},
		Tree: func() platform.Tree { return tree }, Console: "https://seatrial.example",
	}
	if err := p.Tell(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(judged, []string{"red", "blue"}) {
		t.Errorf("judged %v, want every variant", judged)
	}
	for _, want := range []string{"**It would be refused**: `too blue`", "| a | `cluster a does not answer` | | |", "| b | 1 | 0 | 0 |", "ConfigMap/blue is created (b)", "(https://seatrial.example/releases/shop.web.pull-7.1)"} {
		if !strings.Contains(said[0], want) {
			t.Errorf("no %q in\n%s", want, said[0])
		}
	}
	failing = errors.New("the forge is away")
	if err := p.Tell(t.Context(), r.ID); !errors.Is(err, failing) || said[0] != said[1] {
		t.Errorf("said again: %v, the same: %v", err, said[0] == said[1])
	}
}
