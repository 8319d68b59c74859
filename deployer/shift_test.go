package deployer_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/stamp"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/release"
)

// sided is the content of shop/web in one colour.
func sided(color string) desired.Content {
	out, err := render.Parse("m.yaml", []byte(`apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: `+color+`@sha256:`+strings.Repeat("a", 64)+`}]}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec: {parentRefs: [{name: lab}], rules: [{backendRefs: [{name: web, port: 80}]}]}
`), render.Options{})
	if err != nil {
		panic(err)
	}
	return desired.Content{Rendered: out, Revision: release.Commit(color),
		Record: desired.Record{Strategy: &release.Strategy{Type: release.Canary, Steps: []release.CanaryStep{{Weight: 10}}}}}
}

// sides is a branch with two contents, and clusters that remember what they were asked for.
type sides struct {
	mu    sync.Mutex
	asked []string // "main blue+green 10%"
	hooks bool
	stale bool
	late  time.Duration // until a sync is healthy
}

func (s *sides) Write(context.Context, release.DesiredState, desired.Record, render.Rendered, string) (release.Commit, error) {
	return "green", nil
}

func (s *sides) Return(context.Context, release.DesiredState, release.Service, release.Placed, release.ID, string) (release.Commit, error) {
	return "blue", nil
}

func (s *sides) Read(_ context.Context, _ release.DesiredState, _ release.Service, c release.Commit) (desired.Content, error) {
	return sided(string(c)), nil
}

func (s *sides) Sync(_ context.Context, c string, w live.Want) (live.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = s.hooks || w.Hooks
	if did := c + " " + look(w); len(s.asked) == 0 || s.asked[len(s.asked)-1] != did {
		s.asked = append(s.asked, did)
	}
	s.stale = false
	return live.Result{State: live.Synced}, nil
}

func (s *sides) Health(_ context.Context, _ string, _ live.Want, synced time.Time) (live.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(synced) < s.late {
		return live.Result{State: live.Progressing}, nil
	}
	if s.stale {
		return live.Result{State: live.Progressing, Stale: true}, nil
	}
	return live.Result{State: live.Healthy}, nil
}

func (s *sides) Stamp(string, release.Service) stamp.Stamp { return stamp.Stamp{} }

func (s *sides) Drifted(context.Context, string, live.Want) ([]string, error) { return nil, nil }
func (s *sides) Reach(context.Context, string) (string, string)               { return "Ready", "" }
func (s *sides) Withdraw(context.Context, string, live.Want) (live.Result, error) {
	return live.Result{}, nil
}

func (s *sides) Changed(ctx context.Context) ([]live.Change, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *sides) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.asked
	s.asked = nil
	return out
}

// look says which images run and what the route gives the new side.
func look(w live.Want) string {
	var images []string
	part := ""
	for _, o := range w.Objects {
		switch o.GetKind() {
		case "Deployment":
			c, _, _ := unstructured.NestedSlice(o.Object, "spec", "template", "spec", "containers")
			color, _, _ := strings.Cut(c[0].(map[string]any)["image"].(string), "@")
			images = append(images, color)
		case "HTTPRoute":
			rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
			if refs := rules[0].(map[string]any)["backendRefs"].([]any); len(refs) == 2 {
				part = fmt.Sprintf(" %v%%", refs[1].(map[string]any)["weight"])
			}
		}
	}
	return strings.Join(images, "+") + part
}

// stepwise is a rollout from blue to green on one cluster.
func stepwise() (*deployer.Rollout, *sides, *places, release.Release) {
	env := prod()
	env.Spec.Waves = []release.WaveSpec{{Name: "all", Clusters: match("env", "prod")}}
	s := &sides{}
	p := &places{slot: release.Slot{Service: "shop/web", Env: "prod", Targets: map[string]release.Commit{"main": "blue"},
		Current: &release.Placed{Release: "old", Desired: "blue"}, Verified: []release.Placed{{Release: "old", Desired: "blue"}}}}
	o := &deployer.Rollout{Desired: s, Live: s, Locks: &deployer.Locks{}, Now: time.Now, Slot: p.read,
		Platform: platform{env: env, clusters: []release.Cluster{cluster("main", "env", "prod")}, project: release.Project{Meta: release.Meta{Name: "shop"}}},
		Content: func(context.Context, release.Release, release.Environment) (render.Rendered, error) {
			return sided("green").Rendered, nil
		}}
	r := newRelease("1")
	r.Stages[0].Manifests = sided("green").Rendered.Digest
	return o, s, p, r
}

