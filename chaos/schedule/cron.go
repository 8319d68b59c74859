package schedule

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/seatrial/seatrial/release"
)

// Schedule is a parsed release.ScheduleSpec.
type Schedule struct {
	schedule         cron.Schedule
	jitter, deadline time.Duration
	skip             bool   // what was missed
	key              string // what the jitter is of
}

// ParseSchedule reads five fields, six with seconds first, or "@every 1h", in a time zone.
func ParseSchedule(spec release.ScheduleSpec) (Schedule, error) {
	zone := time.UTC
	if spec.TimeZone != "" {
		var err error
		if zone, err = time.LoadLocation(spec.TimeZone); err != nil {
			return Schedule{}, fmt.Errorf("time zone %q: %w", spec.TimeZone, err)
		}
	}
	if strings.Contains(spec.Cron, "TZ=") { // the library reads a zone there as well, and panics at half of one
		return Schedule{}, fmt.Errorf("schedule %q: write the time zone under timeZone", spec.Cron)
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	s, err := parser.Parse(spec.Cron)
	if err != nil {
		return Schedule{}, fmt.Errorf("schedule %q: %w", spec.Cron, err)
	}
	if fields, ok := s.(*cron.SpecSchedule); ok {
		fields.Location = zone
	}
	return Schedule{schedule: s, jitter: spec.Jitter.Std(), deadline: spec.StartingDeadline.Std(), skip: spec.Missed == release.MissedSkip}, nil
}

// passed is the latest time of the schedule after last and not after now; zero when there
// is none.
func (s Schedule) passed(last, now time.Time) time.Time {
	if every, ok := s.schedule.(cron.ConstantDelaySchedule); ok { // counts from last, so that it does not drift
		n := now.Sub(last) / every.Delay
		if n < 1 {
			return time.Time{}
		}
		return last.Add(n * every.Delay)
	}
	first := s.schedule.Next(last)
	if first.IsZero() || first.After(now) {
		return time.Time{}
	}
	// Look back no further than needed: a schedule of every second that was missed for a
	// year has thirty million times, and only the last one matters.
	for _, back := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 31 * 24 * time.Hour} {
		if from := now.Add(-back); from.After(last) {
			if t := s.schedule.Next(from); !t.IsZero() && !t.After(now) {
				return s.lastFrom(t, now)
			}
		}
	}
	return s.lastFrom(first, now)
}

func (s Schedule) lastFrom(t, now time.Time) time.Time {
	for {
		next := s.schedule.Next(t)
		if next.IsZero() || next.After(now) {
			return t
		}
		t = next
	}
}
