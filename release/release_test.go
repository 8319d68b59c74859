package release_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
)

func TestEveryPhaseReadsBackAsItself(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range release.Phases() {
		text, err := p.MarshalText()
		if err != nil || seen[string(text)] || string(text) == release.Unknown.String() {
			t.Errorf("phase %d is written %q, %v", p, text, err)
		}
		seen[string(text)] = true
		var back release.Phase
		if err := back.UnmarshalText(text); err != nil || back != p {
			t.Errorf("%q reads back as %v, %v", text, back, err)
		}
	}
	var p release.Phase
	if err := p.UnmarshalText([]byte("Sailing")); err == nil {
		t.Error("a phase that does not exist was read")
	}
}

func TestEveryStepReadsBackAsItself(t *testing.T) {
	for s := release.NoStep; s <= release.StepSLO; s++ {
		var back release.Step
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("step %d, %q, reads back as %v, %v", s, s, back, err)
		}
	}
}

func TestAVerdictSurvivesTheStore(t *testing.T) {
	evidence := release.Evidence{Gate: "slo", Claim: "it holds", Holds: true}
	for _, v := range []release.Verdict{
		{}, release.Pass(evidence), release.Wait("later", 90*time.Second).With(evidence),
		release.Refuse("no", "do this"), release.Inconclusive("who knows", "look"),
	} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var back release.Verdict
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		same := back.Outcome() == v.Outcome() && back.Reason() == v.Reason() && back.Hint() == v.Hint() &&
			back.After() == v.After() && len(back.Evidence()) == len(v.Evidence())
		if !same {
			t.Errorf("%s reads back as %+v", text, back)
		}
	}
}

func TestAnUnknownWordIsNoVerdict(t *testing.T) {
	var v release.Verdict
	if err := json.Unmarshal([]byte(`{"outcome":"Sure"}`), &v); err != nil || v.Outcome() != release.NoOutcome {
		t.Errorf("got %v, %v", v.Outcome(), err)
	}
}

func TestFactsChangeACopy(t *testing.T) {
	r := release.Release{Stages: []release.Stage{{Env: "staging", Waves: []release.Wave{{Name: "all", Targets: []release.Target{{Cluster: "a", State: "Pending"}}}}}}}
	next := r.With(release.Facts{Targets: []release.Target{{Cluster: "a", State: "Healthy"}}, Desired: "abc"})
	if next.Stages[0].Waves[0].Targets[0].State != "Healthy" || next.Now().Desired != "abc" {
		t.Errorf("the facts are missing: %+v", next.Stages)
	}
	if r.Stages[0].Waves[0].Targets[0].State != "Pending" || r.Now().Desired != "" {
		t.Errorf("the release before was changed: %+v", r.Stages)
	}
}

func TestAnEmptySelectorMatchesNothing(t *testing.T) {
	if (release.Selector{}).Matches(map[string]string{"env": "prod"}) {
		t.Error("an empty selector matched a cluster")
	}
}

func TestServicesAreTeamAndName(t *testing.T) {
	for _, bad := range []string{"", "web", "shop/", "/web", "Shop/web", "shop/we b", "shop/web/x", "shop/-web"} {
		if s, err := release.ParseService(bad); err == nil {
			t.Errorf("%q was read as %q", bad, s)
		}
	}
	if s, err := release.ParseService("shop/web"); err != nil || s.Team() != "shop" || s.Name() != "web" {
		t.Errorf("got %q, %v", s, err)
	}
}
