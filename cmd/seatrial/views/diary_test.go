package views_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/cmd/seatrial/views"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/calendar"
)

func diary(t *testing.T) views.Diary {
	t.Helper()
	scheduled := func(cron, zone string) release.Experiment {
		return release.Experiment{Spec: release.ExperimentSpec{Service: "shop/web", Schedule: &release.ScheduleSpec{Cron: cron, TimeZone: zone, Environments: []release.Env{"prod"}}}}
	}
	prod := release.Environment{Meta: release.Meta{Name: "prod"}, Spec: release.EnvironmentSpec{Chaos: release.ChaosRules{
		Windows: []release.Window{{Allow: "Mon-Fri 00:00-06:00", TimeZone: "Asia/Shanghai"}},
		Freezes: []release.Freeze{{From: noon.Add(4 * 24 * time.Hour), Until: noon.Add(5 * 24 * time.Hour), Reason: "the sale"}},
	}}}
	return views.Diary{Runs: shelf.Runs{KV: shelfOf(t).KV()}, Now: func() time.Time { return noon }, Stopped: func(context.Context) string { return "stopped" },
		Platform: func(context.Context) (chaos.Platform, error) {
			return chaos.Platform{Environments: []release.Environment{prod}, Experiments: map[string]release.Experiment{
				"nightly": scheduled("0 2 * * *", "Asia/Shanghai"), "every": scheduled("* * * * *", ""), "half": scheduled("@every 36h", ""), "never": {},
			}}, nil
		}}
}

func TestTheCalendarPlansInEachSchedulesZoneAndSaysWhatIsForbidden(t *testing.T) {
	v := diary(t)
	last := noon.Add(-24 * time.Hour)
	if _, err := v.Runs.Save(t.Context(), schedule.Run{ID: "r", Experiment: "half", Env: "prod", Started: last, Scheduled: last}); err != nil {
		t.Fatal(err)
	}
	// From Thursday to Wednesday; it is Friday noon, 20:00 in Shanghai.
	c, err := v.Calendar(t.Context(), calendar.Question{From: noon.Add(-36 * time.Hour), To: noon.Add(5 * 24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range c.Planned {
		why, _, _ := strings.Cut(p.Closed, " until")
		got = append(got, fmt.Sprintf("%s %s %s %s", p.Experiment, p.At.Format("Mon 15:04"), p.TimeZone, why))
	}
	want := []string{
		"nightly Sat 02:00 Asia/Shanghai outside of the windows for chaos", // Friday's evening in UTC
		"half Sat 00:00 UTC outside of the windows for chaos",
		"nightly Sun 02:00 Asia/Shanghai outside of the windows for chaos",
		"half Sun 12:00 UTC outside of the windows for chaos",
		"nightly Mon 02:00 Asia/Shanghai ", "nightly Tue 02:00 Asia/Shanghai ",
		"half Tue 00:00 UTC outside of the windows for chaos",
		"nightly Wed 02:00 Asia/Shanghai nothing is broken",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(c.Often) != 1 || c.Often[0].Experiment != "every" || c.Often[0].Cron != "* * * * *" {
		t.Errorf("often %+v", c.Often)
	}
	if len(c.Closed) != 1 || c.Closed[0].Reason != "the sale" || c.Stopped != "stopped" {
		t.Errorf("closed %+v, %q", c.Closed, c.Stopped)
	}
	var open []string
	for _, s := range c.Open {
		open = append(open, s.From.UTC().Format("Mon 15:04")+"-"+s.To.UTC().Format("15:04"))
	}
	if want := "Thu 16:00-22:00 Sun 16:00-22:00 Mon 16:00-22:00 Tue 16:00-22:00"; strings.Join(open, " ") != want {
		t.Errorf("open %v, want %s", open, want)
	}
}

func TestTheCalendarHasTheRunsOfItsTime(t *testing.T) {
	v := diary(t)
	for i := range 6 {
		at := noon.Add(-time.Duration(i) * 24 * time.Hour)
		verdict := release.Refuse("it fell", "look")
		r := schedule.Run{ID: fmt.Sprint("r", i), Experiment: "nightly", Started: at, State: schedule.Failed, Verdict: &verdict, Message: "m"}
		if _, err := v.Runs.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	c, err := v.Calendar(t.Context(), calendar.Question{From: noon.Add(-4 * 24 * time.Hour), To: noon.Add(-24 * time.Hour)})
	var ids []string
	for _, r := range c.Runs {
		ids = append(ids, r.ID+" "+r.Reason)
	}
	if err != nil || strings.Join(ids, ", ") != "r4 it fell, r3 it fell, r2 it fell" || c.LeftOff {
		t.Errorf("%q, %v", ids, err)
	}
	runs, more, err := v.Runs.Between(t.Context(), noon.Add(-4*24*time.Hour), noon, 2)
	if err != nil || !more || len(runs) != 2 || runs[0].ID != "r1" {
		t.Errorf("two of four: %v, more %v, %v", runs, more, err)
	}
}

func TestARunIsReadWithItsEvidence(t *testing.T) {
	v := diary(t)
	verdict := release.Pass(release.Evidence{Claim: "available"})
	if _, err := v.Runs.Save(t.Context(), schedule.Run{ID: "r", Experiment: "nightly", Started: noon, Scheduled: noon, Verdict: &verdict}); err != nil {
		t.Fatal(err)
	}
	if r, err := v.Run(t.Context(), "r"); err != nil || r.Experiment != "nightly" || r.Verdict == nil || len(r.Verdict.Evidence()) != 1 || !r.Scheduled.Equal(noon) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := v.Run(t.Context(), "s"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a run that there is not: %v", err)
	}
}
