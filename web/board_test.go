package web_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
)

func cluster(name string, labels map[string]string) release.Cluster {
	return release.Cluster{Meta: release.Meta{Name: name, Labels: labels}}
}

func labels(pairs map[string]string) release.Selector { return release.Selector{MatchLabels: pairs} }

func scene() web.Scene {
	prod := release.Environment{Meta: release.Meta{Name: "prod"}, Spec: release.EnvironmentSpec{After: "staging", Waves: []release.WaveSpec{
		{Name: "canary", Clusters: labels(map[string]string{"env": "prod", "ring": "canary"})},
		{Name: "rest", Clusters: labels(map[string]string{"env": "prod"})},
	}}}
	staging := release.Environment{Meta: release.Meta{Name: "staging"}}
	at := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	coming := release.Release{ID: "shop.web.2", Service: "shop/web", Project: "shop", Created: at.Add(time.Hour), Phase: release.Deploying,
		Stages: []release.Stage{{Env: "prod", Waves: []release.Wave{{Name: "canary", Targets: []release.Target{{Cluster: "prod-canary", State: "Degraded"}}},
			{Name: "rest", Targets: []release.Target{{Cluster: "prod-a", State: "Healthy"}}}}}}}
	there := release.Release{ID: "shop.web.1", Service: "shop/web", Project: "old", Created: at, Phase: release.Done,
		Stages: []release.Stage{{Env: "staging", Waves: []release.Wave{{Targets: []release.Target{{Cluster: "staging", State: "Healthy"}}}}}}}
	return web.Scene{
		Environments: []release.Environment{staging, prod},
		Clusters: []release.Cluster{cluster("prod-main", map[string]string{"env": "prod", "ring": "main"}),
			cluster("prod-canary", map[string]string{"env": "prod", "ring": "canary"}), cluster("staging", map[string]string{"env": "staging"})},
		Releases: []release.Release{there, coming},
		Slots: []release.Slot{
			{Service: "shop/web", Env: "prod", Occupant: "shop.web.2"},
			{Service: "shop/web", Env: "staging", Current: &release.Placed{Release: "shop.web.1", Trial: &release.Trial{Evidence: []release.Evidence{{}}}}},
			{Service: "pay/api", Env: "prod"},
		},
	}
}

func TestABoardIsLaidOut(t *testing.T) {
	b := web.NewBoard(scene())
	if len(b.Services) != 2 || b.Services[0].Service != "pay/api" || b.Services[1].Project != "shop" || b.Services[1].Latest.ID != "shop.web.2" {
		t.Fatalf("rows %+v", b.Services)
	}
	waves := b.Environments[1].Waves
	if len(waves) != 2 || len(waves[0].Clusters) != 1 || waves[0].Clusters[0] != "prod-canary" || len(waves[1].Clusters) != 1 || waves[1].Clusters[0] != "prod-main" {
		t.Errorf("a cluster is not in the first wave that selects it: %+v", waves)
	}
	staging, prod := b.Services[1].Slots[0], b.Services[1].Slots[1]
	if staging.Health != "Healthy" || staging.Releasing != nil || staging.Current.Trial.Evidence != nil {
		t.Errorf("staging %+v", staging)
	}
	if prod.Health != "Degraded" || prod.Releasing == nil || prod.Targets[0].Cluster != "prod-a" {
		t.Errorf("prod %+v", prod)
	}
	if empty := b.Services[0].Slots[1]; empty.Health != "Unknown" || empty.Targets == nil {
		t.Errorf("a slot that nothing is known of: %+v", empty)
	}
}

func TestHealthIsTheWorstAndWhatIsUnseenIsNotHealthy(t *testing.T) {
	for want, states := range map[string][]string{
		"Healthy": {"Healthy", "Healthy"}, "Progressing": {"Healthy", "Syncing"}, "Unknown": {"Healthy", "Unreachable"}, "Degraded": {"Unreachable", "Degraded"},
	} {
		s := scene()
		targets := make([]release.Target, len(states))
		for i, state := range states {
			targets[i].State = state
		}
		s.Releases[1].Stages[0].Waves = []release.Wave{{Targets: targets}}
		if got := web.NewBoard(s).Services[1].Slots[1].Health; got != want {
			t.Errorf("%v is %s", states, got)
		}
	}
}
