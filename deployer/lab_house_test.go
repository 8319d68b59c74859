//go:build lab

package deployer_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

// house is a rollout on the lab's real clusters with a real desired-state repo.
type house struct {
	t       *testing.T
	ns      string
	creds   string
	kube    *kube.Clusters
	live    *live.Clusters
	desired *desired.Store
	rollout *deployer.Rollout
	env     release.Environment

	mu      sync.Mutex // guards slot and content
	slot    release.Slot
	content map[release.Commit]string
}

func newHouse(t *testing.T) *house {
	t.Helper()
	lab := labtest.Open(t)
	h := &house{t: t, ns: fmt.Sprintf("deploy-%d", time.Now().UnixNano()%1e9), content: map[release.Commit]string{}}
	creds := lab.Credentials(t, lab.Names()...)
	h.creds = creds
	var clusters []release.Cluster
	for _, c := range lab.Clusters {
		clusters = append(clusters, release.Cluster{Meta: release.Meta{Name: c.Name, Labels: c.Labels}})
	}
	bare := filepath.Join(t.TempDir(), "desired.git")
	if out, err := exec.Command("git", "init", "-q", "--bare", bare).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	repos, err := git.Open(git.Config{Dir: t.TempDir(), AllowFile: true})
	if err != nil {
		t.Fatal(err)
	}
	kube.Quiet()
	h.kube = kube.Open(creds)
	h.live = live.New(h.kube, live.Config{})
	t.Cleanup(h.live.Close)
	h.desired = desired.New(repos, func(string) string { return "file://" + bare })
	h.env = release.Environment{Meta: release.Meta{Name: "prod"}, Spec: release.EnvironmentSpec{
		DesiredState: release.DesiredState{Repo: "platform/desired", Branch: "env/prod"},
		Waves: []release.WaveSpec{
			{Name: "canary", Clusters: release.Selector{MatchLabels: map[string]string{"env": "prod", "ring": "canary"}}},
			{Name: "rest", Clusters: release.Selector{MatchLabels: map[string]string{"env": "prod"}}}}}}
	p := platform{env: h.env, clusters: clusters, project: release.Project{Meta: release.Meta{Name: "shop"}, Spec: release.ProjectSpec{Team: "shop", Namespaces: []string{h.ns}}}}
	h.rollout = &deployer.Rollout{Platform: p, Desired: h.desired, Live: h.live, Locks: &deployer.Locks{}, Now: time.Now,
		Slot: func(context.Context, release.Service, release.Env) (release.Slot, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.slot, nil
		},
		Content: func(_ context.Context, r release.Release, _ release.Environment) (render.Rendered, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return render.Parse("m.yaml", []byte(h.content[r.Commit]), render.Options{Service: r.Service, Namespace: h.ns})
		}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		for _, c := range clusters {
			if k, err := h.kube.Get(c.Meta.Name); err == nil {
				_ = k.Typed().CoreV1().Namespaces().Delete(ctx, h.ns, metav1.DeleteOptions{})
			}
		}
	})
	return h
}

// release makes one whose content is given.
func (h *house) release(n int, content string) release.Release {
	c := release.Commit(fmt.Sprintf("%012x%028x", n+1, 0))
	h.content[c] = content
	return release.Release{ID: release.NewID("shop/web", c), Service: "shop/web", Project: "shop", Commit: c, Phase: release.Deploying, Attempt: 1,
		Stages: []release.Stage{{Env: "prod"}}}
}

type action func(context.Context, string, release.Release) (release.Facts, release.Verdict, error)

// patience is how long a busy machine may take for what a quiet one does in seconds.
const patience = 5 * time.Minute

// act repeats an action as the runner does, until it has an answer.
func (h *house) act(r release.Release, do action) (release.Release, release.Verdict, time.Duration) {
	h.t.Helper()
	began, last := time.Now(), ""
	for time.Since(began) < patience {
		facts, v, err := do(h.t.Context(), "k", r)
		r = r.With(facts)
		switch {
		case err != nil:
			h.t.Fatalf("could not ask: %v", err)
		case v.Outcome() != release.Waiting:
			return r, v, time.Since(began)
		}
		last = v.Reason()
		select {
		case <-h.t.Context().Done():
			h.t.Fatal("cut off")
		case <-time.After(v.After()):
		}
	}
	h.t.Fatalf("no answer within %v: %s", patience, last)
	return r, release.Verdict{}, 0
}

// deploy brings a release through every wave.
func (h *house) deploy(r release.Release) (release.Release, release.Verdict) {
	h.t.Helper()
	for wave := 0; ; wave++ {
		r.Wave = wave
		var v release.Verdict
		var sync, health time.Duration
		if r, v, sync = h.act(r, h.rollout.Sync); v.Outcome() != release.Passed {
			return r, v
		}
		if wave >= len(r.Stages[0].Waves) {
			return r, v
		}
		if r, v, health = h.act(r, h.rollout.Health); v.Outcome() != release.Passed {
			return r, v
		}
		h.t.Logf("wave %s: sync %v, healthy after %v", r.WaveName(), sync.Round(time.Millisecond), health.Round(time.Millisecond))
	}
}

// verify makes a release the slot's last verified one.
func (h *house) verify(r release.Release) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := r.Stages[0]
	placed := release.Placed{Release: r.ID, Commit: r.Commit, Desired: s.Desired}
	h.slot = release.Slot{Service: r.Service, Env: "prod", Current: &placed, Verified: []release.Placed{placed}, Targets: map[string]release.Commit{}}
	for _, w := range s.Waves {
		for _, t := range w.Targets {
			h.slot.Targets[t.Cluster] = t.Revision
		}
	}
}
