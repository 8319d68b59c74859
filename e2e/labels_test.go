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

// berth is an environment of the clusters that have its label.
const berth = `  waves:
    - {name: first, clusters: {matchLabels: {berth: pilot, ring: canary}}}
    - {name: rest, clusters: {matchLabels: {berth: pilot}}}
  slo: {observe: 10s, settle: 3s, minEvents: 150, maxWait: 5m}
`

// berthed gives a cluster the label that the environment asks for, or takes it off.
func berthed(t *testing.T, ctx context.Context, cluster string, in bool, message string) {
	t.Helper()
	plain := "ring: " + strings.TrimPrefix(cluster, "prod-")
	from, to := plain+"}", plain+", berth: pilot}"
	if !in {
		from, to = to, from
	}
	check(t, stage.PlatformEdit(ctx, "clusters/lab.yaml", message, func(text string) string { return swap(t, text, from, to) }))
	clusterIs(t, ctx, cluster, "relabelled", func(c web.Cluster) bool { return (c.Labels["berth"] == "pilot") == in })
}

func TestAClusterThatLeavesIsLeftAloneAndCatchesUpWhenItIsBack(t *testing.T) {
	t.Parallel()
	ctx := within(t, 8*time.Minute)
	for _, cluster := range []string{"prod-canary", "prod-main"} {
		berthed(t, ctx, cluster, true, "platform: a berth for "+cluster)
	}
	s := add(t, ctx, "port/pilot")
	own(t, ctx, s, "berth", berth)
	bound(t, s, "berth")
	before := begin(t, ctx, s)

	berthed(t, ctx, "prod-main", false, "platform: prod-main leaves its berth")
	good(t, s, "a rope for the others")
	bound(t, s, "berth")
	r := deliver(t, ctx, s, "pilot: without prod-main")
	ended(t, r, release.Done, "")
	if waves := r.Stages[0].Waves; len(waves) != 1 || len(waves[0].Targets) != 1 || waves[0].Targets[0].Cluster != "prod-canary" {
		t.Errorf("waves without prod-main: %+v", waves)
	}
	running(t, ctx, s, "prod-canary", r.Artifact.Reference())
	running(t, ctx, s, "prod-main", before.Artifact.Reference())

	berthed(t, ctx, "prod-main", true, "platform: prod-main is back")
	catchUp(t, ctx, s, "prod-main", r)
	running(t, ctx, s, "prod-main", r.Artifact.Reference())
}
