//go:build lab

package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/load"
	"github.com/seatrial/seatrial/release"
)

// strait is an environment of the one cluster that has a gateway. Nothing is broken on
// purpose in it: what is measured are the steps.
const strait = `  waves:
    - {name: all, clusters: {matchLabels: {ring: main}}}
  slo: {observe: 10s, settle: 3s, minEvents: 150, maxWait: 5m}
`

const gatewayCluster = "prod-main"

// canary puts what is in the checkout behind the lab's gateway, with the route of
// examples/canary, and makes it take over in steps by the weights of that route.
func canary(t *testing.T, s *rig.Service) {
	t.Helper()
	bound(t, s, "strait")
	strategy(t, s, "{type: canary, steps: [{weight: 10}, {weight: 50}]}")
	text, err := os.ReadFile("../examples/canary/deploy/route.yaml")
	check(t, err)
	route := swap(t, string(text), "name: public, namespace: gateways", "name: lab, namespace: gateway")
	route = strings.ReplaceAll(swap(t, route, "shop.example", host(s)), "shop-front", s.Name.Name())
	check(t, s.Repo().Write("deploy/base/route.yaml", route))
	edit(t, s, "deploy/base/kustomization.yaml", "service.yaml]", "service.yaml, route.yaml]")
}

// host is the name that the service's users ask the gateway for.
func host(s *rig.Service) string { return s.Name.Name() + "." + s.Name.Team() + ".test" }

// throughGateway sends the service's users through the gateway of its one cluster.
func throughGateway(t *testing.T, ctx context.Context, s *rig.Service) {
	t.Helper()
	check(t, stage.LabDo(ctx, "load", "set", string(s.Name), "--cluster", gatewayCluster, "--namespace", "gateway", "--name", "gateway",
		"--host", host(s), "--rps", "40"))
	more(t, ctx, s, 80) // the load generator has read it by now
}

// answers are what the users of a service got until now.
func answers(t *testing.T, ctx context.Context, s *rig.Service) load.Answers {
	t.Helper()
	return must(load.Ask(ctx, layout.LoadAddr, string(s.Name), gatewayCluster))(t)
}

// more waits until so many more requests were answered well, and counts them all.
func more(t *testing.T, ctx context.Context, s *rig.Service, n int) (a load.Answers) {
	t.Helper()
	before := answers(t, ctx, s)
	check(t, rig.WaitFor(ctx, "requests of "+string(s.Name), 200*time.Millisecond, func() (bool, error) {
		a = answers(t, ctx, s).Since(before)
		return a.Good >= n, fmt.Errorf("%+v", a)
	}))
	return a
}

// backends are whom the service's route leads to, with their weights.
func backends(t *testing.T, ctx context.Context, s *rig.Service) string {
	t.Helper()
	out := must(stage.Kubectl(ctx, gatewayCluster, "-n", s.Namespace(), "get", "httproute", s.Name.Name(),
		"-o", `jsonpath={range .spec.rules[*].backendRefs[*]}{.name} {.weight} {end}`))(t)
	return strings.TrimSpace(out)
}

// measured follows a release to its end; split is what the route was while each of its
// shifts was measured.
func measured(t *testing.T, ctx context.Context, s *rig.Service, message string) (r release.Release, split map[string]string) {
	t.Helper()
	split = map[string]string{}
	id := must(s.Push(ctx, message))(t)
	see := func(r release.Release) {
		shift, ok := r.Shifting()
		if _, seen := split[shift.Name]; ok && !seen && r.Phase == release.Deploying && r.Step == release.StepSLO {
			split[shift.Name] = backends(t, ctx, s)
		}
	}
	return must(stage.API.Await(ctx, id, see, func(r release.Release) bool { return r.Phase.Final() }))(t), split
}

// gated are the shifts of which the SLO gate said so.
func gated(r release.Release, what release.Outcome) (names []string) {
	for _, j := range r.Verdicts {
		if j.Gate == "slo" && j.Verdict.Outcome() == what {
			names = append(names, j.Shift)
		}
	}
	return names
}

