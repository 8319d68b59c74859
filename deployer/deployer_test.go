package deployer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/stamp"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/release"
)

// platform is what the operators configured: one environment, one project.
type platform struct {
	env      release.Environment
	project  release.Project
	clusters []release.Cluster
}

func (p platform) Environment(n release.Env) (release.Environment, bool) {
	return p.env, n == release.Env(p.env.Meta.Name)
}

func (p platform) Project(n string) (release.Project, bool) {
	return p.project, n == p.project.Meta.Name
}

func (p platform) Clusters() []release.Cluster { return p.clusters }

func cluster(name string, labels ...string) release.Cluster {
	m := map[string]string{}
	for i := 0; i < len(labels); i += 2 {
		m[labels[i]] = labels[i+1]
	}
	return release.Cluster{Meta: release.Meta{Name: name, Labels: m}}
}

func match(labels ...string) release.Selector {
	return release.Selector{MatchLabels: cluster("", labels...).Meta.Labels}
}

func prod() release.Environment {
	return release.Environment{Meta: release.Meta{Name: "prod"}, Spec: release.EnvironmentSpec{
		DesiredState: release.DesiredState{Repo: "platform/desired", Branch: "env/prod"},
		Waves:        []release.WaveSpec{{Name: "canary", Clusters: match("env", "prod", "ring", "canary")}, {Name: "rest", Clusters: match("env", "prod")}}}}
}

// branch is a desired-state branch in memory.
type branch struct {
	mu      sync.Mutex
	keys    map[string]release.Commit
	content map[release.Commit]desired.Content
	log     []string
	forged  bool // a commit that was there under a key keeps its own content
}

func (b *branch) add(key, color string) release.Commit {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.keys[key]; ok {
		return c
	}
	c := release.Commit(fmt.Sprintf("%040x", len(b.keys)+1))
	b.keys[key] = c
	out, _ := render.Parse("m", []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {color: "+color+"}\n"), render.Options{})
	b.content[c] = desired.Content{Rendered: out, Revision: c}
	b.log = append(b.log, color)
	return c
}

func (b *branch) Write(_ context.Context, _ release.DesiredState, rec desired.Record, _ render.Rendered, key string) (release.Commit, error) {
	return b.as(b.add(key, string(rec.Commit[:4])), rec.Manifests), nil
}

// as is a commit that holds what has a digest.
func (b *branch) as(c release.Commit, d release.Digest) release.Commit {
	b.mu.Lock()
	defer b.mu.Unlock()
	if content := b.content[c]; d != "" && !b.forged {
		content.Rendered.Digest = d
		b.content[c] = content
	}
	return c
}

func (b *branch) Return(_ context.Context, _ release.DesiredState, _ release.Service, p release.Placed, bad release.ID, key string) (release.Commit, error) {
	return b.as(b.add(key, "back-to-"+string(p.Release)), b.content[p.Desired].Rendered.Digest), nil
}

func (b *branch) Read(_ context.Context, _ release.DesiredState, _ release.Service, c release.Commit) (desired.Content, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	got, ok := b.content[c]
	if !ok {
		return got, git.ErrNoCommit
	}
	return got, nil
}

// fleet is clusters that say what the test wants.
type fleet struct {
	mu      sync.Mutex
	synced  []string // "cluster revision"
	hooked  []string // clusters that were synced with hooks
	on      map[string]release.Commit
	sync    map[string]func() (live.Result, error)
	health  map[string]func() (live.Result, error)
	drift   map[string][]string
	away    map[string]bool
	changes chan []live.Change
}

func (f *fleet) Sync(_ context.Context, c string, w live.Want) (live.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if do := f.sync[c]; do != nil {
		return do()
	}
	if w.Hooks {
		f.hooked = append(f.hooked, c)
	}
	if f.on[c] != w.Revision {
		f.synced = append(f.synced, c)
		f.on[c] = w.Revision
	}
	delete(f.drift, c)
	return live.Result{State: live.Synced}, nil
}

func (f *fleet) Health(_ context.Context, c string, w live.Want, _ time.Time) (live.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if do := f.health[c]; do != nil {
		return do()
	}
	return live.Result{State: live.Healthy}, nil
}

func (f *fleet) Stamp(string, release.Service) stamp.Stamp { return stamp.Stamp{} }

func (f *fleet) Drifted(_ context.Context, c string, w live.Want) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.drift[c], nil
}

