package autoscale_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/release"
)

// at is a sight so long after noon.
func at(after time.Duration, change func(*autoscale.Sight)) autoscale.Sight {
	s := sight(noon.Add(after), 112)
	if change != nil {
		change(&s)
	}
	return s
}

// after plays sights one after the other until something is told of them.
func after(t *testing.T, sights ...autoscale.Sight) (autoscale.Episode, autoscale.Change) {
	t.Helper()
	e := autoscale.Episode{Cluster: "prod-1", Namespace: "shop-prod", Name: "web", Service: "shop/web", Env: "prod"}
	var c autoscale.Change
	for _, s := range sights {
		e, c = autoscale.Next(restarted(t, e), autoscale.Rule{Over: 85, For: time.Minute}, s)
	}
	return e, c
}

func TestWhatTheAutoscalerDidIsTold(t *testing.T) {
	minute := time.Minute
	to := func(replicas int, ago time.Duration) func(*autoscale.Sight) {
		return func(s *autoscale.Sight) { s.Replicas, s.Scaled = replicas, s.At.Add(-ago) }
	}
	for _, c := range []struct {
		name                   string
		sights                 []autoscale.Sight
		result, severity, hint string
		reason                 string
	}{
		{"nothing, though it aims lower", []autoscale.Sight{at(0, nil), at(minute, nil)}, autoscale.Unmoved, "", "see whether", "it left the replicas at 3; its target is 70 %"},
		{"nothing, because it aims higher", []autoscale.Sight{at(0, nil), at(minute, func(s *autoscale.Sight) { s.Load.Target = 120 })}, autoscale.Unmoved, "",
			`be told later with the annotation seatrial.dev/cpu-notice: "130%/10m"`, "it left the replicas at 3; its target is 120 %"},
		{"it grew, twice", []autoscale.Sight{at(0, nil), at(20*time.Second, to(4, 5*time.Second)), at(40*time.Second, to(6, time.Second)), at(minute, to(6, 21*time.Second))}, autoscale.Scaled, "", "see whether the new pods",
			"replicas went from 3 to 4 at 12:00:15 UTC; replicas went from 4 to 6 at 12:00:39 UTC; its target is 70 %"},
		{"it grew in the moment in which the CPU was seen first", []autoscale.Sight{at(0, to(5, 0)), at(minute, to(5, minute))}, autoscale.Scaled, "", "see whether",
			"replicas went from 3 to 5 at 12:00:00 UTC; its target is 70 %"},
		{"a person changed the replicas", []autoscale.Sight{at(0, nil), at(minute, func(s *autoscale.Sight) { s.Replicas = 9 })}, autoscale.Scaled, "", "see whether",
			"replicas went from 3 to 9 at 12:01:00 UTC, which was not the autoscaler; its target is 70 %"},
		{"it is at its maximum", []autoscale.Sight{at(0, to(8, 0)), at(minute, func(s *autoscale.Sight) { s.Replicas, s.Scaled, s.AtMax = 10, s.At, true })}, autoscale.AtMaximum, "error", "raise maxReplicas",
			"replicas went from 3 to 8 at 12:00:00 UTC; replicas went from 8 to 10 at 12:01:00 UTC; it is at its maximum of 10; its target is 70 %"},
		{"it cannot scale", []autoscale.Sight{at(0, nil), at(minute, func(s *autoscale.Sight) { s.Blocked = "exceeded quota" })}, autoscale.Blocked, "error", "kubectl -n shop-prod describe hpa web",
			"it left the replicas at 3; it cannot scale: exceeded quota; its target is 70 %"},
		{"it could not scale for a while", []autoscale.Sight{at(0, nil), at(30*time.Second, func(s *autoscale.Sight) { s.Blocked, s.Load = "no metrics", autoscale.Load{} }), at(minute, to(4, 0))}, autoscale.Scaled, "", "see whether",
			"replicas went from 3 to 4 at 12:01:00 UTC; it could not scale at 12:00:30 UTC: no metrics; its target is 70 %"},
		{"it may not grow so fast", []autoscale.Sight{at(0, nil), at(minute, func(s *autoscale.Sight) { s.Replicas, s.Scaled, s.Slow = 4, s.At, "one pod a minute" })}, autoscale.Scaled, "", "see whether",
			"replicas went from 3 to 4 at 12:01:00 UTC; it grows no faster: one pod a minute; its target is 70 %"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, change := after(t, c.sights...)
			if change != autoscale.Hot {
				t.Fatal(change)
			}
			ev := autoscale.Tell(e, change, "pay")
			if ev.Result != c.result || ev.Severity != c.severity || !strings.Contains(ev.Hint, c.hint) || ev.Reason != "HorizontalPodAutoscaler web in namespace shop-prod: "+c.reason {
				t.Errorf("%s %q\n%s\n%s", ev.Result, ev.Severity, ev.Reason, ev.Hint)
			}
			want := release.Event{ID: fmt.Sprintf("autoscaler/prod-1/shop-prod/web/%d/hot", noon.Unix()), Kind: release.EventHot, At: noon.Add(minute), Service: "shop/web", Env: "prod", Project: "pay", About: "web@prod-1",
				Subject: "shop/web: CPU at autoscaler web on prod-1 has been over 85 % of what its pods request for 1m: 112 % now",
				Result:  ev.Result, Severity: ev.Severity, Hint: ev.Hint, Reason: ev.Reason}
			if !reflect.DeepEqual(ev, want) {
				t.Errorf("%+v", ev)
			}
		})
	}
}

