//go:build lab

package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// kill sends kill -9 to the server as soon as the release is there, and starts it again.
func kill(t *testing.T, ctx context.Context, id release.ID, there func(release.Release) bool) {
	t.Helper()
	until(t, ctx, id, there)
	stage.Kill()
	check(t, stage.Start(ctx))
}

func faultActive(r release.Release) bool {
	trial := r.Now().Trial
	return r.Phase == release.Trying && trial != nil && trial.Fault != nil && !trial.Fault.Injected.IsZero()
}

// One release is killed at every phase in turn, which is harder on it than one kill each.
func TestAServerKilledAtAnyPhaseEndsInTheSameState(t *testing.T) {
	ctx := within(t, 12*time.Minute)
	s := compiling(t, ctx, "ship/yard")
	before := begin(t, ctx, s)
	good(t, s, "a rope under fire")
	id := must(s.Push(ctx, "yard: killed on its way"))(t)
	phases := []struct {
		name string
		at   func(release.Release) bool
	}{
		{"building", phase(release.Building)},
		{"signing", phase(release.Signing)},
		{"during a fault", faultActive},
		{"between waves", func(r release.Release) bool { return r.Env() == "prod" && r.Wave == 1 }},
	}
	for _, p := range phases {
		if !t.Run(p.name, func(t *testing.T) { kill(t, ctx, id, p.at) }) {
			return
		}
	}
	r := must(stage.API.AwaitEnd(ctx, id))(t)
	sound(t, ctx, s, r)
	signedOnce(t, r)
	running(t, ctx, s, "prod-main", r.Artifact.Reference())
	noFault(t, ctx, s)
	if r.Artifact.Digest == before.Artifact.Digest {
		t.Error("the release has the image of the one before")
	}

	t.Run("rolling back", func(t *testing.T) {
		check(t, s.Change("2-cold-cache"))
		id := must(s.Push(ctx, "yard: killed while rolling back"))(t)
		kill(t, ctx, id, phase(release.RollingBack))
		bad := must(stage.API.AwaitEnd(ctx, id))(t)
		ended(t, bad, release.RolledBack, "")
		running(t, ctx, s, "staging", r.Artifact.Reference())
		desired(t, ctx, s, "staging", r.Artifact.Reference())
		noFault(t, ctx, s)
	})
}

// sound: the release went all the way, each phase in its order, each environment once,
// and git heard of it once in each.
func sound(t *testing.T, ctx context.Context, s *rig.Service, r release.Release) {
	t.Helper()
	ended(t, r, release.Done, "")
	verified := 0
	for _, h := range r.History {
		if h.To == release.Verified {
			verified++
		}
	}
	if verified != len(r.Stages) {
		t.Errorf("verified %d times in %d environments: %+v", verified, len(r.Stages), r.History)
	}
	for _, stage := range r.Stages {
		desired(t, ctx, s, stage.Env, r.Artifact.Reference())
		log := must(s.DesiredGit(ctx, stage.Env, "log", "--format=%H", "--grep=Seatrial-Release: "+string(r.ID)))(t)
		if commits := len(strings.Fields(log)); commits != 1 {
			t.Errorf("the release was committed %d times to the branch of %s, want once", commits, stage.Env)
		}
	}
}

func signedOnce(t *testing.T, r release.Release) {
	t.Helper()
	seen := map[string]bool{}
	for _, a := range r.Artifact.Signed {
		key := string(a.Subject) + a.PredicateType
		if seen[key] {
			t.Errorf("%s was attached twice to %s", a.PredicateType, a.Subject)
		}
		seen[key] = true
	}
	if len(seen) == 0 {
		t.Error("nothing is attached to the artifact")
	}
}

// outage is a part that stops when a release is at a place. The release waits with a
// reason that names the trouble until the part is started again.
type outage struct {
	part, where string
	at          func(release.Release) bool
	reason      string
}

// One release meets every outage in turn; each has to let it go on.
func TestWhileAPartIsAwayAReleaseWaitsWithAReasonAndGoesOn(t *testing.T) {
	ctx := within(t, 15*time.Minute)
	s := compiling(t, ctx, "tide/mill")
	begin(t, ctx, s)
	good(t, s, "a rope for hard times")
	id := must(s.Push(ctx, "mill: one outage after the other"))(t)
	outages := []outage{
		{"buildkitd", "hub", phase(release.Building), "buildkitd"},
		{"registry", "hub", phase(release.Building), "registry"},
		{"prometheus", "hub", func(r release.Release) bool { return r.Phase == release.Deploying && r.Step >= release.StepHealth }, "Prometheus"},
		{"gitea", "hub", phase(release.Trying), "forge"},
		{"apiserver", "prod-main", func(r release.Release) bool { return r.Env() == "prod" && r.Phase == release.Deploying }, "prod-main"},
	}
	for _, o := range outages {
		if !t.Run(o.part, func(t *testing.T) { o.pass(t, ctx, id) }) {
			return
		}
	}
	r := must(stage.API.AwaitEnd(ctx, id))(t)
	sound(t, ctx, s, r)
	if !passed(r, "slo") {
		t.Error("it was promoted without an SLO verdict")
	}
}

func (o outage) pass(t *testing.T, ctx context.Context, id release.ID) {
	until(t, ctx, id, o.at)
	check(t, stage.LabDo(ctx, "stop", o.where, o.part))
	started := false
	t.Cleanup(func() {
		if !started {
			_ = stage.LabDo(context.WithoutCancel(ctx), "start", o.where, o.part)
		}
	})
	waiting := until(t, ctx, id, func(r release.Release) bool { return strings.Contains(r.Reason, o.reason) })
	t.Logf("%s waits: %s (hint: %s)", waiting.Phase, waiting.Reason, waiting.Hint)
	if waiting.Hint == "" {
		t.Errorf("who reads %q does not learn what to do", waiting.Reason)
	}
	check(t, stage.LabDo(ctx, "start", o.where, o.part))
	started = true
	if o.part == "apiserver" { // these ask it again after up to a minute, and until then requests go to pods that have gone
		for _, part := range []string{"kcm", "proxy"} {
			check(t, stage.LabDo(ctx, "stop", o.where, part))
			check(t, stage.LabDo(ctx, "start", o.where, part))
		}
	}
}

func TestWhoHoldsAReleaseDuringAFaultHasTheFaultReverted(t *testing.T) {
	t.Parallel()
	ctx := within(t, 10*time.Minute)
	s := add(t, ctx, "calm/bay")
	id := must(s.Push(ctx, "bay: held during its trial"))(t)
	until(t, ctx, id, faultActive)
	act := func(what string) {
		t.Helper()
		check(t, stage.API.Call(ctx, "POST", fmt.Sprintf("/api/v1/releases/%s/%s", id, what), map[string]string{"reason": "the harbour is closed"}, nil))
	}
	act("hold")
	noFault(t, ctx, s)
	if r := must(stage.API.Release(ctx, id))(t); r.Hold == nil || r.Phase != release.Trying {
		t.Fatalf("it is %s with hold %v", r.Phase, r.Hold)
	}
	act("free")
	ended(t, must(stage.API.AwaitEnd(ctx, id))(t), release.Done, "")
	noFault(t, ctx, s)
}