func (f *fleet) Withdraw(_ context.Context, c string, w live.Want) (live.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(w.Objects) == 0 {
		return live.Result{}, errors.New("nothing says which kinds to look for")
	}
	delete(f.on, c)
	return live.Result{State: live.Synced}, nil
}

func (f *fleet) Reach(_ context.Context, c string) (string, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.away[c] {
		return "Unreachable", "connection refused"
	}
	return "Ready", ""
}

func (f *fleet) Changed(ctx context.Context) ([]live.Change, error) {
	select {
	case c := <-f.changes:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type world struct {
	*deployer.Rollout
	branch *branch
	fleet  *fleet
	slot   release.Slot
}

func newWorld(env release.Environment, clusters ...release.Cluster) *world {
	w := &world{branch: &branch{keys: map[string]release.Commit{}, content: map[release.Commit]desired.Content{}},
		fleet: &fleet{on: map[string]release.Commit{}, sync: map[string]func() (live.Result, error){}, health: map[string]func() (live.Result, error){}, drift: map[string][]string{}, away: map[string]bool{}, changes: make(chan []live.Change, 8)}}
	if len(clusters) == 0 {
		clusters = []release.Cluster{cluster("canary", "env", "prod", "ring", "canary"), cluster("main", "env", "prod")}
	}
	w.Rollout = &deployer.Rollout{Platform: platform{env: env, clusters: clusters, project: release.Project{Meta: release.Meta{Name: "shop"}, Spec: release.ProjectSpec{Namespaces: []string{"shop"}}}},
		Desired: w.branch, Live: w.fleet, Locks: &deployer.Locks{}, Now: func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) },
		Slot: func(context.Context, release.Service, release.Env) (release.Slot, error) { return w.slot, nil },
		Content: func(_ context.Context, r release.Release, _ release.Environment) (render.Rendered, error) {
			return render.Rendered{Digest: "sha256:checked", YAML: []byte("x")}, nil
		}}
	return w
}

func newRelease(n string) release.Release {
	c := release.Commit(strings.Repeat(n, 40))
	return release.Release{ID: release.NewID("shop/web", c), Service: "shop/web", Project: "shop", Commit: c, Attempt: 1, Stages: []release.Stage{{Env: "prod", Manifests: "sha256:checked"}}}
}

