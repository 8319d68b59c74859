package notify_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

// The time at which they end is skipped, or comes twice, in the night in which the clocks
// change: nobody is woken for that.
func TestQuietHoursEndOnceInTheNightInWhichTheClocksChange(t *testing.T) {
	for _, c := range []struct{ zone, until, at, due string }{
		{"America/New_York", "02:30", "2026-03-08T00:10:00-05:00", "2026-03-08T03:30:00-04:00"},
		{"America/New_York", "02:30", "2026-03-08T01:45:00-05:00", "2026-03-08T03:30:00-04:00"},
		{"Europe/Berlin", "02:30", "2026-03-29T01:45:00+01:00", "2026-03-29T03:30:00+02:00"},
		{"Asia/Beirut", "00:30", "2026-03-28T23:45:00+02:00", "2026-03-29T01:30:00+03:00"},
		{"America/New_York", "01:30", "2026-11-01T01:15:00-05:00", "2026-11-01T01:30:00-05:00"},
		{"America/New_York", "01:30", "2026-11-01T00:15:00-04:00", "2026-11-01T01:30:00-04:00"},
	} {
		ch := channel("wecom", "ops", "en", release.EventFailed)
		ch.Spec.Quiet = &release.QuietHours{From: "22:00", Until: c.until, TimeZone: c.zone}
		at, _ := time.Parse(time.RFC3339, c.at)
		due, _ := time.Parse(time.RFC3339, c.due)
		got := notify.Plan(release.Event{ID: "e", Kind: release.EventFailed, At: at}, release.Project{Spec: release.ProjectSpec{Channels: []string{"ops"}}}, map[string]release.Channel{"ops": ch})
		if len(got) != 1 || !got[0].Due.Equal(due) {
			t.Errorf("%s at %s: %+v, want it due %s", c.zone, c.at, got, due)
		}
	}
}

func TestQuietHoursHoldBackWhatNobodyHasToWakeUpFor(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		got, err := time.ParseInLocation(time.DateTime, text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return got.UTC()
	}
	night, noon := &release.QuietHours{From: "22:00", Until: "07:30", TimeZone: "Europe/Berlin"}, &release.QuietHours{From: "12:00", Until: "13:00", TimeZone: "Europe/Berlin"}
	for _, c := range []struct {
		name  string
		quiet *release.QuietHours
		kind  release.EventKind
		at    string
		due   string // "": at once
	}{
		{"nobody sleeps", nil, release.EventFailed, "2026-11-26 23:00:00", ""},
		{"before they begin", night, release.EventFailed, "2026-11-26 21:59:59", ""},
		{"in the evening, until tomorrow", night, release.EventFailed, "2026-11-30 22:00:00", "2026-12-01 07:30:00"},
		{"after midnight, until today", night, release.EventVerified, "2026-11-26 00:10:00", "2026-11-26 07:30:00"},
		{"when they end", night, release.EventFailed, "2026-11-26 07:30:00", ""},
		{"within a day", noon, release.EventFailed, "2026-11-26 12:30:00", "2026-11-26 13:00:00"},
		{"through the night in which the clocks change", night, release.EventFailed, "2026-10-24 23:00:00", "2026-10-25 07:30:00"},
		{"a person is needed", night, release.EventHeld, "2026-11-26 23:00:00", ""},
		{"an SLO breaks", night, release.EventBreach, "2026-11-26 23:00:00", ""},
		{"and is whole again", night, release.EventRecovered, "2026-11-26 23:00:00", "2026-11-27 07:30:00"},
	} {
		ch := channel("wecom", "ops", "en", c.kind)
		ch.Spec.Quiet = c.quiet
		e := release.Event{ID: "e", Kind: c.kind, At: at(c.at), Service: "shop/web"}
		got := notify.Plan(e, release.Project{Spec: release.ProjectSpec{Channels: []string{"ops"}}}, map[string]release.Channel{"ops": ch})
		if len(got) != 1 || c.due == "" && !got[0].Due.IsZero() || c.due != "" && !got[0].Due.Equal(at(c.due)) {
			t.Errorf("%s: %+v, want it due %q", c.name, got, c.due)
		}
	}
}
