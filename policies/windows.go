package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Open says whether an environment may change now. When it may not, next is when it
// opens, in the window's time zone; when it may, next is when it closes, or zero when it
// does not close within a week. Without windows it is always open.
//
// A clock time that a change to summer time leaves out means the moment of the change;
// one that comes twice means its first coming.
func Open(windows []release.Window, now time.Time) (open bool, next time.Time, err error) {
	if len(windows) == 0 {
		return true, time.Time{}, nil
	}
	var all []span
	for _, w := range windows {
		p, err := parseWindow(w)
		if err != nil {
			return false, time.Time{}, err
		}
		all = append(all, p.around(now)...)
	}
	for _, s := range merge(all) {
		switch {
		case s.open.After(now):
			return false, s.open, nil
		case s.shut.After(now.AddDate(0, 0, 7)):
			return true, time.Time{}, nil
		case s.shut.After(now):
			return true, s.shut, nil
		}
	}
	return false, time.Time{}, fmt.Errorf("windows %s: none opens within a week", describe(windows))
}

// span is from open until just before shut.
type span struct{ open, shut time.Time }

// merge joins spans that touch or overlap, in order.
func merge(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return a.open.Compare(b.open) })
	var out []span
	for _, s := range all {
		if last := len(out) - 1; last >= 0 && !s.open.After(out[last].shut) {
			if s.shut.After(out[last].shut) {
				out[last].shut = s.shut
			}
			continue
		}
		if s.shut.After(s.open) {
			out = append(out, s)
		}
	}
	return out
}

// weekly is a window after parsing.
type weekly struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes of the day; to is above 1440 when it ends on the next day
	zone     *time.Location
}

var dayNames = [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

func parseWindow(w release.Window) (weekly, error) {
	var p weekly
	bad := func(why string) (weekly, error) {
		return weekly{}, hint.Add(fmt.Errorf("window %q: %s", w.Allow, why), `write it like "Mon-Fri 09:00-18:00", "Sat,Sun 10:00-12:00" or "22:00-06:00"`)
	}
	zone := w.TimeZone
	if zone == "" {
		zone = "UTC"
	}
	loc, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return bad(fmt.Sprintf("time zone %q is not known", w.TimeZone))
	}
	p.zone = loc
	fields := strings.Fields(w.Allow)
	switch len(fields) {
	case 1:
		p.days = [7]bool{true, true, true, true, true, true, true}
	case 2:
		if err := p.setDays(fields[0]); err != nil {
			return bad(err.Error())
		}
	default:
		return bad("want days and hours")
	}
	from, to, ok := strings.Cut(fields[len(fields)-1], "-")
	if !ok {
		return bad("want hours from-to")
	}
	if p.from, err = minutes(from); err != nil || p.from == 24*60 {
		return bad(fmt.Sprintf("%q is not a time of day", from))
	}
	if p.to, err = minutes(to); err != nil {
		return bad(fmt.Sprintf("%q is not a time of day", to))
	}
	if p.from == p.to {
		return bad("it opens and closes at the same time")
	}
	if p.to < p.from {
		p.to += 24 * 60
	}
	return p, nil
}

func (p *weekly) setDays(list string) error {
	for _, part := range strings.Split(list, ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		first, last := slices.Index(dayNames[:], from), slices.Index(dayNames[:], to)
		if first < 0 || last < 0 {
			return fmt.Errorf("%q is not a day or a range of days", part)
		}
		for d := first; ; d = (d + 1) % 7 {
			p.days[d] = true
			if d == last {
				break
			}
		}
	}
	return nil
}

func minutes(clock string) (int, error) {
	h, m, ok := strings.Cut(clock, ":")
	if !ok || len(h) != 2 || len(m) != 2 {
		return 0, strconv.ErrSyntax
	}
	hour, err := strconv.ParseUint(h, 10, 8)
	if err != nil {
		return 0, err
	}
	minute, err := strconv.ParseUint(m, 10, 8)
	if err != nil || minute > 59 || hour*60+minute > 24*60 {
		return 0, strconv.ErrRange
	}
	return int(hour*60 + minute), nil
}

// around lists the window's spans from two days before now to nine days after it.
func (p weekly) around(now time.Time) []span {
	var out []span
	year, month, day := now.In(p.zone).Date()
	for offset := -2; offset <= 9; offset++ {
		noon := time.Date(year, month, day+offset, 12, 0, 0, 0, p.zone)
		if p.days[noon.Weekday()] {
			out = append(out, span{open: p.at(noon, p.from), shut: p.at(noon, p.to)})
		}
	}
	return out
}

// at is the moment when clocks in the zone show minute of noon's day. time.Date leaves
// open which one that is when the clocks change, so it is settled here.
func (p weekly) at(noon time.Time, minute int) time.Time {
	year, month, day := noon.Date()
	t := time.Date(year, month, day, 0, minute, 0, 0, p.zone)
	begun, ends := t.ZoneBounds()
	if t.Hour()*60+t.Minute() != minute%(24*60) { // a time that is left out that day
		if !ends.IsZero() && ends.Sub(t) < t.Sub(begun) {
			return ends.In(p.zone)
		}
		return begun.In(p.zone)
	}
	if begun.IsZero() {
		return t
	}
	_, now := t.Zone()
	_, before := begun.Add(-time.Second).Zone()
	if first := t.Add(time.Duration(now-before) * time.Second); now < before && first.Before(begun) {
		return first
	}
	return t
}

// outside says in words that no window is open and when one will be.
func outside(windows []release.Window, next time.Time) string {
	return fmt.Sprintf("outside the window %s, opens %s %s", describe(windows), next.Format("Mon 15:04"), next.Location())
}

func describe(windows []release.Window) string {
	var all []string
	for _, w := range windows {
		all = append(all, strings.TrimSpace(w.Allow+" "+w.TimeZone))
	}
	return strings.Join(all, " or ")
}
