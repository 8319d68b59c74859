package consent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/consent"
	"github.com/seatrial/seatrial/release"
)

var now = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

func content(trigger string) consent.Content {
	return consent.Content{Experiment: "kill", Env: "prod", Service: "shop/web", Trigger: trigger, Spec: release.ExperimentSpec{
		Service: "shop/web", Fault: release.Fault{Kind: "PodChaos", Action: "pod-kill", Namespace: "shop", Duration: release.Duration(time.Minute),
			Selector: release.Selector{MatchLabels: map[string]string{"app": "web", "tier": "front"}}, With: map[string]any{"gracePeriod": 1}}}}
}

// said is an approval of a run by hand an hour ago by an operator.
func said(by string, change ...func(*consent.Vote)) consent.Vote {
	v := consent.Vote{Experiment: "kill", Env: "prod", Service: "shop/web", Trigger: consent.ByPerson, By: by, Groups: []string{"viewer", "operator"},
		Digest: content(consent.ByPerson).Digest(), At: now.Add(-time.Hour), Decision: consent.Approve}
	for _, c := range change {
		c(&v)
	}
	return v
}

func TestOnlyEnoughOtherPeopleWhoKnowWhatTheyApproveLetARunBegin(t *testing.T) {
	two := release.Consent{Required: 2, Groups: []string{"operator"}}
	one := release.Consent{Required: 1, Groups: []string{"operator"}}
	later := func(d time.Duration) func(*consent.Vote) { return func(v *consent.Vote) { v.At = v.At.Add(d) } }
	withdrawn := func(v *consent.Vote) { v.Decision = consent.Withdraw }
	used := func(run string) func(*consent.Vote) { return func(v *consent.Vote) { v.Run = run } }
	groups := func(g ...string) func(*consent.Vote) { return func(v *consent.Vote) { v.Groups = g } }
	for _, c := range []struct {
		name  string
		rule  release.Consent
		votes []consent.Vote
		run   string
		start []string
		want  string // of the reason; empty: it may begin
	}{
		{"nobody is asked for", release.Consent{}, nil, "", []string{"ann"}, ""},
		{"nobody has said anything", one, nil, "", []string{"ann"}, "0 of 1 approvals of people of operator"},
		{"another person has", one, []consent.Vote{said("bob")}, "", []string{"ann"}, ""},
		{"who starts it approves it", one, []consent.Vote{said("ann")}, "", []string{"ann"}, "who starts a run does not count: ann"},
		{"who starts it approves it in capitals", one, []consent.Vote{said("ANN ")}, "", []string{"ann"}, "does not count: ANN"},
		{"who made the token that starts it approves it", one, []consent.Vote{said("ann")}, "", []string{"token:ci", "ann"}, "does not count: ann"},
		{"one of two", two, []consent.Vote{said("bob")}, "", []string{"ann"}, "1 of 2 approvals of people of operator, by bob"},
		{"two of two", two, []consent.Vote{said("bob"), said("cem")}, "", []string{"ann"}, ""},
		{"one person twice", two, []consent.Vote{said("bob"), said("bob", later(time.Minute))}, "", []string{"ann"}, "1 of 2"},
		{"one person twice, in capitals", two, []consent.Vote{said("bob"), said("Bob", later(time.Minute))}, "", []string{"ann"}, "1 of 2"},
		{"a viewer", one, []consent.Vote{said("bob", groups("viewer"))}, "", []string{"ann"}, "in none of the groups: bob"},
		{"anybody will do, and a viewer is somebody", release.Consent{Required: 1}, []consent.Vote{said("bob", groups("viewer"))}, "", []string{"ann"}, ""},
		{"anybody will do, and this one is gone", release.Consent{Required: 1}, []consent.Vote{said("bob", groups())}, "", []string{"ann"}, "no person: bob"},
		{"a robot", release.Consent{Required: 1}, []consent.Vote{said("token:ci")}, "", []string{"ann"}, "no person: token:ci"},
		{"nobody's", release.Consent{Required: 1}, []consent.Vote{said(" ")}, "", []string{"ann"}, "0 of 1"},
		{"of another content", one, []consent.Vote{said("bob", func(v *consent.Vote) { v.Digest = "sha256:0" })}, "", []string{"ann"}, "void because the experiment has changed since: bob"},
		{"of nothing", one, []consent.Vote{said("bob", func(v *consent.Vote) { v.Digest = "" })}, "", []string{"ann"}, "void"},
		{"of a schedule", one, []consent.Vote{said("bob", func(v *consent.Vote) { v.Trigger = consent.BySchedule })}, "", []string{"ann"}, "0 of 1"},
		{"of another environment", one, []consent.Vote{said("bob", func(v *consent.Vote) { v.Env = "staging" })}, "", []string{"ann"}, "0 of 1"},
		{"of another service", one, []consent.Vote{said("bob", func(v *consent.Vote) { v.Service = "shop/api" })}, "", []string{"ann"}, "0 of 1"},
		{"of another experiment", one, []consent.Vote{said("bob", func(v *consent.Vote) { v.Experiment = "delay" })}, "", []string{"ann"}, "0 of 1"},
		{"seven days old", one, []consent.Vote{said("bob", later(time.Hour-7*24*time.Hour))}, "", []string{"ann"}, "expired: bob"},
		{"a second less than seven days old", one, []consent.Vote{said("bob", later(time.Hour-7*24*time.Hour+time.Second))}, "", []string{"ann"}, ""},
		{"older than the rule likes", release.Consent{Required: 1, ValidFor: release.Duration(time.Hour)}, []consent.Vote{said("bob")}, "", []string{"ann"}, "expired: bob"},
		{"withdrawn", one, []consent.Vote{said("bob"), said("Bob", withdrawn, later(time.Minute))}, "", []string{"ann"}, "withdrawn: Bob"},
		{"withdrawn, then given again", one, []consent.Vote{said("bob"), said("bob", withdrawn, later(time.Minute)), said("bob", later(2*time.Minute))}, "", []string{"ann"}, ""},
		{"used", one, []consent.Vote{said("bob", used("run-1"))}, "", []string{"ann"}, "used by an earlier run: bob"},
		{"used by this very run", one, []consent.Vote{said("bob", used("run-1"))}, "run-1", []string{"ann"}, ""},
		{"used by another run than this", one, []consent.Vote{said("bob", used("run-1"))}, "run-2", []string{"ann"}, "0 of 1"},
		{"not used by this run", one, []consent.Vote{said("bob")}, "run-2", []string{"ann"}, "0 of 1"},
		{"used by this run, and given again for the next", one, []consent.Vote{said("bob", used("run-1")), said("bob", later(time.Minute))}, "run-1", []string{"ann"}, ""},
		{"used by this run, and withdrawn", one, []consent.Vote{said("bob", used("run-1")), said("bob", withdrawn, later(time.Minute))}, "run-1", []string{"ann"}, "withdrawn: bob"},
	} {
		v, counted := consent.Decide(c.rule, c.votes, consent.Ask{Content: content(consent.ByPerson), Run: c.run, Starters: c.start}, now)
		if c.want == "" {
			if v.Outcome() != release.Passed || len(counted) != c.rule.Required {
				t.Errorf("%s: %s %q, %d counted", c.name, v.Outcome(), v.Reason(), len(counted))
			}
			continue
		}
		if v.Outcome() != release.Refused || v.Code() != consent.Code || !strings.Contains(v.Reason(), c.want) || len(counted) != 0 {
			t.Errorf("%s: %s %s %q, %d counted", c.name, v.Outcome(), v.Code(), v.Reason(), len(counted))
		}
		if v.Hint() != "somebody else approves it: seatrial experiment approve kill --env prod" {
			t.Errorf("%s: the next step is %q", c.name, v.Hint())
		}
	}
}

