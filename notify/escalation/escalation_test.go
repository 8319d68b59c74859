package escalation_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/notify/escalation"
	"github.com/seatrial/seatrial/release"
)

var (
	began = time.Unix(1_000_000, 0)
	steps = release.Route{Channels: []string{"chat"}, Escalate: []release.Escalation{
		{After: release.Duration(10 * time.Minute), Channels: []string{"pager"}}, {After: release.Duration(30 * time.Minute), Channels: []string{"boss"}}}}
)

func open(r release.Route) escalation.Matter {
	m, _ := escalation.Follow(escalation.Matter{}, "m", "shop", release.Event{ID: "e", At: began}, false, []release.Route{{}, r})
	return m
}

// However often it is looked at, each step is taken once, and never before its time.
func TestEachStepIsTakenOnceAndNeverTooEarly(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 3))
		m, now := open(steps), began
		var told []string
		for now.Before(began.Add(2 * time.Hour)) {
			now = now.Add(time.Duration(random.Int64N(int64(15 * time.Minute))))
			var names []string
			names, m = escalation.Next(m, now)
			told = append(told, names...)
			for name, after := range map[string]time.Duration{"pager": 10 * time.Minute, "boss": 30 * time.Minute} {
				if slices.Contains(told, name) != (now.Sub(began) >= after) {
					t.Fatalf("seed %d: %v after it began, told %v", seed, now.Sub(began), told)
				}
			}
		}
		if len(told) != 2 {
			t.Fatalf("seed %d: told %v", seed, told)
		}
	}
}

func TestWhatIsOverIsNotToldAndALateEventDoesNotOpenItAgain(t *testing.T) {
	end := release.Event{ID: "end", At: began.Add(5 * time.Minute)}
	over, changed := escalation.Follow(open(steps), "m", "shop", end, true, nil)
	if names, _ := escalation.Next(over, began.Add(time.Hour)); !changed || len(names) != 0 {
		t.Errorf("%v are told of what is over", names)
	}
	if _, changed := escalation.Follow(over, "m", "shop", release.Event{ID: "e", At: began}, false, []release.Route{steps}); changed {
		t.Error("the beginning, told again, opens it again")
	}
	again, changed := escalation.Follow(over, "m", "shop", release.Event{ID: "e2", At: began.Add(time.Hour)}, false, []release.Route{steps})
	if !changed || !again.Open() || again.Steps != 0 {
		t.Errorf("new trouble is %+v", again)
	}
	if _, changed := escalation.Follow(again, "m", "shop", end, true, nil); changed {
		t.Error("the end of the trouble before ends it")
	}
	if _, changed := escalation.Follow(escalation.Matter{}, "m", "shop", release.Event{At: began}, false, []release.Route{{}}); changed {
		t.Error("a route that asks for nothing is followed")
	}
}

// An alert is stamped when it comes in, so one that comes twice has two times.
func TestWhatComesTwiceOrWithAClockThatWasSetBack(t *testing.T) {
	alert := func(what string, after time.Duration) release.Event {
		return release.Event{ID: "alert/f00/1000/" + what, At: began.Add(after)}
	}
	routes := []release.Route{steps}
	m, _ := escalation.Follow(escalation.Matter{}, "m", "shop", alert("firing", 0), false, routes)
	over, changed := escalation.Follow(m, "m", "shop", alert("resolved", -time.Hour), true, nil)
	if !changed || over.Open() {
		t.Errorf("its own end, before its beginning by the clock, does not end it: %+v", over)
	}
	over, _ = escalation.Follow(m, "m", "shop", alert("resolved", time.Minute), true, nil)
	if again, changed := escalation.Follow(over, "m", "shop", alert("firing", time.Hour), false, routes); changed {
		t.Errorf("an alert that was over and came again opened %+v", again)
	}
}

func TestWhoHeardOfItAgainHearsOfItsEnd(t *testing.T) {
	r := steps
	r.RepeatInterval = release.Duration(time.Hour)
	for after, want := range map[time.Duration][]string{time.Minute: nil, 20 * time.Minute: {"pager"}, 2 * time.Hour: {"boss", "chat", "pager"}} {
		_, m := escalation.Next(open(r), began.Add(after))
		if got := escalation.Heard(m); !slices.Equal(got, want) {
			t.Errorf("after %v: %v, want %v", after, got, want)
		}
	}
}

func TestItIsRepeatedWhileItLasts(t *testing.T) {
	m := open(release.Route{Channels: []string{"chat"}, RepeatInterval: release.Duration(time.Hour)})
	told := 0
	for now := began; now.Before(began.Add(5*time.Hour + time.Minute)); now = now.Add(time.Minute) {
		var names []string
		names, m = escalation.Next(m, now)
		told += len(names)
	}
	if told != 5 {
		t.Errorf("told %d times in five hours", told)
	}
}
