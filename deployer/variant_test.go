package deployer_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/stamp"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/release"
)

func colored(color string) render.Rendered {
	out, err := render.Parse("m", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {color: "+color+"}\n"), render.Options{})
	if err != nil {
		panic(err)
	}
	return out
}

// shades is a branch that has one content for the clusters of ring canary and another for
// the rest, and clusters that remember what they were given last.
type shades struct {
	fleet
	got map[string]string
	mu  sync.Mutex
}

func shadesOf(color string) render.Rendered {
	return colored(color).With([]render.Variant{{Name: "pale", Clusters: match("ring", "canary"), Rendered: colored("pale-" + color)}})
}

func (s *shades) Write(context.Context, release.DesiredState, desired.Record, render.Rendered, string) (release.Commit, error) {
	return "green", nil
}

func (s *shades) Return(context.Context, release.DesiredState, release.Service, release.Placed, release.ID, string) (release.Commit, error) {
	return "blue", nil
}

func (s *shades) Read(_ context.Context, _ release.DesiredState, _ release.Service, c release.Commit) (desired.Content, error) {
	return desired.Content{Rendered: shadesOf(string(c)), Revision: c}, nil
}

func (s *shades) Sync(_ context.Context, c string, w live.Want) (live.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[c] = w.Objects[0].Object["data"].(map[string]any)["color"].(string)
	return live.Result{State: live.Synced}, nil
}

func TestEachClusterGetsTheVariantThatItsLabelsAskFor(t *testing.T) {
	env := prod()
	env.Spec.Waves = []release.WaveSpec{{Name: "all", Clusters: match("env", "prod")}}
	s := &shades{got: map[string]string{}}
	clusters := []release.Cluster{cluster("canary", "env", "prod", "ring", "canary"), cluster("main", "env", "prod")}
	where := platform{env: env, clusters: clusters, project: release.Project{Meta: release.Meta{Name: "shop"}}}
	placed := release.Placed{Release: "shop.web.blue", Commit: "blue", Desired: "blue", Manifests: shadesOf("blue").Digest}
	slot := release.Slot{Service: "shop/web", Env: "prod", Verified: []release.Placed{placed}, Targets: map[string]release.Commit{"canary": "blue", "main": "blue"}}
	o := &deployer.Rollout{Platform: where, Desired: s, Live: s, Locks: &deployer.Locks{}, Now: time.Now,
		Slot: func(context.Context, release.Service, release.Env) (release.Slot, error) { return slot, nil },
		Content: func(context.Context, release.Release, release.Environment) (render.Rendered, error) {
			return shadesOf("green"), nil
		}}
	r := newRelease("1")
	r.Stages[0].Manifests = shadesOf("green").Digest
	facts, v, err := o.Sync(t.Context(), "k", r)
	if want := map[string]string{"canary": "pale-green", "main": "green"}; err != nil || v.Outcome() != release.Passed || !maps.Equal(s.got, want) {
		t.Errorf("%v %s %v: synced %v, want %v", v.Outcome(), v.Reason(), err, s.got, want)
	}
	r = r.With(facts)
	r.Phase, r.Stages[0].Live = release.RollingBack, true
	if _, v, err := o.Return(t.Context(), "k", r); err != nil || v.Outcome() == release.Refused {
		t.Errorf("the return: %s %v", v.Reason(), err)
	}
	if want := map[string]string{"canary": "pale-blue", "main": "blue"}; !maps.Equal(s.got, want) {
		t.Errorf("returned to %v, want %v", s.got, want)
	}

	where.clusters = []release.Cluster{cluster("canary", "env", "prod"), cluster("main", "env", "prod", "ring", "canary")}
	f := &deployer.Fleet{Platform: where, Desired: s}
	for name, want := range map[string]string{"canary": "blue", "main": "pale-blue"} {
		w, err := f.Want(t.Context(), slot, name, "blue")
		if err != nil || w.Objects[0].Object["data"].(map[string]any)["color"] != want {
			t.Errorf("with its new labels %s is to have %v, %v; want %s", name, w.Objects, err, want)
		}
	}
}

// relabelled is a platform whose clusters change their labels.
type relabelled struct {
	platform
	now func() []release.Cluster
}

func (r relabelled) Clusters() []release.Cluster { return r.now() }

// Drifted compares what a cluster was given last with what it is to have.
func (s *shades) Stamp(string, release.Service) stamp.Stamp { return stamp.Stamp{} }

func (s *shades) Drifted(_ context.Context, c string, w live.Want) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.got[c] == w.Objects[0].Object["data"].(map[string]any)["color"] {
		return nil, nil
	}
	return []string{"ConfigMap/conf"}, nil
}

func TestAClusterThatChangesItsLabelsIsBroughtToItsVariant(t *testing.T) {
	for _, c := range []struct {
		name  string
		ring  string // of cluster main, from now on
		spoil func(*release.Slot)
		want  string
	}{
		{name: "to the one that its labels ask for", ring: "canary", want: "pale-blue"},
		{name: "not while a release is under way, which does it itself", ring: "canary", spoil: func(s *release.Slot) { s.Occupant = "shop.web.green" }, want: "blue"},
		{name: "of the revision that it is on, whatever is verified since", ring: "canary", spoil: func(s *release.Slot) {
			s.Current, s.Hold = &release.Placed{Release: "shop.web.green", Desired: "green"}, &release.Hold{}
		}, want: "pale-blue"},
		{name: "and labels that nothing asks for change nothing", ring: "late", want: "blue"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &shades{got: map[string]string{}}
			env := prod()
			ring := "rest"
			where := relabelled{platform{env: env}, func() []release.Cluster { return []release.Cluster{cluster("main", "env", "prod", "ring", ring)} }}
			slot := release.Slot{Service: "shop/web", Env: "prod", Current: &release.Placed{Release: "shop.web.blue", Desired: "blue"}, Targets: map[string]release.Commit{"main": "blue"}}
			var healed []deployer.Healed
			f := &deployer.Fleet{Platform: where, Desired: s, Live: s, Locks: &deployer.Locks{}, Now: time.Now,
				Slot:   func(context.Context, release.Service, release.Env) (release.Slot, error) { return slot, nil },
				Slots:  func(context.Context) ([]release.Slot, error) { return []release.Slot{slot}, nil },
				Report: func(_ context.Context, h deployer.Healed) { healed = append(healed, h) }}
			sweep := func() string {
				if err := f.Sweep(t.Context()); err != nil {
					t.Fatal(err)
				}
				return s.got["main"]
			}
			if first := sweep(); first != "blue" || len(healed) != 1 {
				t.Fatalf("it begins with %q, healed %+v", first, healed)
			}
			ring = c.ring
			if c.spoil != nil {
				c.spoil(&slot)
			}
			if got := sweep(); got != c.want {
				t.Errorf("it has %q, want %q", got, c.want)
			}
			if changed := c.want != "blue"; changed != (len(healed) == 2) || healed[len(healed)-1].Revision != "blue" {
				t.Errorf("healed %+v", healed)
			}
		})
	}
}
