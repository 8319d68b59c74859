// Package calendar says when the periods of a calendar begin: months that end on the last
// day there is, days that are 23 hours long.
//
// Start at Window.Begin. It is pure; it never looks at a clock.
package calendar

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Unit is what a period is counted in, as OpenSLO writes it.
type Unit byte

// The units there are.
const (
	Minute  Unit = 'm'
	Hour    Unit = 'h'
	Day     Unit = 'd'
	Week    Unit = 'w'
	Month   Unit = 'M'
	Quarter Unit = 'Q'
	Year    Unit = 'Y'
)

const day = 24 * time.Hour

var nominal = map[Unit]time.Duration{
	Minute: time.Minute, Hour: time.Hour, Day: day, Week: 7 * day, Month: 30 * day, Quarter: 91 * day, Year: 365 * day,
}

// Length is a number of units: 28d, 1M.
type Length struct {
	Count int
	Unit  Unit
}

const longest = 10 * 366 * day

// ParseLength reads "28d". Nobody keeps metrics for more than ten years.
func ParseLength(s string) (Length, error) {
	if len(s) > 1 {
		n, err := strconv.Atoi(s[:len(s)-1])
		l := Length{n, Unit(s[len(s)-1])}
		if each := nominal[l.Unit]; err == nil && s[0] != '+' && each > 0 && n > 0 && n <= int(longest/each) {
			return l, nil
		}
	}
	return Length{}, fmt.Errorf("%q: want a number and m, h, d, w, M, Q or Y, such as 28d, of at most ten years", s)
}

func (l Length) String() string { return strconv.Itoa(l.Count) + string(l.Unit) }

// Fixed reports whether every such period is equally long: months, quarters and years are not.
func (l Length) Fixed() bool { return !slices.Contains([]Unit{Month, Quarter, Year}, l.Unit) }

// Nominal is how long it is when a month is 30 days, a quarter 91 and a year 365.
func (l Length) Nominal() time.Duration { return time.Duration(l.Count) * nominal[l.Unit] }

// Window is a period after the other, without a gap, from Start on and before it.
type Window struct {
	Start  time.Time // its zone is that of the calendar
	Length Length
}

// Begin is when the period that at is in began.
func (w Window) Begin(at time.Time) time.Time {
	k := w.number(at)
	return w.border(k)
}

// End is when the period that at is in ends and the next one begins.
func (w Window) End(at time.Time) time.Time { return w.border(w.number(at) + 1) }

// number is which period at is in; the one that begins at Start is 0.
func (w Window) number(at time.Time) int {
	k := int(at.Sub(w.Start) / w.Length.Nominal())
	for w.border(k).After(at) {
		k--
	}
	for !w.border(k + 1).After(at) {
		k++
	}
	return k
}

// border is the beginning of a period. It is counted from Start, not from the one before:
// what began on the 31st ends a February on its last day, and a March on the 31st again.
func (w Window) border(k int) time.Time {
	n := k * w.Length.Count
	y, m, d := w.Start.Date()
	date := func(y int, m time.Month, d int) time.Time {
		return time.Date(y, m, d, w.Start.Hour(), w.Start.Minute(), w.Start.Second(), 0, w.Start.Location())
	}
	switch w.Length.Unit {
	case Day:
		return date(y, m, d+n)
	case Week:
		return date(y, m, d+7*n)
	case Quarter:
		n *= 3
	case Year:
		n *= 12
	case Month:
	default:
		return w.Start.Add(time.Duration(n) * nominal[w.Length.Unit])
	}
	first := time.Date(y, m+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return date(first.Year(), first.Month(), min(d, last))
}

// Parse reads OpenSLO's calendar: a moment without a zone, and the zone's name.
func Parse(start, zone string) (time.Time, error) {
	if zone == "" || zone == "Local" {
		return time.Time{}, fmt.Errorf("timeZone %q: want the name of a time zone, such as Europe/Berlin or UTC", zone)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("timeZone %q: want the name of a time zone, such as Europe/Berlin or UTC", zone)
	}
	at, err := time.ParseInLocation(time.DateTime, start, location)
	if err != nil || at.Year() < 1970 || at.Year() > 2200 {
		return time.Time{}, fmt.Errorf("startTime %q: want a moment such as 2026-01-01 00:00:00", start)
	}
	return at, nil
}
