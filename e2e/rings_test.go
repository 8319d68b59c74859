//go:build lab

package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
)

// ringEnvironment is of two clusters that both have Chaos Mesh, with the trial between them.
const ringEnvironment = `apiVersion: seatrial.dev/v1
kind: Environment
metadata: {name: ring}
spec:
  desiredState: {repo: platform/desired-state, branch: env/ring}
  policies: [signed-images, no-bare-pods, pod-security-restricted, resources]
  waves:
    - {name: canary, clusters: {matchLabels: {env: prod, ring: canary}}}
    - {name: rest, clusters: {matchLabels: {env: prod}}}
  slo: {observe: 10s, settle: 8s, minEvents: 150, maxWait: 5m}
  trial: {experiments: [kill-one-pod], observe: 15s, after: canary}
  syncTimeout: 5m
`

// inRings makes a service go to the ring environment only.
func inRings(t *testing.T, s *rig.Service) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Repo().Dir(), ".seatrial.yaml"))
	check(t, err)
	text := string(data)
	changed := strings.Replace(text, "environments: [staging, prod]", "environments: [ring]", 1)
	if changed == text && !strings.Contains(text, "environments: [ring]") {
		t.Fatalf("there are no environments in\n%s", text)
	}
	check(t, s.Repo().Write(".seatrial.yaml", changed))
	overlay, err := os.ReadFile(filepath.Join(s.Repo().Dir(), "deploy", "overlays", "prod", "kustomization.yaml"))
	check(t, err)
	check(t, s.Repo().Write("deploy/overlays/ring/kustomization.yaml", string(overlay)))
}

func TestTwoRingsAreTriedAtTheSameTimeAndTheSecondNeverSeesABadRelease(t *testing.T) {
	ctx := within(t, 15*time.Minute)
	clusters := must(stage.PlatformFile("clusters/lab.yaml"))(t)
	for _, name := range []string{"prod-canary", "prod-main"} {
		check(t, stage.LabDo(ctx, "up", "--chaos", name))
	}
	check(t, stage.Platform(ctx, "clusters/lab.yaml", strings.ReplaceAll(clusters, "spec: {}", "spec: {chaos: true}"), "platform: Chaos Mesh everywhere"))
	s := add(t, ctx, "twin/hull")
	project := must(stage.PlatformFile("projects/twin-hull.yaml"))(t)
	check(t, stage.Platform(ctx, "projects/twin-hull.yaml", strings.Replace(project, "environments: [staging, prod]", "environments: [ring]", 1), "platform: the hull sails in rings"))
	check(t, stage.Platform(ctx, "environments/ring.yaml", ringEnvironment, "platform: two rings")) // until now the server keeps what it had
	check(t, rig.WaitFor(ctx, "the server to know the rings", 500*time.Millisecond, func() (bool, error) {
		var board struct{ Environments []struct{ Name release.Env } }
		err := stage.API.Call(ctx, http.MethodGet, "/api/v1/board", nil, &board)
		for _, e := range board.Environments {
			if e.Name == "ring" {
				return true, nil
			}
		}
		return false, err
	}))

	inRings(t, s)
	first := begin(t, ctx, s) // nothing was verified before: there is nothing beside it
	good(t, s, "a rope for two hulls")
	inRings(t, s)
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
	inRings(t, s)
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