func TestSync(t *testing.T) {
	t.Run("git hears of it before any cluster, once per stage, and only the wave's targets are synced", func(t *testing.T) {
		w, r := newWorld(prod()), newRelease("1")
		for range 3 { // as after a crash, before anything was saved
			facts, v, err := w.Sync(t.Context(), "k", r)
			if err != nil || v.Outcome() != release.Passed || facts.Desired == "" || len(facts.Waves) != 2 {
				t.Fatalf("%v %v %+v", v, err, facts)
			}
		}
		if len(w.branch.log) != 1 || !slices.Equal(w.fleet.synced, []string{"canary"}) {
			t.Fatalf("commits %v, synced %v", w.branch.log, w.fleet.synced)
		}
	})
	t.Run("manifests that are not those that were checked are refused", func(t *testing.T) {
		w, r := newWorld(prod()), newRelease("1")
		r.Stages[0].Manifests = "sha256:other"
		if _, v, _ := w.Sync(t.Context(), "k", r); v.Outcome() != release.Refused || len(w.branch.log) != 0 {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
	})
	t.Run("a person's push is synced from its own commit", func(t *testing.T) {
		w, r := newWorld(prod()), newRelease("1")
		r.Stages[0].Desired = w.branch.as(w.branch.add("human", "by-hand"), "sha256:checked")
		if _, v, err := w.Sync(t.Context(), "k", r); v.Outcome() != release.Passed || err != nil || len(w.branch.log) != 1 {
			t.Fatalf("%v %v", v, err)
		}
	})
	t.Run("a commit under our key that somebody else made is not applied", func(t *testing.T) {
		w, r := newWorld(prod()), newRelease("1")
		w.branch.add(string(r.ID)+"/deploy/prod/1", "evil")
		w.branch.forged = true
		if _, v, err := w.Sync(t.Context(), "k", r); err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Hint(), "who pushed that commit") || len(w.fleet.synced) != 0 {
			t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), err)
		}
	})
	t.Run("an unreachable cluster is waited for by name", func(t *testing.T) {
		w := newWorld(prod())
		w.fleet.sync["canary"] = func() (live.Result, error) {
			return live.Result{}, errors.New("cluster canary does not answer: connection refused (since 12:00:00 UTC)")
		}
		facts, v, err := w.Sync(t.Context(), "k", newRelease("1"))
		if err != nil || v.Outcome() != release.Waiting || !strings.Contains(v.Reason(), "canary does not answer") || v.Hint() == "" || facts.Targets[0].State != "Unreachable" {
			t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), err)
		}
	})
	t.Run("a refusal names cluster and next step; the budget forgives it", func(t *testing.T) {
		env := prod()
		w := newWorld(env)
		w.fleet.sync["canary"] = func() (live.Result, error) {
			return live.Result{State: live.Refused, Message: "quota", Hint: "ask"}, nil
		}
		if _, v, _ := w.Sync(t.Context(), "k", newRelease("1")); v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "cluster canary refuses shop/web: quota") || v.Hint() != "ask" {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
		env.Spec.Waves[0].FailureBudget = 1
		w = newWorld(env)
		w.fleet.sync["canary"] = func() (live.Result, error) { return live.Result{State: live.Refused, Message: "quota"}, nil }
		if _, v, _ := w.Sync(t.Context(), "k", newRelease("1")); v.Outcome() != release.Passed {
			t.Fatalf("%v %s", v.Outcome(), v.Reason())
		}
	})
	t.Run("no more targets change at once than the wave allows", func(t *testing.T) {
		env := prod()
		env.Spec.Waves = []release.WaveSpec{{Name: "all", Clusters: match("env", "prod"), MaxUnavailable: "34%"}}
		w := newWorld(env, cluster("a", "env", "prod"), cluster("b", "env", "prod"), cluster("c", "env", "prod"), cluster("d", "env", "prod"))
		slow := live.Result{State: live.Progressing}
		for _, c := range []string{"a", "b"} {
			w.fleet.health[c] = func() (live.Result, error) { return slow, nil }
		}
		r := newRelease("1")
		step := func() release.Outcome {
			facts, v, err := w.Sync(t.Context(), "k", r)
			if err != nil {
				t.Fatal(err)
			}
			r = r.With(facts)
			return v.Outcome()
		}
		first, second := step(), step()
		slices.Sort(w.fleet.synced)
		if first != release.Waiting || second != release.Waiting || !slices.Equal(w.fleet.synced, []string{"a", "b"}) {
			t.Fatalf("%v, %v; synced %v", first, second, w.fleet.synced)
		}
		slow.State = live.Healthy
		step()
		if step() != release.Passed || len(w.fleet.synced) != 4 {
			t.Fatalf("synced %v", w.fleet.synced)
		}
	})
	t.Run("an environment without clusters is refused", func(t *testing.T) {
		w := newWorld(prod(), cluster("x", "env", "other"))
		if _, v, _ := w.Sync(t.Context(), "k", newRelease("1")); v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "selects no cluster") {
			t.Fatal(v.Reason())
		}
	})
}