func TestAnApprovalOfAScheduleCoversEachOfItsMoments(t *testing.T) {
	vote := said("bob", func(v *consent.Vote) { v.Trigger, v.Digest = consent.BySchedule, content(consent.BySchedule).Digest() })
	rule := release.Consent{Required: 1, Groups: []string{"operator"}}
	for day := range 8 {
		v, _ := consent.Decide(rule, []consent.Vote{vote}, consent.Ask{Content: content(consent.BySchedule)}, now.AddDate(0, 0, day))
		if got, want := v.Outcome() == release.Passed, day < 7; got != want {
			t.Errorf("day %d: %s %q", day, v.Outcome(), v.Reason())
		}
	}
}

func TestTheNextStepNamesWhatIsMissing(t *testing.T) {
	c := content(consent.BySchedule)
	c.Spec.Service = ""
	v, _ := consent.Decide(release.Consent{Required: 1}, nil, consent.Ask{Content: c}, now)
	if want := "seatrial experiment approve kill --env prod --service shop/web --schedule"; !strings.HasSuffix(v.Hint(), want) {
		t.Errorf("%q does not end in %q", v.Hint(), want)
	}
}

func TestEveryChangeOfAnExperimentChangesItsDigest(t *testing.T) {
	first := content(consent.ByPerson).Digest()
	if first == "" || first != content(consent.ByPerson).Digest() {
		t.Fatalf("the same content is %q", first)
	}
	seen := map[release.Digest]string{first: "unchanged"}
	for name, change := range map[string]func(*consent.Content){
		"experiment":  func(c *consent.Content) { c.Experiment = "kill2" },
		"environment": func(c *consent.Content) { c.Env = "staging" },
		"service":     func(c *consent.Content) { c.Service = "shop/api" },
		"trigger":     func(c *consent.Content) { c.Trigger = consent.BySchedule },
		"duration":    func(c *consent.Content) { c.Spec.Fault.Duration++ },
		"namespace":   func(c *consent.Content) { c.Spec.Fault.Namespace = "bank" },
		"labels":      func(c *consent.Content) { c.Spec.Fault.Selector.MatchLabels = map[string]string{"app": "web"} },
		"action":      func(c *consent.Content) { c.Spec.Fault.Action = "pod-failure" },
		"mode":        func(c *consent.Content) { c.Spec.Fault.Mode = "all" },
		"parameter":   func(c *consent.Content) { c.Spec.Fault.With = map[string]any{"gracePeriod": 2} },
		"limit":       func(c *consent.Content) { c.Spec.Limits.MaxPercent = 100 },
		"hypothesis":  func(c *consent.Content) { c.Spec.Hypothesis = []string{"availability"} },
		"schedule":    func(c *consent.Content) { c.Spec.Schedule = &release.ScheduleSpec{Cron: "* * * * *"} },
	} {
		c := content(consent.ByPerson)
		change(&c)
		if other, ok := seen[c.Digest()]; ok || c.Digest() == "" {
			t.Errorf("%s: the same digest as %s", name, other)
		}
		seen[c.Digest()] = name
	}
}
