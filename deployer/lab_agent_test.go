//go:build lab

package deployer_test

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/agent"
	"github.com/seatrial/seatrial/deployer/hub"
	"github.com/seatrial/seatrial/deployer/hub/authority"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

const far = "prod-canary"

// door is the server's side of agents; it may be shut and opened again.
type door struct {
	h       *house
	dir     string
	address string
	hub     *hub.Hub
	auth    *authority.Authority
	shut    func()
}

func (d *door) open() {
	t := d.h.t
	t.Helper()
	var err error
	if d.auth, err = authority.Open(authority.Config{Dir: d.dir, Passphrase: "lab", Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", d.address)
	if err != nil {
		t.Fatal(err)
	}
	d.address = l.Addr().String()
	d.hub = hub.New(hub.Config{Authority: d.auth, Agent: func(name string) bool { return name == far }, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	d.h.rollout.Live = hub.Router{Near: d.h.live, Hub: d.hub, Far: func(name string) bool { return name == far }}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.hub.Run(ctx, l)
	}()
	d.shut = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(d.shut)
}

func (d *door) connected() {
	d.h.t.Helper()
	d.h.until("the agent is connected", func() bool { return d.hub.Connection(far).Connected })
}

// until waits for something to be so.
func (h *house) until(what string, so func() bool) time.Duration {
	h.t.Helper()
	began := time.Now()
	for !so() {
		if time.Since(began) > patience {
			h.t.Fatalf("%s: not within %s", what, patience)
		}
		select {
		case <-h.t.Context().Done():
			h.t.Fatal("cut off")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return time.Since(began)
}

// agent runs one near the canary cluster.
func (d *door) agent() {
	t := d.h.t
	t.Helper()
	token, _, err := d.auth.Invite(far, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	a := agent.New(agent.Config{Server: d.address, Folder: filepath.Join(d.dir, "agent"), Token: token, Version: "lab", Kube: kube.Open(d.h.creds), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = a.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
}

func TestLabAnAgentIsCutOffHealsAndCatchesUp(t *testing.T) {
	h := newHouse(t)
	lab := labtest.Open(t)
	image := lab.Image(t, "lab/pause", "1")
	p := h.rollout.Platform.(platform)
	p.env.Spec.Waves = []release.WaveSpec{{Name: "canary", Clusters: match("env", "prod", "ring", "canary"), FailureBudget: 1}, {Name: "rest", Clusters: match("env", "prod")}}
	h.rollout.Platform = p
	d := &door{h: h, dir: t.TempDir(), address: "127.0.0.1:0"}
	d.open()
	d.agent()
	d.connected()
	first, v := h.deploy(h.release(1, app(image, "blue", "")))
	if v.Outcome() != release.Passed {
		t.Fatalf("first release: %v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
	}
	h.verify(first)
	if got := h.color(far); got != "blue" {
		t.Fatalf("%s is %q", far, got)
	}

	d.shut()
	k, err := h.kube.Get(far)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Typed().CoreV1().ConfigMaps(h.ns).Patch(t.Context(), "conf", types.MergePatchType, []byte(`{"data":{"color":"red"}}`), metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
		t.Fatal(err)
	}
	t.Logf("cut off, drift is healed after %s", h.until("drift is healed without a server", func() bool { return h.color(far) == "blue" }))

	second, v := h.deploy(h.release(2, app(image, "green", "")))
	if v.Outcome() != release.Passed {
		t.Fatalf("second release: %v %s (%s)", v.Outcome(), v.Reason(), v.Hint())
	}
	h.verify(second)
	h.slot.Targets[far] = first.Stages[0].Desired
	if got := h.color(far); got != "blue" {
		t.Fatalf("%s is %q, and nobody told it", far, got)
	}
	d.open()
	f := h.fleet(func(context.Context, deployer.Healed) {})
	f.Live = h.rollout.Live.(hub.Router)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	t.Logf("back, it catches up after %s", h.until("the agent catches up", func() bool { return h.color(far) == "green" }))
}
