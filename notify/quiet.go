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
	clock := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	day := at.Day()
	switch {
	case from < until && clock >= from && clock < until, from > until && clock < until:
	case from > until && clock >= from:
		day++ // they end tomorrow
	default:
		return time.Time{}
	}
	return time.Date(at.Year(), at.Month(), day, int(until/time.Hour), int(until%time.Hour/time.Minute), 0, 0, zone)
}
