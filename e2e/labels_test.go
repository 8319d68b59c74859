//go:build lab

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/e2e/rig"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
)

// clusterIs waits until the server says something of a cluster.
func clusterIs(t *testing.T, ctx context.Context, cluster, what string, so func(web.Cluster) bool) {
	t.Helper()
	check(t, rig.WaitFor(ctx, cluster+" to be "+what, 500*time.Millisecond, func() (bool, error) {
		var page struct{ Items []web.Cluster }
		err := stage.API.Call(ctx, http.MethodGet, "/api/v1/clusters", nil, &page)
		for _, c := range page.Items {
			if c.Name == cluster {
				return so(c), errors.Join(err, fmt.Errorf("it is %s: %s", c.State, c.Message))
			}
		}
		return false, err
	}))
}

// catchUp waits until a cluster runs a release.
func catchUp(t *testing.T, ctx context.Context, s *rig.Service, cluster string, r release.Release) {
	t.Helper()
	check(t, rig.WaitFor(ctx, cluster+" to catch up", time.Second, func() (bool, error) {
		images, err := s.Image(ctx, cluster)
		return err == nil && len(images) > 0 && images[0] == r.Artifact.Reference(), err
	}))
}

// Not beside others: every service of the platform follows the labels of its clusters.
func TestAClusterThatLeavesIsLeftAloneAndCatchesUpWhenItIsBack(t *testing.T) {
	ctx := within(t, 8*time.Minute)
	s := add(t, ctx, "port/pilot")
	before := begin(t, ctx, s)

	const file = "clusters/lab.yaml"
	clusters := must(stage.PlatformFile(file))(t)
	out := strings.Replace(clusters, "{name: prod-main, labels: {env: prod, ring: main}}", "{name: prod-main, labels: {env: dock}}", 1)
	if out == clusters {
		t.Fatalf("no prod-main in\n%s", clusters)
	}
	check(t, stage.Platform(ctx, file, out, "platform: prod-main goes into dock"))
	back := func() {
		check(t, stage.Platform(context.WithoutCancel(ctx), file, clusters, "platform: prod-main is back"))
	}
	t.Cleanup(back)
	clusterIs(t, ctx, "prod-main", "in dock", func(c web.Cluster) bool { return c.Labels["env"] == "dock" })
	good(t, s, "a rope for the others")
	r := deliver(t, ctx, s, "pilot: without prod-main")
	ended(t, r, release.Done, "")
	if waves := r.Stages[1].Waves; len(waves) != 1 || len(waves[0].Targets) != 1 || waves[0].Targets[0].Cluster != "prod-canary" {
		t.Errorf("prod's waves without prod-main: %+v", waves)
	}
	running(t, ctx, s, "prod-canary", r.Artifact.Reference())
	running(t, ctx, s, "prod-main", before.Artifact.Reference())

	back()
	catchUp(t, ctx, s, "prod-main", r)
	running(t, ctx, s, "prod-main", r.Artifact.Reference())
}
