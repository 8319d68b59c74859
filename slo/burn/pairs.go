package burn

import (
	"strconv"
	"time"
)

// Severity is who is called.
type Severity int

const (
	Unknown Severity = iota
	Page             // a person now
	Ticket           // a person in working hours
)

func (s Severity) String() string {
	switch s {
	case Page:
		return "page"
	case Ticket:
		return "ticket"
	}
	return "unknown"
}

// Pair is two windows that have to burn at once: the long one says that it matters, the
// short one that it still goes on.
type Pair struct {
	Severity    Severity
	Long, Short time.Duration
	Rate        float64 // calls when both windows are strictly above it
}

const day = 24 * time.Hour

// shareOfHour of the period's budget may go in an hour before the first pair calls.
const shareOfHour = 0.02

// Paging is the rate at which the budget of a period burns so fast that the first of the
// usual pairs calls.
func Paging(period time.Duration) float64 { return max(1, shareOfHour*period.Hours()) }

// Pairs are the usual four for an SLO of any period, the fastest first. Each calls when its
// share of the period's budget would be gone after the long window. Pairs whose long window
// is not shorter than the period are left out: they would watch more than is promised. Of a
// period of less than four weeks some shares are so small that they go while the target is
// met: there nobody is called below a rate of 1.
func Pairs(period time.Duration) []Pair {
	usual := []struct {
		Pair
		share float64 // of the budget
	}{
		{Pair{Severity: Page, Long: time.Hour, Short: 5 * time.Minute}, shareOfHour},
		{Pair{Severity: Page, Long: 6 * time.Hour, Short: 30 * time.Minute}, 0.05},
		{Pair{Severity: Ticket, Long: day, Short: 2 * time.Hour}, 0.10},
		{Pair{Severity: Ticket, Long: 3 * day, Short: 6 * time.Hour}, 0.10},
	}
	var pairs []Pair
	for _, u := range usual {
		if u.Long < period {
			u.Rate = u.share * float64(period) / float64(u.Long)
			if period < 28*day {
				u.Rate = max(1, u.Rate)
			}
			pairs = append(pairs, u.Pair)
		}
	}
	return pairs
}

// Possible reports whether a target leaves room for the pair's rate: with one event in ten
// allowed to fail, nothing burns 14.4 times faster.
func (p Pair) Possible(t Target) bool { return p.Rate*t.Budget() < 1 }

// Calls reports whether both windows burn faster than the pair allows. Without events in
// either it does not.
func (p Pair) Calls(long, short Events, t Target) bool {
	return Rate(long, t) > p.Rate && Rate(short, t) > p.Rate
}

// FoundAfter is how long a failure that turns errors into the share `ratio` of all events,
// after none, takes to be seen by the pair, without the times of scrapes and evaluations.
// Never when it is too small.
func (p Pair) FoundAfter(ratio float64, t Target) time.Duration {
	limit := p.Rate * t.Budget()
	if !(ratio > limit) {
		return Never
	}
	return time.Duration(limit / ratio * float64(p.Long))
}

// Span is the length of a window as Prometheus writes it, in one unit: "5m", "90m", "30d".
func Span(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= unit.length && d%unit.length == 0 {
			return strconv.FormatInt(int64(d/unit.length), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(max(1, d/time.Second)), 10) + "s"
}
