package release_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/release"
)

func TestPlan(t *testing.T) {
	labels := func(kv ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	match := func(kv ...string) release.Selector { return release.Selector{MatchLabels: labels(kv...)} }
	clusters := []release.Cluster{}
	for name, l := range map[string]map[string]string{
		"c": labels("env", "prod", "region", "us"), "a": labels("env", "prod", "ring", "canary"), "s": labels("env", "staging"),
		"b": labels("env", "prod", "region", "eu"), "d": labels("env", "prod"), "e": labels("env", "prod", "region", "eu"),
	} {
		clusters = append(clusters, release.Cluster{Meta: release.Meta{Name: name, Labels: l}})
	}
	canary := release.WaveSpec{Name: "canary", Clusters: match("env", "prod", "ring", "canary")}
	rest := release.WaveSpec{Name: "rest", Clusters: match("env", "prod"), FailureBudget: 2}
	parted := rest
	parted.PartitionBy = "region"
	for _, c := range []struct {
		name  string
		waves []release.WaveSpec
		want  string
	}{
		{"a cluster is in the first wave that matches, by name within it", []release.WaveSpec{canary, rest}, "canary:a rest:b,c,d,e"},
		{"a wave without a cluster is left out", []release.WaveSpec{{Name: "x", Clusters: match("env", "none")}, {Name: "y", Clusters: match("env", "staging")}}, "y:s"},
		{"an empty selector matches nothing", []release.WaveSpec{{Name: "x"}}, ""},
		{"a wave for each value of a label, those without it first", []release.WaveSpec{canary, parted}, "canary:a rest:d rest/eu:b,e rest/us:c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := release.Environment{Spec: release.EnvironmentSpec{Waves: c.waves}}
			var got []string
			for _, w := range release.Plan(env, clusters) {
				var names []string
				for _, tg := range w.Targets {
					names = append(names, tg.Cluster)
				}
				got = append(got, w.Name+":"+strings.Join(names, ","))
				if strings.HasPrefix(w.Name, "rest") && release.WaveOf(env, w.Name).FailureBudget != 2 {
					t.Errorf("wave %s has lost its rules", w.Name)
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
}

func TestTheTrialComesAfterAWaveThatAnotherFollows(t *testing.T) {
	clusters := []release.Cluster{}
	for name, ring := range map[string]string{"a": "canary", "b": "eu", "c": "us"} {
		clusters = append(clusters, release.Cluster{Meta: release.Meta{Name: name, Labels: map[string]string{"ring": ring, "env": "prod"}}})
	}
	first := release.WaveSpec{Name: "canary", Clusters: release.Selector{MatchLabels: map[string]string{"ring": "canary"}}}
	parted := release.WaveSpec{Name: "rest", PartitionBy: "ring", Clusters: release.Selector{MatchLabels: map[string]string{"env": "prod"}}}
	nobody := release.WaveSpec{Name: "later", Clusters: release.Selector{MatchLabels: map[string]string{"ring": "none"}}}
	for _, c := range []struct {
		after string
		waves []release.WaveSpec
		want  string
	}{
		{"", []release.WaveSpec{first, parted}, ""},
		{"canary", []release.WaveSpec{first, parted}, "canary"},
		{"rest", []release.WaveSpec{parted, nobody}, ""}, // no cluster follows now
		{"rest", []release.WaveSpec{parted, first}, ""},  // nor here: the first wave took them all
	} {
		env := release.Environment{Spec: release.EnvironmentSpec{Waves: c.waves, Trial: release.TrialSpec{After: c.after}}}
		got := ""
		for _, w := range release.Plan(env, clusters) {
			if w.Trial {
				got += w.Name
			}
		}
		if got != c.want {
			t.Errorf("after %q of %d waves: got %q, want %q", c.after, len(c.waves), got, c.want)
		}
	}
	env := release.Environment{Spec: release.EnvironmentSpec{Waves: []release.WaveSpec{{Name: "rest", PartitionBy: "ring", Clusters: release.Selector{MatchLabels: map[string]string{"ring": "eu"}}}, first}, Trial: release.TrialSpec{After: "rest"}}}
	if waves := release.Plan(env, clusters); len(waves) != 2 || waves[0].Name != "rest/eu" || !waves[0].Trial {
		t.Errorf("of several parts the last: %+v", waves)
	}
}

func TestAClusterThatLeftIsNotWithinItsEnvironment(t *testing.T) {
	env := release.Environment{Spec: release.EnvironmentSpec{Waves: []release.WaveSpec{{Name: "all", Clusters: release.Selector{MatchLabels: map[string]string{"env": "prod"}}}}}}
	clusters := []release.Cluster{{Meta: release.Meta{Name: "in", Labels: map[string]string{"env": "prod"}}}, {Meta: release.Meta{Name: "out", Labels: map[string]string{"env": "dev"}}}}
	slot := release.Slot{Targets: map[string]release.Commit{"in": "1", "out": "2", "unknown": "3"}}
	if got := slot.Within(env, clusters); len(got) != 1 || got["in"] != "1" || len(slot.Targets) != 3 {
		t.Errorf("within are %v of %v", got, slot.Targets)
	}
}
