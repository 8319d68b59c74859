package chaos_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

func kill() release.ExperimentSpec {
	return release.ExperimentSpec{Fault: release.Fault{
		Kind: "PodChaos", Action: "pod-kill", Namespace: "shop", Duration: release.Duration(30 * time.Second),
		Selector: release.Selector{MatchLabels: map[string]string{"app": "web"}},
	}}
}

func TestCheckRefusesBeforeAClusterIsAsked(t *testing.T) {
	tests := []struct {
		name   string
		change func(*release.ExperimentSpec)
		want   string // "" : allowed
	}{
		{"a pod-kill in the project's namespace is allowed", func(*release.ExperimentSpec) {}, ""},
		{"an empty selector", func(x *release.ExperimentSpec) { x.Fault.Selector.MatchLabels = nil }, "the selector is empty"},
		{"no namespace", func(x *release.ExperimentSpec) { x.Fault.Namespace = "" }, "no namespace"},
		{"the system's namespace", func(x *release.ExperimentSpec) { x.Fault.Namespace = "kube-system" }, "protected"},
		{"Chaos Mesh's namespace", func(x *release.ExperimentSpec) { x.Fault.Namespace = "chaos-mesh" }, "protected"},
		{"our own namespace", func(x *release.ExperimentSpec) { x.Fault.Namespace = "seatrial-system" }, "protected"},
		{"another team's namespace", func(x *release.ExperimentSpec) { x.Fault.Namespace = "pay" }, "not one of the project's: shop, kube-system"},
		{"another kind", func(x *release.ExperimentSpec) { x.Fault.Kind = "DiskChaos" }, `kind "DiskChaos" is not supported`},
		{"a cloud's kind", func(x *release.ExperimentSpec) { x.Fault.Kind = "AWSChaos" }, "machines of an account"},
		{"a partition with everybody is allowed", func(x *release.ExperimentSpec) { x.Fault.Kind, x.Fault.Action = "NetworkChaos", "partition" }, ""},
		{"a delay of nothing", func(x *release.ExperimentSpec) { x.Fault.Kind, x.Fault.Action = "NetworkChaos", "delay" }, "delay needs latency"},
		{"an other end in another team's namespace", func(x *release.ExperimentSpec) {
			x.Fault.Kind, x.Fault.Action = "NetworkChaos", "partition"
			x.Fault.With = map[string]any{"target": map[string]any{"app": "db"}, "targetNamespace": "pay"}
		}, "namespace pay of the other end is not one of the project's"},
		{"a container of a kind for whole pods", func(x *release.ExperimentSpec) {
			x.Fault.Kind, x.Fault.Action, x.Fault.Container = "NetworkChaos", "partition", "web"
		}, "hits whole pods"},
		{"another action", func(x *release.ExperimentSpec) { x.Fault.Action = "pod-delete" }, `action "pod-delete" is not supported`},
		{"a container-kill of no container", func(x *release.ExperimentSpec) { x.Fault.Action = "container-kill" }, "needs the name of a container"},
		{"no duration", func(x *release.ExperimentSpec) { x.Fault.Duration = 0 }, "needs a duration"},
		{"more than the limit's duration", func(x *release.ExperimentSpec) { x.Fault.Duration = release.Duration(6 * time.Minute) }, "longer than the limit of 5m0s"},
		{"more than an hour, whatever the limit", func(x *release.ExperimentSpec) {
			x.Fault.Duration, x.Limits.MaxDuration = release.Duration(2*time.Hour), release.Duration(3*time.Hour)
		}, "longer than the limit of 1h0m0s"},
		{"a pod-failure too short to measure", func(x *release.ExperimentSpec) {
			x.Fault.Action, x.Fault.Duration = "pod-failure", release.Duration(5*time.Second)
		}, "too short to measure"},
		{"an unknown mode", func(x *release.ExperimentSpec) { x.Fault.Mode = "most" }, `mode "most"`},
		{"a percentage of 101", func(x *release.ExperimentSpec) { x.Fault.Mode, x.Fault.Value = "fixed-percent", "101" }, "want 1 to 100"},
		{"a limit of 101 percent", func(x *release.ExperimentSpec) { x.Limits.MaxPercent = 101 }, "out of range"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := kill()
			tt.change(&x)
			err := chaos.Check(x, []string{"shop", "kube-system"})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestProtectedNamespacesCannotBeAllowed(t *testing.T) {
	x := kill()
	x.Fault.Namespace = "kube-system"
	if err := chaos.Check(x, []string{"kube-system"}); err == nil {
		t.Error("kube-system was allowed because a project lists it")
	}
}

func podsOf(ready, all int) []chaos.Pod {
	var pods []chaos.Pod
	for i := range all {
		pods = append(pods, chaos.Pod{Namespace: "shop", Name: fmt.Sprintf("web-%d", i), UID: fmt.Sprintf("uid-%d", i), Ready: i < ready})
	}
	return pods
}

func TestChooseChecksAgainWhatWasResolved(t *testing.T) {
	tests := []struct {
		name       string
		ready, all int
		mode       string
		value      string
		limits     release.Limits
		want       int
		problem    string
	}{
		{"one of two", 2, 2, "", "", release.Limits{}, 1, ""},
		{"no pod matches", 0, 0, "", "", release.Limits{}, 0, "no target"},
		{"one ready pod is too few", 1, 2, "", "", release.Limits{}, 0, "1 of 2 pods are ready, the limit asks for 2"},
		{"one of one exceeds half", 1, 1, "", "", release.Limits{MinReady: 1}, 0, "the limit is 50 %"},
		{"unless the limits say so", 1, 1, "", "", release.Limits{MinReady: 1, MaxPercent: 100}, 1, ""},
		{"all of three exceeds one target", 3, 3, "all", "", release.Limits{}, 0, "3 pods are to be hit, the limit is 1"},
		{"two of three exceed half", 3, 3, "fixed", "2", release.Limits{MaxTargets: 2}, 0, "2 of 3 pods are to be hit, the limit is 50 %"},
		{"two of four", 4, 4, "fixed", "2", release.Limits{MaxTargets: 2}, 2, ""},
		{"a percentage is rounded down", 5, 5, "fixed-percent", "50", release.Limits{MaxTargets: 5}, 2, ""},
		{"and may carry its sign", 5, 5, "fixed-percent", "50%", release.Limits{MaxTargets: 5}, 2, ""},
		{"down to none", 2, 2, "fixed-percent", "10", release.Limits{}, 0, "10 % of 2 pods is none"},
		{"more than are ready", 2, 6, "fixed", "3", release.Limits{MaxTargets: 9}, 0, "3 pods are to be hit and 2 are ready"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := kill()
			x.Fault.Mode, x.Fault.Value, x.Limits = tt.mode, tt.value, tt.limits
			got, err := chaos.Choose(x, podsOf(tt.ready, tt.all), "run")
			if tt.problem == "" && (err != nil || len(got) != tt.want) {
				t.Fatalf("%v %v", got, err)
			}
			if _, ok := errors.AsType[*chaos.Exceeds](err); tt.problem != "" && (!ok || !strings.Contains(err.Error(), tt.problem)) {
				t.Errorf("err = %v, want %q", err, tt.problem)
			}
			for _, p := range got {
				if !p.Ready {
					t.Errorf("%s is not ready and was chosen", p.ID())
				}
			}
		})
	}
}

func TestChooseIsTheSameForTheSameRunAndDiffersBetweenRuns(t *testing.T) {
	x, pods := kill(), podsOf(9, 9)
	first, _ := chaos.Choose(x, pods, "run-1")
	slices.Reverse(pods)
	again, _ := chaos.Choose(x, pods, "run-1")
	if first[0].UID != again[0].UID {
		t.Errorf("%v, then %v", first, again)
	}
	chosen := map[string]bool{}
	for i := range 50 {
		got, _ := chaos.Choose(x, pods, fmt.Sprint(i))
		chosen[got[0].Name] = true
	}
	if len(chosen) < 5 {
		t.Errorf("50 runs hit only %d of 9 pods", len(chosen))
	}
}

func TestRestored(t *testing.T) {
	before := []chaos.Pod{{Namespace: "shop", Name: "a", UID: "1", Ready: true, Restarts: 3}, {Namespace: "shop", Name: "b", UID: "2", Ready: true}}
	b := before[1]
	tests := []struct {
		name       string
		action     string
		now        []chaos.Pod
		hit, whole bool
		wanted     int
	}{
		{"a killed pod has been replaced", "pod-kill", []chaos.Pod{b, {Namespace: "shop", Name: "c", UID: "3", Ready: true}}, true, true, 0},
		{"a StatefulSet's pod comes back under its name", "pod-kill", []chaos.Pod{b, {Namespace: "shop", Name: "a", UID: "9", Ready: true}}, true, true, 0},
		{"its replacement is not ready", "pod-kill", []chaos.Pod{b, {Namespace: "shop", Name: "c", UID: "3"}}, true, false, 0},
		{"nothing replaced it", "pod-kill", []chaos.Pod{b}, true, false, 0},
		{"the status lied: it is the same pod", "pod-kill", before, false, false, 0},
		{"a killed container restarted", "container-kill", []chaos.Pod{b, {Namespace: "shop", Name: "a", UID: "1", Ready: true, Restarts: 4}}, true, true, 0},
		{"the status lied: it never restarted", "container-kill", before, false, false, 0},
		{"a failed pod restarted and is ready", "pod-failure", []chaos.Pod{b, {Namespace: "shop", Name: "a", UID: "1", Ready: true, Restarts: 5}}, true, true, 0},
		{"an autoscaler wants one pod only now", "pod-kill", []chaos.Pod{b}, true, true, 1},
		{"as many are wanted as before", "pod-kill", []chaos.Pod{b}, true, false, 2},
		{"more are wanted than before", "pod-kill", []chaos.Pod{b}, true, false, 3},
		{"the one that is wanted is not ready", "pod-kill", []chaos.Pod{{Namespace: "shop", Name: "c", UID: "3"}}, true, false, 1},
		{"the status lied, whatever is wanted", "container-kill", before[:1], false, false, 1},
		{"a failed pod is not ready yet", "pod-failure", []chaos.Pod{b, {Namespace: "shop", Name: "a", UID: "1", Restarts: 5}}, true, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := chaos.Restored(before, tt.now, &release.FaultRecord{Kind: "PodChaos", Action: tt.action, Targets: []string{"shop/a"}}, tt.wanted)
			if got.Hit != tt.hit || got.Whole != tt.whole || got.Reason == "" {
				t.Errorf("got %+v, want hit %v, whole %v", got, tt.hit, tt.whole)
			}
		})
	}
}

func TestEveryStateHasAName(t *testing.T) {
	seen := map[string]bool{}
	for s := chaos.SightUnknown; s <= chaos.Gone; s++ {
		seen[s.String()] = true
	}
	if len(seen) != int(chaos.Gone)+1 || chaos.SightState(99).String() != "Unknown" {
		t.Errorf("names %v", seen)
	}
	if chaos.Escalate(0) != chaos.Delete || chaos.Escalate(6*time.Second).String() != "Entries" || chaos.Escalate(time.Minute).String() != "Annotate" || chaos.Force(99).String() != "None" {
		t.Error("removal does not escalate from Delete over Entries to Annotate")
	}
}

func TestADisruptionBudgetIsRespected(t *testing.T) {
	pods := podsOf(4, 4)
	for i := range pods {
		pods[i].Budgets = map[string]int{"web": 1}
	}
	for _, c := range []struct {
		action, value string
		problem       string
	}{
		{"pod-kill", "1", ""},
		{"pod-kill", "2", "PodDisruptionBudget web lets 1 pods go now, 2 are to be hit"},
		{"pod-failure", "2", "lets 1 pods go now"},
	} {
		x := kill()
		x.Fault.Action, x.Fault.Mode, x.Fault.Value, x.Limits = c.action, "fixed", c.value, release.Limits{MaxTargets: 4, MaxPercent: 100}
		_, err := chaos.Choose(x, pods, "run")
		if e, ok := errors.AsType[*chaos.Exceeds](err); c.problem == "" && err != nil || c.problem != "" && (!ok || e.Final || !strings.Contains(e.Reason, c.problem)) {
			t.Errorf("%s of %s: %v, want %q", c.action, c.value, err, c.problem)
		}
	}
	x := kill()
	x.Fault.Kind, x.Fault.Action, x.Fault.Mode, x.Fault.Value, x.Limits = "StressChaos", "cpu", "fixed", "2", release.Limits{MaxTargets: 4, MaxPercent: 100}
	if _, err := chaos.Choose(x, pods, "run"); err != nil {
		t.Errorf("pods that go on answering: %v", err)
	}
}

func TestConsents(t *testing.T) {
	for _, c := range []struct {
		label string
		asked bool
		want  bool
	}{
		{"", false, true}, {"", true, false}, {"allowed", true, true}, {"allowed", false, true}, {"refused", false, false}, {"refused", true, false}, {"Allowed", true, false},
	} {
		err := chaos.Consents("shop", map[string]string{chaos.LabelChaos: c.label}, c.asked)
		if e, ok := errors.AsType[*chaos.Exceeds](err); (err == nil) != c.want || ok && !e.Final {
			t.Errorf("label %q, asked %v: %v", c.label, c.asked, err)
		}
	}
}
