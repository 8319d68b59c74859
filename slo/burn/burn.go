// Package burn is the arithmetic of error budgets: how fast one is spent, what is left,
// when that matters, and how many events it takes to say so.
//
// Start at Target for the budget, Pairs for the alerts and Judge for the claim that little
// traffic allows. Everything in it is pure; it asks nobody and never calls few events proof.
package burn

import (
	"math"
	"time"
)

// Target is the share of events that has to be good: 0.999, exclusive of 0 and 1.
type Target float64

// Budget is the share of events that may be bad.
func (t Target) Budget() float64 { return 1 - float64(t) }

// Events are those of one window.
type Events struct {
	Bad, Total float64
}

// ErrorRatio is the share of bad events; NaN without events.
func (e Events) ErrorRatio() float64 {
	if !(e.Total > 0) {
		return math.NaN()
	}
	return e.Bad / e.Total
}

// Add is what both windows hold together: events are added, ratios never are.
func (e Events) Add(o Events) Events { return Events{e.Bad + o.Bad, e.Total + o.Total} }

// Rate is how many times faster than the target allows the budget is spent: at 1 it lasts
// exactly the period. NaN without events.
func Rate(e Events, t Target) float64 { return e.ErrorRatio() / t.Budget() }

// Spent is the share of the budget of period that a rate uses up in window.
func Spent(rate float64, window, period time.Duration) float64 {
	return rate * float64(window) / float64(period)
}

// Remaining is the share of the budget that is left after the events of a whole period: 1
// when none was bad, negative when overspent.
func Remaining(whole Events, t Target) float64 { return 1 - Rate(whole, t) }

// Never is the time to exhaustion of a budget that nothing spends.
const Never = time.Duration(math.MaxInt64)

// Exhausted is how long remaining lasts when the budget of period goes on being spent at
// rate: zero when nothing is left, Never when nothing is spent or the rate is not known.
func Exhausted(remaining, rate float64, period time.Duration) time.Duration {
	switch {
	case remaining <= 0:
		return 0
	case !(rate > 0):
		return Never
	}
	lasts := remaining / rate * float64(period)
	if !(lasts < float64(Never)) {
		return Never
	}
	return time.Duration(lasts)
}
