// Package timeslices counts time instead of events: a period is cut into slices, each slice
// has its share of good, and the slices are what the budget is made of.
//
// Start at Slices. Count says what is counted; Good and Total say the same in PromQL, for
// windows too long to be fetched. It never asks anybody.
package timeslices

import (
	"math"
	"strconv"
	"time"
)

// Slices is how time is cut. A slice without a share, because nothing happened in it or
// nobody measured, is not counted.
type Slices struct {
	Size   time.Duration // whole seconds
	Target float64       // share of good in a slice that makes it a good one; 0: its share is counted as it is
}

// Count is how many of the slices with these shares are good, and of how many.
func (s Slices) Count(shares []float64) (good, total float64) {
	for _, share := range shares {
		switch {
		case math.IsNaN(share):
			continue
		case s.Target == 0:
			good += share
		case share >= s.Target:
			good++
		}
		total++
	}
	return good, total
}

// Good is PromQL that counts what is good of the slices that end within span; share is
// that of the slice before a moment.
func (s Slices) Good(share, span string) string {
	if s.Target == 0 {
		return "sum(sum_over_time((" + share + " <= Inf)" + s.steps(span) + "))"
	}
	return "sum(count_over_time((" + share + " >= " + strconv.FormatFloat(s.Target, 'g', -1, 64) + ")" + s.steps(span) + "))"
}

// Total is PromQL that counts the slices that end within span.
func (s Slices) Total(share, span string) string {
	return "sum(count_over_time((" + share + " <= Inf)" + s.steps(span) + "))" // what is no number is left out
}

func (s Slices) steps(span string) string { return "[" + span + ":" + seconds(s.Size) + "]" }

func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }

// Span is where slices end that are wholly in a window; never shorter than a slice, so
// that it always holds one: a window of less than two may see a slice that began before it.
func (s Slices) Span(window time.Duration) time.Duration {
	return max(window-s.Size+time.Second, s.Size)
}

// Share is PromQL for the share of good among total, of which good or bad is counted. A
// counter that never counted has no series: where there is a total, that is zero. Counts are
// extrapolated, and so a little above all of them is all: more than that would make up for what
// was bad elsewhere. By a half it cannot be: the two do not belong together, and there is no share.
func Share(good, bad, total string) string {
	share := "(sum(" + good + ") or vector(0)) / (sum(" + total + ") > 0)"
	if bad != "" {
		share = "1 - (sum(" + bad + ") or vector(0)) / (sum(" + total + ") > 0)"
	}
	return "clamp(" + share + " <= 1.5 >= -0.5, 0, 1)"
}