// until repeats an action until it does not wait any more.
func until(t *testing.T, r release.Release, do step) release.Release {
	t.Helper()
	for {
		facts, v, err := do(t.Context(), "k", r)
		r = r.With(facts)
		if err != nil || v.Outcome() != release.Passed && v.Outcome() != release.Waiting {
			t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), err)
		}
		if v.Outcome() == release.Passed {
			return r
		}
		time.Sleep(v.After())
	}
}

type step = func(context.Context, string, release.Release) (release.Facts, release.Verdict, error)

func TestEachShiftBringsItsOwnObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, _, r := stepwise()
		s.late = 2500 * time.Millisecond
		r = until(t, r, o.Sync)
		var names, did []string
		for i, shift := range r.Now().Waves[0].Shifts {
			r.Shift = i
			r = until(t, r, o.Sync)
			began := time.Now()
			r = until(t, r, o.Health)
			names, did = append(names, shift.Name), append(did, strings.Join(s.taken(), ","))
			target := r.Now().Waves[0].Targets[0]
			if target.Shift != shift.Name || target.Revision != "green" || target.State != "Healthy" {
				t.Fatalf("%s: %+v", shift.Name, target)
			}
			if waited := time.Since(began); shift.Name != "" && waited < s.late+2*time.Second {
				t.Errorf("%s: it counted after %s, before a gateway that took it after %s can have followed", shift.Name, waited, s.late)
			}
		}
		want := []string{"main blue+green", "main blue+green 10%", "main blue+green 100%", "main green+green 100%", "main green+green", "main green"}
		if !slices.Equal(did, want) {
			t.Errorf("%q: got %q, want %q", names, did, want)
		}
	})
}

func TestHealingBetweenTwoShiftsIsOfTheShift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, p, r := stepwise()
		r = until(t, r, o.Sync)
		for i, want := range []string{"main blue+green", "main blue+green 10%", "main blue+green 100%"} {
			r.Shift = i
			r = until(t, until(t, r, o.Sync), o.Health)
			s.taken()
			time.Sleep(5 * time.Second)
			s.stale = true // somebody changes it
			s.hooks = false
			r = until(t, r, o.Health)
			if got := s.taken(); !slices.Equal(got, []string{want}) || s.hooks {
				t.Errorf("shift %d was healed to %q with hooks: %v, want %q", i, got, s.hooks, want)
			}
		}
		if p.slot.Targets["main"] != "blue" {
			t.Error("the slot was changed")
		}
	})
}

func TestAReturnBetweenTwoShiftsLeavesPlainObjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, _, r := stepwise()
		r = until(t, r, o.Sync)
		r.Shift = 1
		r = until(t, until(t, r, o.Sync), o.Health)
		s.taken()
		r.Phase = release.RollingBack
		r = until(t, r, o.Return)
		target := r.Now().Waves[0].Targets[0]
		if got := s.taken(); !slices.Equal(got, []string{"main blue"}) || target.Shift != "" || target.Revision != "blue" || target.State != deployer.RolledBack {
			t.Errorf("%q, %+v", got, target)
		}
	})
}

func TestWhatWasLeftBetweenTwoShiftsIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, p, _ := stepwise()
		p.slot.Occupant, p.slot.Undo = "held", []string{"main"}
		f := &deployer.Fleet{Platform: o.Platform, Slots: p.all, Slot: p.read, Desired: s, Live: s, Locks: o.Locks, Now: time.Now,
			Place: p.place, Report: func(context.Context, deployer.Healed) {}}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = f.Run(ctx) })
		time.Sleep(5 * time.Second)
		cancel()
		running.Wait()
		if got := s.taken(); !slices.Equal(got, []string{"main blue"}) || s.hooks || len(p.slot.Undo) > 0 || p.slot.Targets["main"] != "blue" {
			t.Errorf("%q, hooks %v, %+v", got, s.hooks, p.slot)
		}
	})
}

func TestTheFirstReleaseHasNothingToShiftFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, s, p, r := stepwise()
		p.slot = release.Slot{Service: "shop/web", Env: "prod"}
		r = until(t, until(t, r, o.Sync), o.Health)
		if got, target := s.taken(), r.Now().Waves[0].Targets[0]; !slices.Equal(got, []string{"main green"}) || target.Shift != "" {
			t.Errorf("%q, %+v", got, target)
		}
	})
}
