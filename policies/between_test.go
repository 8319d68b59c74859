package policies_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
)

func TestARolloutStopsBetweenWaves(t *testing.T) {
	hold := &release.Hold{By: "ann", Reason: "quarter close"}
	night := func(w *world) { w.now = w.now.Add(9 * time.Hour) }
	for _, c := range []struct {
		name   string
		change func(*world)
		hold   *release.Hold
		says   string // "": it goes on
	}{
		{name: "inside the window the next wave begins"},
		{name: "outside of it the next wave waits, and says until when", change: night, says: "wave rest waits: outside the window"},
		{name: "while somebody holds the place it waits, and says who and why", hold: hold, says: "wave rest waits: ann holds shop/web in prod: quarter close"},
		{name: "the first wave has been let in", change: func(w *world) { night(w); w.release.Wave = 0 }, hold: hold},
		{name: "a wave that has begun is finished", change: func(w *world) { night(w); w.release.Stages[0].Waves[1].Targets[0].Synced = w.now }, hold: hold},
		{name: "also one whose cluster has only answered", change: func(w *world) { night(w); w.release.Stages[0].Waves[1].Targets[0].State = "Syncing" }, hold: hold},
		{name: "and what is applied is judged", change: func(w *world) { night(w); w.release.Step = release.StepHealth }, hold: hold},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.release.Phase, w.release.Step, w.release.Wave = release.Deploying, release.StepSync, 1
			w.release.Stages[0].Waves = []release.Wave{{Name: "canary"}, {Name: "rest", Targets: []release.Target{{Cluster: "main", State: "Pending"}}}}
			if c.change != nil {
				c.change(w)
			}
			v, err := w.Proceed(w.release, w.env, release.Slot{Hold: c.hold})
			if err != nil {
				t.Fatal(err)
			}
			if c.says == "" {
				if v.Outcome() != release.Passed {
					t.Errorf("%v %s", v.Outcome(), v.Reason())
				}
				return
			}
			if v.Outcome() != release.Waiting || !strings.Contains(v.Reason(), c.says) || v.After() <= 0 || c.hold != nil && v.Hint() == "" {
				t.Errorf("%v %q after %s, %q", v.Outcome(), v.Reason(), v.After(), v.Hint())
			}
		})
	}
}
