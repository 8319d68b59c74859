//go:build lab

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// strategy makes what is in the checkout take over in steps.
func strategy(t *testing.T, s *rig.Service, text string) {
	t.Helper()
	edit(t, s, ".seatrial.yaml", "deploy: {", "deploy: {strategy: "+text+", ")
}

// shifts are those of an environment that a release came to, in order.
func shifts(r release.Release, env release.Env) (names []string) {
	for _, h := range r.History {
		if h.Env == env && h.To == release.Deploying && h.Step == release.StepSync {
			names = append(names, h.Shift)
		}
	}
	return names
}

// plain demands that a cluster has these objects of the service, and nothing of another side.
func plain(t *testing.T, ctx context.Context, s *rig.Service, cluster, kinds string, want ...string) {
	t.Helper()
	check(t, rig.WaitFor(ctx, "the plain objects on "+cluster, time.Second, func() (bool, error) {
		got, err := stage.Kubectl(ctx, cluster, "get", kinds, "-n", s.Namespace(), "-o", "name")
		return err == nil && slices.Equal(strings.Fields(got), want), errors.Join(err, fmt.Errorf("there are %q", strings.Fields(got)))
	}))
}

func TestABlueGreenReleaseIsGatedShiftByShiftAndARefusedOneLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx := within(t, 12*time.Minute)
	sail := add(t, ctx, "sail/loft")
	strategy(t, sail, "{type: blueGreen}")
	before := begin(t, ctx, sail)
	check(t, sail.Change("3-currency"))
	r := deliver(t, ctx, sail, "sail: prices with a currency")
	ended(t, r, release.RolledBack, "")

	if got, want := shifts(r, "staging"), []string{"warm", "100%", "replace", "drain", ""}; !slices.Equal(got, want) || r.Stages[0].Verified.IsZero() {
		t.Errorf("staging: verified %s, shifts %q, want %q", r.Stages[0].Verified, got, want)
	}
	i := slices.IndexFunc(r.Verdicts, func(j release.Judgement) bool {
		return j.Env == "prod" && j.Wave == "canary" && j.Verdict.Outcome() == release.Refused
	})
	if i < 0 || r.Verdicts[i].Shift != "100%" && r.Verdicts[i].Shift != "warm" {
		t.Errorf("prod did not refuse it while the old side was there:\n%s", told(r))
	}
	running(t, ctx, sail, "prod-canary", before.Artifact.Reference())
	running(t, ctx, sail, "staging", r.Artifact.Reference())
	for _, cluster := range []string{"staging", "prod-canary", "prod-main"} {
		plain(t, ctx, sail, cluster, "deployments,services", "deployment.apps/loft", "service/loft")
	}
	if text := must(sail.Desired(ctx, "prod", "release.yaml"))(t); !strings.Contains(text, "type: blueGreen") {
		t.Errorf("git does not say how it takes over:\n%s", text)
	}
	t.Logf("refused to rolled back: %s", r.Stages[1].Returned.Sub(r.Stages[1].Refused))
}
