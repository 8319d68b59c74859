package history_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/history"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store/bolt"
)

func TestOnlyOldRunsBeyondTheNewestOfTheirExperimentGo(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	runs, now := shelf.Runs{KV: db}, time.Date(2026, 11, 27, 2, 0, 0, 0, time.UTC)
	save := func(id, experiment, state string, started, ended time.Duration) {
		t.Helper()
		r := schedule.Run{ID: id, Experiment: experiment, State: state, Started: now.Add(-started), Ended: now.Add(-ended)}
		if _, err := runs.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	const day = 24 * time.Hour
	rule := history.Rule{Keep: 100, OlderThan: release.Duration(30 * day)}
	for i := range rule.Keep - 1 {
		save(fmt.Sprint("busy", i), "busy", schedule.Passed, time.Duration(i)*time.Minute, 0)
	}
	save("busy, the last that is kept", "busy", schedule.Failed, 40*day, 40*day)
	save("busy, too old", "busy", schedule.Failed, 41*day, 40*day)
	save("busy, too old as well", "busy", schedule.Aborted, 50*day, 50*day)
	save("busy, ended late", "busy", schedule.Invalid, 60*day, 29*day)
	save("busy, never ended", "busy", schedule.Reverting, 70*day, 70*day)
	save("seldom, old", "seldom", schedule.Passed, 400*day, 400*day)
	for i := range rule.Keep + 1 {
		save(fmt.Sprint("fresh", i), "fresh", schedule.Passed, 30*day, 30*day)
	}

	s := history.Sweeper{Rule: rule, Runs: runs, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
	for _, want := range []int{2, 0} {
		if n, err := s.Sweep(t.Context()); err != nil || n != want {
			t.Errorf("%d deleted, %v; want %d", n, err, want)
		}
	}
	left, err := runs.List(t.Context(), "", "", 1000)
	if err != nil || len(left) != 99+1+2+1+101 {
		t.Errorf("%d are left, %v", len(left), err)
	}
	for _, r := range left {
		if r.ID == "busy, too old" || r.ID == "busy, too old as well" {
			t.Errorf("%s is left", r.ID)
		}
	}
	if of, err := runs.List(t.Context(), "busy", "", 1000); err != nil || len(of) != 102 {
		t.Errorf("%d of busy are left, %v", len(of), err)
	}
	if active, err := runs.Active(t.Context()); err != nil || len(active) != 1 || active[0].ID != "busy, never ended" {
		t.Errorf("active %+v, %v", active, err)
	}
}

func TestARuleKeepsWhatReportsAndSchedulesNeed(t *testing.T) {
	for _, c := range []struct {
		name string
		rule history.Rule
		ok   bool
	}{
		{"the defaults", history.Rule{}, true},
		{"the least", history.Rule{Keep: 100, OlderThan: release.Duration(15 * 24 * time.Hour)}, true},
		{"too few", history.Rule{Keep: 99}, false},
		{"fewer than none", history.Rule{Keep: -1}, false},
		{"too young", history.Rule{OlderThan: release.Duration(14 * 24 * time.Hour)}, false},
		{"in the future", history.Rule{OlderThan: release.Duration(-time.Hour)}, false},
	} {
		if err := c.rule.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