// onePlainSide: the release's own objects are all there is, and the route leads to them alone.
func onePlainSide(t *testing.T, ctx context.Context, s *rig.Service, r release.Release) {
	t.Helper()
	plain(t, ctx, s, gatewayCluster, "deployments,services,httproutes", "deployment.apps/wing", "service/wing", "httproute.gateway.networking.k8s.io/wing")
	if got := backends(t, ctx, s); got != "wing 1" {
		t.Errorf("the route leads to %q", got)
	}
	running(t, ctx, s, gatewayCluster, r.Artifact.Reference())
	desired(t, ctx, s, "strait", r.Artifact.Reference())
}

func TestACanaryBehindAGatewayCostsNoUserARequestAndABadOneNoMoreThanItsPart(t *testing.T) {
	t.Parallel()
	ctx := within(t, 8*time.Minute)
	check(t, stage.LabDo(ctx, "up", "--gateway", gatewayCluster))
	wing := add(t, ctx, "gull/wing")
	own(t, ctx, wing, "strait", strait)
	canary(t, wing)
	begin(t, ctx, wing) // there is no route yet for its users to take
	throughGateway(t, ctx, wing)

	good(t, wing, "a rope with a wing")
	canary(t, wing)
	before := answers(t, ctx, wing)
	second, split := measured(t, ctx, wing, "wing: a rope with a wing")
	ended(t, second, release.Done, "")
	got := answers(t, ctx, wing).Since(before)
	t.Logf("good: %d requests, %d failed; routes %v", got.Good+got.Bad, got.Bad, split)
	if got.Bad != 0 || got.Good < 1000 {
		t.Errorf("%d requests were answered, %d failed", got.Good, got.Bad)
	}
	if want := []string{"warm", "10%", "50%", "100%", "replace", "drain", ""}; !slices.Equal(shifts(second, "strait"), want) {
		t.Errorf("shifts %q, want %q", shifts(second, "strait"), want)
	}
	if want := []string{"10%", "50%", "100%", ""}; !slices.Equal(gated(second, release.Passed), want) {
		t.Errorf("the SLOs let %q go on, want %q", gated(second, release.Passed), want)
	}
	if want := map[string]string{"10%": "wing 90 wing-canary 10", "50%": "wing 50 wing-canary 50", "100%": "wing 0 wing-canary 100", "": "wing 1"}; !maps.Equal(split, want) {
		t.Errorf("while it was measured the route was %v, want %v", split, want)
	}
	onePlainSide(t, ctx, wing, second)

	check(t, wing.Change("3-currency"))
	before = answers(t, ctx, wing)
	bad, split := measured(t, ctx, wing, "wing: prices with a currency")
	ended(t, bad, release.RolledBack, "")
	onePlainSide(t, ctx, wing, second)
	got = answers(t, ctx, wing).Since(before)
	t.Logf("bad: %d requests, %d failed; refused to rolled back: %s", got.Good+got.Bad, got.Bad, bad.Stages[0].Returned.Sub(bad.Stages[0].Refused))
	if want := []string{"warm", "10%"}; !slices.Equal(shifts(bad, "strait"), want) || !slices.Equal(gated(bad, release.Refused), want[1:]) {
		t.Errorf("shifts %q, want %q; the SLOs refused %q\n%s", shifts(bad, "strait"), want, gated(bad, release.Refused), told(bad))
	}
	if want := map[string]string{"10%": "wing 90 wing-canary 10"}; !maps.Equal(split, want) {
		t.Errorf("while it was measured the route was %v, want %v", split, want)
	}
	if got.Bad == 0 || got.Bad*8 > got.Good+got.Bad {
		t.Errorf("%d requests were answered, %d failed: want a tenth of those of one step", got.Good, got.Bad)
	}
	more(t, ctx, wing, 40) // the gateway follows
	if after := more(t, ctx, wing, 120); after.Bad != 0 {
		t.Errorf("after the return %d requests failed", after.Bad)
	}
}
