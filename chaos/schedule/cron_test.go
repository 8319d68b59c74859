package schedule_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

func TestDue(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.DateTime, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	tests := []struct {
		name, cron, zone string
		last, now, want  string // want empty: nothing is due
	}{
		{"before its time nothing is due", "0 9 * * *", "", "2026-11-22 09:00:00", "2026-11-23 08:59:59", ""},
		{"at its time it is", "0 9 * * *", "", "2026-11-22 09:00:00", "2026-11-23 09:00:00", "2026-11-23 09:00:00"},
		{"of many missed only the latest", "0 9 * * *", "", "2026-11-01 09:00:00", "2026-11-23 12:00:00", "2026-11-23 09:00:00"},
		{"of a year of seconds too", "* * * * * *", "", "2025-11-23 09:00:00", "2026-11-23 12:00:00", "2026-11-23 12:00:00"},
		{"once a month, missed last week", "0 9 15 * *", "", "2026-10-15 09:00:00", "2026-11-23 12:00:00", "2026-11-15 09:00:00"},
		{"every hour from the last time, without drift", "@every 1h", "", "2026-11-23 09:00:07", "2026-11-23 11:30:00", "2026-11-23 11:00:07"},
		{"in its own time zone", "0 9 * * *", "Asia/Shanghai", "2026-11-22 01:00:00", "2026-11-23 01:00:00", "2026-11-23 01:00:00"},
		{"never", "0 9 30 2 *", "", "2026-11-22 01:00:00", "2026-11-23 01:00:00", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := schedule.ParseSchedule(release.ScheduleSpec{Cron: tt.cron, TimeZone: tt.zone})
			if err != nil {
				t.Fatal(err)
			}
			got := s.Due(at(tt.last), at(tt.now))
			if tt.want == "" && !got.IsZero() || tt.want != "" && !got.Equal(at(tt.want)) {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

func TestParseScheduleRefuses(t *testing.T) {
	for name, spec := range map[string]release.ScheduleSpec{
		"four fields":        {Cron: "0 9 * *"},
		"nothing":            {},
		"an unknown zone":    {Cron: "0 9 * * *", TimeZone: "Asia/Nowhere"},
		"a minute of 61":     {Cron: "61 9 * * *"},
		"a zone in the cron": {Cron: "@every soon"},
	} {
		if _, err := schedule.ParseSchedule(spec); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
