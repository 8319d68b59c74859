//go:build lab

package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
)

// Not beside others: the server is killed, and a cluster of all is kept by its agent.
func TestAnAgentKeepsItsClusterForTheServer(t *testing.T) {
	ctx := within(t, 10*time.Minute)
	s := add(t, ctx, "far/light")
	agent := handOver(t, ctx)
	r := begin(t, ctx, s)
	running(t, ctx, s, "prod-main", r.Artifact.Reference())

	t.Run("which heals while the server is dead", func(t *testing.T) {
		stage.Kill()
		defer func() { check(t, stage.Start(ctx)) }()
		must(stage.Kubectl(ctx, "prod-main", "-n", "far", "set", "image", "deployment/light", "*=registry.invalid/none:1"))(t)
		began := time.Now()
		catchUp(t, ctx, s, "prod-main", r)
		t.Logf("healed after %.1f s", time.Since(began).Seconds())
	})
	clusterIs(t, ctx, "prod-main", "Ready again", func(c web.Cluster) bool { return c.State == "Ready" })

	t.Run("and a release waits for it", func(sub *testing.T) {
		agent.Kill()
		good(sub, s, "a rope that waits")
		id := must(s.Push(ctx, "light: while the agent is dead"))(sub)
		until(sub, ctx, id, func(r release.Release) bool {
			return r.Env() == "prod" && r.Wave == 1 && strings.Contains(r.Reason, "prod-main")
		})
		stand(t, "") // it has its identity
		r := must(stage.API.AwaitEnd(ctx, id))(sub)
		ended(sub, r, release.Done, "")
		running(sub, ctx, s, "prod-main", r.Artifact.Reference())
	})
}

// stand starts prod-main's agent, which ends with the test.
func stand(t *testing.T, token string) *rig.Agent {
	t.Helper()
	agent := must(stage.Agent("prod-main", token))(t)
	t.Cleanup(agent.Kill)
	return agent
}

// handOver takes prod-main from the server and gives it to an agent, for one test.
func handOver(t *testing.T, ctx context.Context) *rig.Agent {
	t.Helper()
	const file = "clusters/lab.yaml"
	direct := must(stage.PlatformFile(file))(t)
	const main = "{name: prod-main, labels: {env: prod, ring: main}}\nspec: {"
	if !strings.Contains(direct, main) {
		t.Fatalf("no prod-main in\n%s", direct)
	}
	back := must(stage.Forget("prod-main"))(t)
	check(t, stage.Platform(ctx, file, strings.Replace(direct, main, main+"agent: true", 1), "platform: prod-main is far away"))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(ctx)
		check(t, back())
		check(t, stage.Platform(ctx, file, direct, "platform: prod-main is near again"))
		clusterIs(t, ctx, "prod-main", "near again", func(c web.Cluster) bool { return c.State == "Ready" })
	})
	clusterIs(t, ctx, "prod-main", "out of reach", func(c web.Cluster) bool { return c.State == "Unreachable" })
	agent := stand(t, must(stage.Enrol(ctx, "prod-main"))(t))
	clusterIs(t, ctx, "prod-main", "Ready", func(c web.Cluster) bool { return c.State == "Ready" })
	return agent
}
