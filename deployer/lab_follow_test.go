//go:build lab

package deployer_test

import (
	"context"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/presence"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

// color is that of the ConfigMap on a cluster; empty: there is none.
func (h *house) color(cluster string) string {
	h.t.Helper()
	k, err := h.kube.Get(cluster)
	if err != nil {
		h.t.Fatal(err)
	}
	conf, err := k.Typed().CoreV1().ConfigMaps(h.ns).Get(h.t.Context(), "conf", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return conf.Data["color"]
}

// fleet watches the house's one service.
func (h *house) fleet(report func(context.Context, deployer.Healed)) *deployer.Fleet {
	return &deployer.Fleet{Platform: h.rollout.Platform, Slot: h.rollout.Slot, Desired: h.desired, Live: h.live, Locks: h.rollout.Locks, Now: time.Now, Report: report,
		Slots: func(ctx context.Context) ([]release.Slot, error) {
			s, err := h.rollout.Slot(ctx, "", "")
			return []release.Slot{s}, err
		},
		Place: func(_ context.Context, s release.Slot, _ deployer.Moved) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.slot = s
			return nil
		}}
}

// follow runs a Fleet until a cluster holds what is wanted, and says how long it took.
func (h *house) follow(cluster, color string) time.Duration {
	h.t.Helper()
	f := h.fleet(func(context.Context, deployer.Healed) {})
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	defer func() { cancel(); <-done }()
	began := time.Now()
	for h.color(cluster) != color {
		select {
		case <-time.After(200 * time.Millisecond):
		case <-h.t.Context().Done():
			h.t.Fatal("cut off")
		}
		if time.Since(began) > patience {
			h.t.Fatalf("cluster %s shows %q after %v, want %q", cluster, h.color(cluster), patience, color)
		}
	}
	return time.Since(began).Round(time.Millisecond)
}

// TestLabADeadClusterIsQuarantinedAndCatchesUp: a release goes on within the failure budget
// without a cluster that is away or that takes calls and never answers, and it gets what is
// verified by itself once it is back.
func TestLabADeadClusterIsQuarantinedAndCatchesUp(t *testing.T) {
	h := newHouse(t)
	lab := labtest.Open(t)
	image := lab.Image(t, "lab/pause", "1")
	w := h.wire(lab, 1)
	p := h.rollout.Platform.(platform)
	p.env.Spec.Waves = []release.WaveSpec{{Name: "canary", Clusters: match("env", "prod", "ring", "canary"), FailureBudget: 1}, {Name: "rest", Clusters: match("env", "prod")}}
	h.rollout.Platform = p
	watch := &presence.Watch{Clusters: p.Clusters, Reach: h.live.Reach, Now: time.Now}
	h.rollout.Presence = watch
	go watch.Run(t.Context())
	last, v := h.deploy(h.release(1, app(image, "blue", "")))
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s", v.Outcome(), v.Reason())
	}
	h.verify(last)
	for i, c := range []struct {
		what, color string
		stop, start func()
	}{
		{"is away", "green", w.cut, w.mend},
		{"takes calls and never answers", "red", w.flow.Lock, w.flow.Unlock},
	} {
		c.stop()
		began := time.Now()
		next, v := h.deploy(h.release(i+2, app(image, c.color, "")))
		took := time.Since(began)
		if v.Outcome() != release.Passed || next.Stages[0].Waves[0].Targets[0].State != deployer.Quarantined || took > patience {
			t.Fatalf("%v %s after %v: %+v", v.Outcome(), v.Reason(), took, next.Stages[0].Waves)
		}
		t.Logf("the release passed without a cluster that %s after %v", c.what, took.Round(time.Millisecond))
		h.verify(next)
		h.slot.Targets["prod-canary"] = last.Stages[0].Desired
		c.start()
		t.Logf("caught up %v after it was back", h.follow("prod-canary", c.color))
		last = next
	}
}

// TestLabAClusterThatLeavesIsLeftOrWithdrawnFrom: as the environment says.
func TestLabAClusterThatLeavesIsLeftOrWithdrawnFrom(t *testing.T) {
	h := newHouse(t)
	image := labtest.Open(t).Image(t, "lab/pause", "1")
	first, v := h.deploy(h.release(1, app(image, "blue", "")))
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s", v.Outcome(), v.Reason())
	}
	h.verify(first)
	p := h.rollout.Platform.(platform)
	p.env.Spec.Waves = []release.WaveSpec{{Name: "only", Clusters: match("env", "prod", "ring", "canary")}}
	h.rollout.Platform = p
	second, v := h.deploy(h.release(2, app(image, "green", "")))
	if v.Outcome() != release.Passed || h.color("prod-main") != "blue" {
		t.Fatalf("%v %s; the cluster that left shows %q", v.Outcome(), v.Reason(), h.color("prod-main"))
	}
	h.verify(second)
	h.slot.Targets["prod-main"] = first.Stages[0].Desired
	p.env.Spec.OnUnmatch = "withdraw"
	h.rollout.Platform = p
	t.Logf("withdrawn after %v", h.follow("prod-main", ""))
	if h.color("prod-canary") != "green" || h.slot.Targets["prod-main"] != "" {
		t.Errorf("the cluster that stayed shows %q; targets %v", h.color("prod-canary"), h.slot.Targets)
	}
	p.env.Spec.Waves = []release.WaveSpec{{Name: "all", Clusters: match("env", "prod")}}
	h.rollout.Platform = p
	t.Logf("joined again after %v", h.follow("prod-main", "green"))
}
