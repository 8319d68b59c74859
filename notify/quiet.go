package notify

import (
	"time"

	"github.com/seatrial/seatrial/release"
)

// heldBack is when a channel's quiet hours let go of an event that came in them; zero: it
// is told at once, because nobody sleeps, or because somebody has to wake up.
func heldBack(q *release.QuietHours, e release.Event) time.Time {
	if q == nil || severity(e) == "critical" {
		return time.Time{}
	}
	zone, err := time.LoadLocation(q.TimeZone)
	if err != nil {
		return time.Time{} // the platform repo was checked: rather too early than never
	}
	from, errFrom := release.ParseClock(q.From)
	until, errUntil := release.ParseClock(q.Until)
	if errFrom != nil || errUntil != nil {
		return time.Time{}
	}
	at := e.At.In(zone)
	clock, day := sinceMidnight(at), at.Day()
	switch {
	case from < until && clock >= from && clock < until, from > until && clock < until:
	case from > until && clock >= from:
		day++ // they end tomorrow
	default:
		return time.Time{}
	}
	end := time.Date(at.Year(), at.Month(), day, int(until/time.Hour), int(until%time.Hour/time.Minute), 0, 0, zone)
	if early := (until - sinceMidnight(end) + 24*time.Hour) % (24 * time.Hour); early < 12*time.Hour {
		end = end.Add(early) // the clocks skip that time
	}
	if !end.After(at) { // it comes twice
		end = at.Add(until - clock)
	}
	return end
}

func sinceMidnight(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
}
