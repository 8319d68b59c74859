//go:build lab

package e2e_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
)

func TestAGoodCommitIsVerifiedInStagingAndThenWaveByWaveInProd(t *testing.T) {
	t.Parallel()
	ctx := within(t, 10*time.Minute)
	shop := compiling(t, ctx, "shop/web")
	first := begin(t, ctx, shop)
	good(t, shop, "a fine rope")
	r := deliver(t, ctx, shop, "shop: finer rope")
	ended(t, r, release.Done, "")
	for _, cluster := range []string{"staging", "prod-canary", "prod-main"} {
		running(t, ctx, shop, cluster, r.Artifact.Reference())
	}
	for _, s := range r.Stages {
		desired(t, ctx, shop, s.Env, r.Artifact.Reference())
		if s.Previous == nil || s.Previous.Release != first.ID {
			t.Errorf("%s would return to %+v, want %s", s.Env, s.Previous, first.ID)
		}
	}
	prod := r.Stages[1]
	if first, second := prod.Waves[0], prod.Waves[1]; first.Name != "canary" || second.Started.Before(first.Passed) || first.Passed.IsZero() {
		t.Errorf("wave %s began %s, before wave %s had passed %s", second.Name, second.Started, first.Name, first.Passed)
	}
	if staging := r.Stages[0]; staging.Trial == nil || len(staging.Trial.Evidence) == 0 || staging.Verified.After(prod.Started) {
		t.Errorf("staging has no trial evidence, or prod began before it was verified: %+v", staging)
	}
	noFault(t, ctx, shop)

	t.Run("the command line lists, shows and verifies it", func(t *testing.T) { commandLine(t, ctx, r) })
	t.Run("what somebody changes on a cluster is healed", func(t *testing.T) { healed(t, ctx, shop) })
	t.Run("the console shows it in a real browser", func(t *testing.T) { browser(t, ctx, r) })
}

func TestACommitThatFailsItsSLOOnlyWhileAPodIsKilledNeverReachesProd(t *testing.T) {
	t.Parallel()
	ctx := within(t, 10*time.Minute)
	tea := add(t, ctx, "tea/house")
	before := begin(t, ctx, tea)
	check(t, tea.Change("2-cold-cache"))
	r := deliver(t, ctx, tea, "tea: cache prices")
	ended(t, r, release.RolledBack, "")
	if r.Env() != "staging" || !passed(r, "slo") || !refused(r, "trial") {
		t.Errorf("it ended in %s; slo passed: %v, trial refused: %v\n%s", r.Env(), passed(r, "slo"), refused(r, "trial"), told(r))
	}
	if r.Stages[1].Live || !r.Stages[1].Started.IsZero() {
		t.Error("prod has seen it")
	}
	running(t, ctx, tea, "staging", before.Artifact.Reference())
	running(t, ctx, tea, "prod-canary", before.Artifact.Reference())
	desired(t, ctx, tea, "staging", before.Artifact.Reference())
	noFault(t, ctx, tea)
}

func TestACommitThatBreaksOnTheProdCanaryIsRolledBackAndTheSecondWaveNeverSeesIt(t *testing.T) {
	t.Parallel()
	ctx := within(t, 10*time.Minute)
	silk := add(t, ctx, "silk/road")
	before := begin(t, ctx, silk)
	check(t, silk.Change("3-currency"))
	r := deliver(t, ctx, silk, "silk: prices with a currency")
	ended(t, r, release.RolledBack, "")
	prod := r.Stages[1]
	if r.Env() != "prod" || !prod.Verified.IsZero() || r.Stages[0].Verified.IsZero() {
		t.Fatalf("it ended in %s, staging verified %s, prod verified %s\n%s", r.Env(), r.Stages[0].Verified, prod.Verified, told(r))
	}
	if second := prod.Waves[1]; !second.Started.IsZero() || !second.Targets[0].Synced.IsZero() {
		t.Errorf("the second wave has seen it: %+v", second)
	}
	running(t, ctx, silk, "prod-canary", before.Artifact.Reference())
	running(t, ctx, silk, "prod-main", before.Artifact.Reference())
	running(t, ctx, silk, "staging", r.Artifact.Reference())
	desired(t, ctx, silk, "prod", before.Artifact.Reference())
	if prod.Return == "" || r.Hold == nil {
		t.Errorf("the return is commit %q, the hold is %v", prod.Return, r.Hold)
	}
	t.Logf("refused to rolled back: %s", prod.Returned.Sub(prod.Refused))
}

func passed(r release.Release, gate string) bool { return said(r, gate, release.Passed) }

func refused(r release.Release, gate string) bool { return said(r, gate, release.Refused) }

func said(r release.Release, gate string, what release.Outcome) bool {
	for _, j := range r.Verdicts {
		if j.Gate == gate && j.Verdict.Outcome() == what {
			return true
		}
	}
	return false
}