// deployed is a release whose first wave was synced.
func (w *world) deployed(t *testing.T, n string) release.Release {
	t.Helper()
	r := newRelease(n)
	facts, v, err := w.Sync(t.Context(), "k", r)
	if err != nil || v.Outcome() != release.Passed {
		t.Fatalf("%v %v", v, err)
	}
	return r.With(facts)
}

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		name   string
		result live.Result
		err    error
		later  time.Duration
		want   release.Outcome
		says   string
	}{
		{"healthy passes with evidence", live.Result{State: live.Healthy}, nil, 0, release.Passed, ""},
		{"progressing waits", live.Result{State: live.Progressing, Message: "1 of 2"}, nil, 0, release.Waiting, "cluster canary: 1 of 2"},
		{"progressing for too long is refused", live.Result{State: live.Progressing, Message: "1 of 2"}, nil, 6 * time.Minute, release.Refused, "not healthy within 5m0s: 1 of 2"},
		{"degraded is refused", live.Result{State: live.Degraded, Message: "crash", Hint: "logs"}, nil, 0, release.Refused, "cluster canary: crash"},
		{"no answer waits", live.Result{}, errors.New("cluster canary does not answer"), 0, release.Waiting, "does not answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(prod())
			r := w.deployed(t, "1")
			now := w.Now().Add(c.later)
			w.Now = func() time.Time { return now }
			w.fleet.health["canary"] = func() (live.Result, error) { return c.result, c.err }
			facts, v, err := w.Health(t.Context(), "k", r)
			if err != nil || v.Outcome() != c.want || !strings.Contains(v.Reason(), c.says) {
				t.Fatalf("%v %q %v", v.Outcome(), v.Reason(), err)
			}
			if c.want == release.Passed && (facts.Targets[0].Healthy.IsZero() || v.Evidence()[0].Revision != r.Stages[0].Desired) {
				t.Errorf("%+v %+v", facts.Targets[0], v.Evidence())
			}
		})
	}
}

