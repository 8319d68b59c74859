package chaos_test

import (
	"testing"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

func TestAnExperimentForAnyServiceIsAimedAtTheOneOnTrial(t *testing.T) {
	any := release.Experiment{}
	any.Spec.Fault.Selector.MatchLabels = map[string]string{"app": "{{.Name}}", "team": "{{.Team}}"}
	got := chaos.Aim(any, "dock/crane", []string{"dock", "dock-jobs"}).Spec.Fault
	if got.Namespace != "dock" || got.Selector.MatchLabels["app"] != "crane" || got.Selector.MatchLabels["team"] != "dock" {
		t.Errorf("aimed at %+v", got)
	}
	if any.Spec.Fault.Selector.MatchLabels["app"] != "{{.Name}}" {
		t.Error("the experiment itself was changed")
	}
	named := any
	named.Spec.Fault.Namespace = "other"
	if got := chaos.Aim(named, "dock/crane", []string{"dock"}).Spec.Fault.Namespace; got != "other" {
		t.Errorf("a namespace that was named became %q", got)
	}
}
