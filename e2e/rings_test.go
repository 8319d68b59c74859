//go:build lab

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// ring is of two clusters that both have Chaos Mesh, with the trial between them.
const ring = `  waves:
    - {name: canary, clusters: {matchLabels: {env: prod, ring: canary}}}
    - {name: rest, clusters: {matchLabels: {env: prod}}}
  slo: {observe: 10s, settle: 8s, minEvents: 150, maxWait: 5m}
  trial: {experiments: [kill-one-pod], observe: 15s, after: canary}
`

// own gives a service an environment of its own, with these waves and what else is its own: its
// project goes there and nowhere else.
func own(t *testing.T, ctx context.Context, s *rig.Service, env release.Env, spec string) {
	t.Helper()
	text := fmt.Sprintf(`apiVersion: seatrial.dev/v1
kind: Environment
metadata: {name: %s}
spec:
  desiredState: {repo: platform/desired-state, branch: env/%[1]s}
  policies: [signed-images, no-bare-pods, pod-security-restricted, resources]
  syncTimeout: 5m
%s`, env, spec)
	file := "projects/" + s.Name.Team() + "-" + s.Name.Name() + ".yaml"
	project := must(stage.PlatformFile(file))(t)
	check(t, stage.PlatformFiles(ctx, map[string]string{
		file:                                    swap(t, project, "environments: [staging, prod]", "environments: ["+string(env)+"]"),
		"environments/" + string(env) + ".yaml": text,
	}, "platform: "+string(env)+" for "+string(s.Name)))
	check(t, rig.WaitFor(ctx, "the server to know "+string(env), 500*time.Millisecond, func() (bool, error) {
		var board struct{ Environments []struct{ Name release.Env } }
		err := stage.API.Call(ctx, http.MethodGet, "/api/v1/board", nil, &board)
		for _, e := range board.Environments {
			if e.Name == env {
				return true, nil
			}
		}
		return false, err
	}))
}

// bound makes what is in the checkout go to one environment, which is like prod.
func bound(t *testing.T, s *rig.Service, env release.Env) {
	t.Helper()
	edit(t, s, ".seatrial.yaml", "environments: [staging, prod]", "environments: ["+string(env)+"]")
	overlay := must(s.Read("deploy/overlays/prod/kustomization.yaml"))(t)
	check(t, s.Repo().Write("deploy/overlays/"+string(env)+"/kustomization.yaml", overlay))
}

func TestTwoRingsAreTriedAtTheSameTimeAndTheSecondNeverSeesABadRelease(t *testing.T) {
	t.Parallel()
	ctx := within(t, 15*time.Minute)
	for _, name := range []string{"prod-canary", "prod-main"} {
		check(t, stage.LabDo(ctx, "up", "--chaos", name))
	}
	check(t, stage.PlatformEdit(ctx, "clusters/lab.yaml", "platform: Chaos Mesh everywhere", func(text string) string {
		return strings.ReplaceAll(text, "spec: {}", "spec: {chaos: true}")
	}))
	s := add(t, ctx, "twin/hull")
	own(t, ctx, s, "ring", ring)

	bound(t, s, "ring")
	first := begin(t, ctx, s) // nothing was verified before: there is nothing beside it
	good(t, s, "a rope for two hulls")
	bound(t, s, "ring")
	second := deliver(t, ctx, s, "hull: both at once")
	ended(t, second, release.Done, "")
	besides, faults := "", map[string]bool{}
	for _, ev := range second.Stages[0].Trial.Evidence {
		if ev.Facts["about"] == "compared" {
			besides += ev.Facts["beside"] + " " + ev.Facts["code"]
		}
		if ev.Fault != nil && !ev.Fault.Injected.IsZero() {
			faults[ev.Fault.Cluster] = true
		}
	}
	if besides != "prod-main alike" || !faults["prod-canary"] || !faults["prod-main"] {
		t.Errorf("compared with %q, broken on %v:\n%s", besides, faults, told(second))
	}

	check(t, s.Change("2-cold-cache"))
	bad := deliver(t, ctx, s, "hull: breaks while a pod is killed")
	ended(t, bad, release.RolledBack, "")
	for _, h := range bad.History {
		if h.Wave == "rest" {
			t.Errorf("the second ring saw it:\n%s", told(bad))
		}
	}
	for _, cluster := range []string{"prod-canary", "prod-main"} {
		running(t, ctx, s, cluster, second.Artifact.Reference())
		out := must(stage.Kubectl(ctx, cluster, "-n", s.Namespace(), "get", "podchaos", "-o", "name"))(t)
		if strings.TrimSpace(out) != "" {
			t.Errorf("left on %s: %s", cluster, out)
		}
	}
	if first.Artifact.Digest == second.Artifact.Digest {
		t.Error("both releases have one image")
	}
}
