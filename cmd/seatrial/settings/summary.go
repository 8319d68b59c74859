package settings

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

// Summary says when projects are told what their experiments of a week have shown.
type Summary struct {
	Day      string `json:"day"`                // "monday"
	At       string `json:"at"`                 // "09:00"
	TimeZone string `json:"timeZone,omitempty"` // default UTC
}

// Schedule is when; nil: never.
func (s Summary) Schedule() (*schedule.Schedule, error) {
	if s == (Summary{}) {
		return nil, nil
	}
	var days []string
	for d := time.Sunday; d <= time.Saturday; d++ {
		days = append(days, strings.ToLower(d.String()))
	}
	day := slices.Index(days, s.Day)
	if day < 0 {
		return nil, fmt.Errorf("day: %q: want one of %s", s.Day, strings.Join(days, ", "))
	}
	at, err := release.ParseClock(s.At)
	if err != nil {
		return nil, fmt.Errorf("at: %w", err)
	}
	w, err := schedule.ParseSchedule(release.ScheduleSpec{Cron: fmt.Sprintf("%d %d * * %d", int(at.Minutes())%60, int(at.Hours()), day), TimeZone: s.TimeZone})
	if err != nil {
		return nil, err
	}
	return &w, nil
}