func TestOneContainerIsNamed(t *testing.T) {
	e, c := after(t, at(0, nil), at(time.Minute, func(s *autoscale.Sight) { s.Load.Of = "app" }))
	if got := autoscale.Tell(e, c, "").Subject; !strings.Contains(got, "over 85 % of the request of container app for 1m") {
		t.Error(got)
	}
}

func TestManyStepsAreCountedAndNotKept(t *testing.T) {
	var sights []autoscale.Sight
	for i := range 31 {
		sights = append(sights, at(time.Duration(i)*15*time.Second, func(s *autoscale.Sight) { s.Replicas, s.Scaled = 3+i, s.At }))
	}
	e, _ := after(t, sights...)
	if len(e.Steps) != 20 || e.Left != 10 {
		t.Errorf("%d steps, %d left out", len(e.Steps), e.Left)
	}
}

func TestItsEndSaysHowLongAndHowMuch(t *testing.T) {
	e, _ := after(t, at(0, nil), at(time.Minute, nil), at(2*time.Minute, func(s *autoscale.Sight) { s.Load.Percent = 180 }),
		at(3*time.Minute, func(s *autoscale.Sight) { s.Replicas, s.Scaled, s.Load.Percent = 6, s.At, 60 }))
	e, c := autoscale.Next(e, autoscale.Rule{Over: 85, For: time.Minute}, at(4*time.Minute, func(s *autoscale.Sight) { s.Replicas, s.Scaled, s.Load.Percent = 6, s.At, 55 }))
	ev := autoscale.Tell(e, c, "pay")
	if c != autoscale.Calm || ev.Kind != release.EventCalm || ev.ID != fmt.Sprintf("autoscaler/prod-1/shop-prod/web/%d/calm", noon.Unix()) || !ev.At.Equal(noon.Add(4*time.Minute)) || ev.Severity+ev.Hint+ev.Result != "" {
		t.Errorf("%v %+v", c, ev)
	}
	if want := "shop/web: CPU at autoscaler web on prod-1 has been no higher than 85 % of what its pods request for 1m: 55 % now"; ev.Subject != want {
		t.Error(ev.Subject)
	}
	if want := "HorizontalPodAutoscaler web in namespace shop-prod: the CPU was high for 3m, 180 % at most; replicas went from 3 to 6 at 12:03:00 UTC; its target is 70 %"; ev.Reason != want {
		t.Error(ev.Reason)
	}

	gone, c := autoscale.End(hot(t), noon.Add(10*time.Minute))
	ev = autoscale.Tell(gone, c, "pay")
	if ev.Kind != release.EventCalm || ev.Result != autoscale.Unwatched || ev.Subject != "shop/web: CPU at autoscaler web on prod-1 is not watched any more" || !strings.Contains(ev.Reason, "it is gone, or its notices were turned off, while the CPU was high; the CPU was high for 10m, 90 % at most") {
		t.Errorf("%+v", ev)
	}
}