func TestReturn(t *testing.T) {
	t.Run("nothing verified is refused, and nothing is touched", func(t *testing.T) {
		w := newWorld(prod())
		r := w.deployed(t, "2")
		_, v, err := w.Return(t.Context(), "k", r)
		if err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "nothing to return to") || len(w.branch.log) != 1 {
			t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), w.branch.log)
		}
	})
	t.Run("git first, then the touched targets, to the last verified, once", func(t *testing.T) {
		w := newWorld(prod())
		w.slot.Verified = []release.Placed{{Release: "shop.web.222222222222"}, {Release: "shop.web.111111111111", Desired: w.branch.add("old", "old")}}
		r := w.deployed(t, "2")
		w.fleet.synced = nil
		facts, v, err := w.Return(t.Context(), "k", r)
		if err != nil || v.Outcome() != release.Passed || facts.Targets[0].State != deployer.RolledBack || facts.Targets[0].Revision != facts.Return {
			t.Fatalf("%v %s %v %+v", v.Outcome(), v.Reason(), err, facts)
		}
		if _, v, _ = w.Return(t.Context(), "k", r); v.Outcome() != release.Passed {
			t.Fatal(v.Reason())
		}
		if got := w.branch.log[len(w.branch.log)-1]; got != "back-to-shop.web.111111111111" || len(w.branch.log) != 3 {
			t.Errorf("branch %v", w.branch.log)
		}
		if !slices.Equal(w.fleet.synced, []string{"canary"}) {
			t.Errorf("synced %v; the second wave never saw the release", w.fleet.synced)
		}
	})
	t.Run("a cluster that an overtaken release reached is returned with it", func(t *testing.T) {
		w := newWorld(prod())
		good := release.Placed{Release: "shop.web.111111111111", Desired: w.branch.add("old", "old")}
		w.slot.Verified, w.slot.Current = []release.Placed{good}, &good
		w.slot.Targets = map[string]release.Commit{"canary": good.Desired, "main": w.branch.add("overtaken", "overtaken")}
		r := w.deployed(t, "2")
		w.fleet.synced = nil
		if _, v, err := w.Return(t.Context(), "k", r); err != nil || v.Outcome() != release.Passed {
			t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), err)
		}
		slices.Sort(w.fleet.synced)
		if !slices.Equal(w.fleet.synced, []string{"canary", "main"}) {
			t.Errorf("synced %v", w.fleet.synced)
		}
	})
	t.Run("what a person chose, or nothing", func(t *testing.T) {
		for to, want := range map[release.ID]string{"shop.web.000000000000": "back-to-shop.web.000000000000", "shop.web.999999999999": ""} {
			w := newWorld(prod())
			w.slot.Verified = []release.Placed{{Release: "shop.web.111111111111", Desired: w.branch.add("old", "old")}, {Release: "shop.web.000000000000", Desired: w.branch.add("older", "older")}}
			r := w.deployed(t, "2")
			r.Stages[0].To = to
			_, v, err := w.Return(t.Context(), "k", r)
			got := w.branch.log[len(w.branch.log)-1]
			if want == "" && (err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "shop.web.999999999999 is not among") || strings.HasPrefix(got, "back")) {
				t.Errorf("to %s: %v %s %v", to, v.Outcome(), v.Reason(), err)
			}
			if want != "" && (v.Outcome() != release.Passed || got != want) {
				t.Errorf("to %s: %v %s, %s", to, v.Outcome(), v.Reason(), got)
			}
		}
	})
	t.Run("a cluster that refuses the return makes a person look", func(t *testing.T) {
		w := newWorld(prod())
		w.slot.Verified = []release.Placed{{Release: "x", Desired: w.branch.add("old", "old")}}
		r := w.deployed(t, "2")
		w.fleet.sync["canary"] = func() (live.Result, error) { return live.Result{State: live.Refused, Message: "quota"}, nil }
		if _, v, _ := w.Return(t.Context(), "k", r); v.Outcome() != release.Refused {
			t.Fatal(v.Outcome())
		}
	})
}

func TestFleet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(prod())
		old := w.branch.add("old", "old")
		w.branch.add("newer", "newer") // the branch's head, before its wave
		p := &places{slot: release.Slot{Service: "shop/web", Env: "prod", Targets: map[string]release.Commit{"main": old}}}
		w.fleet.on["main"] = old
		healed := make(chan deployer.Healed, 16)
		f := &deployer.Fleet{Platform: w.Platform, Slot: p.read, Desired: w.branch, Live: w.fleet, Locks: w.Locks, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Slots:  p.all,
			Report: func(_ context.Context, h deployer.Healed) { healed <- h }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		drift := func() {
			w.fleet.mu.Lock()
			w.fleet.drift["main"] = []string{"ConfigMap/conf"}
			w.fleet.mu.Unlock()
			w.fleet.changes <- []live.Change{{Cluster: "main", Service: "shop/web"}}
		}
		synctest.Wait()
		drift()
		if h := <-healed; h.Revision != old || h.Objects[0] != "ConfigMap/conf" || h.Err != nil {
			t.Errorf("healed to %+v, want the revision the target is on", h)
		}
		p.change(func(s *release.Slot) { s.Occupant = "shop.web.1" })
		drift()
		time.Sleep(2 * time.Minute) // of the bubble's clock: also past a sweep
		if len(healed) != 0 {
			t.Error("healed while a rollout occupies the slot")
		}
		p.change(func(s *release.Slot) { s.Occupant = "" })
		began := time.Now()
		for range 5 { // somebody fights us
			drift()
			<-healed
		}
		if took := time.Since(began); took < 5*time.Second || took > 20*time.Second {
			t.Errorf("five heals in a row took %v; want a back-off from the fourth", took)
		}
		cancel()
		<-done
	})
}
