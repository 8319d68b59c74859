//go:build lab

package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// blueGreen makes a service take over side by side.
func blueGreen(t *testing.T, s *rig.Service) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Repo().Dir(), ".seatrial.yaml"))
	check(t, err)
	text := strings.Replace(string(data), "environments: [staging, prod]}", "environments: [staging, prod], strategy: {type: blueGreen}}", 1)
	if text == string(data) {
		t.Fatalf("there is no place for a strategy in\n%s", text)
	}
	check(t, s.Repo().Write(".seatrial.yaml", text))
}

func TestABlueGreenReleaseIsGatedShiftByShiftAndARefusedOneLeavesNothing(t *testing.T) {
	t.Parallel()
	ctx := within(t, 12*time.Minute)
	sail := add(t, ctx, "sail/loft")
	blueGreen(t, sail)
	before := begin(t, ctx, sail)
	check(t, sail.Change("3-currency"))
	r := deliver(t, ctx, sail, "sail: prices with a currency")
	ended(t, r, release.RolledBack, "")

	var shifts []string
	for _, h := range r.History {
		if h.Env == "staging" && h.To == release.Deploying && h.Step == release.StepSync {
			shifts = append(shifts, h.Shift)
		}
	}
	if want := []string{"warm", "100%", "replace", "drain", ""}; !slices.Equal(shifts, want) || r.Stages[0].Verified.IsZero() {
		t.Errorf("staging: verified %s, shifts %q, want %q", r.Stages[0].Verified, shifts, want)
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
		err := rig.WaitFor(ctx, "the plain objects on "+cluster, time.Second, func() (bool, error) {
			got, err := stage.Kubectl(ctx, cluster, "get", "deployments,services", "-n", sail.Namespace(), "-o", "name")
			return err == nil && len(strings.Fields(got)) == 2, err
		})
		check(t, err)
	}
	if text := must(sail.Desired(ctx, "prod", "release.yaml"))(t); !strings.Contains(text, "type: blueGreen") {
		t.Errorf("git does not say how it takes over:\n%s", text)
	}
	t.Logf("refused to rolled back: %s", r.Stages[1].Returned.Sub(r.Stages[1].Refused))
}
