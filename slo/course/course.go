// Package course follows an error budget through its window: what is left of it now, and
// how that came about.
//
// Start at Follow, which asks for the events of each piece of the window, then Points, the
// pure sum over them. It never draws what could not be asked, and a piece without events
// is a gap and no zero.
package course

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
)

const (
	most     = 300             // points of a course
	shortest = 3 * time.Minute // piece of a window: room for three scrapes a minute apart
)

// Asks answers questions to Prometheus: *source.Prometheus.
type Asks interface {
	Ask(ctx context.Context, name, expr string, at time.Time) (release.Query, error)
	AskRange(ctx context.Context, name, expr string, from, to time.Time, every time.Duration) (release.Query, error)
}

// Piece is the events of one piece of a window. One of which nothing is known has no Events.
type Piece struct {
	At     time.Time // its end
	Events *burn.Events
}

// Point is how a budget was doing at a moment; nil is not known.
type Point struct {
	At        time.Time
	Burn      *float64 // in the piece that ends here
	Remaining *float64 // of the budget of the whole window that ends here, 1 at first, negative when overspent
}

// Course is the way of one SLO on one cluster.
type Course struct {
	From, To time.Time
	Step     time.Duration
	Points   []Point
	Known    float64 // share of the pieces between From and To with events, 0 to 1
	Queries  []release.Query
}

// Left is how much of an SLO's error budget is left on a cluster over the whole window that
// ends at the full minute before now; nil when Prometheus has no numbers.
func Left(ctx context.Context, ask Asks, o openslo.SLO, cluster string, now time.Time) (*float64, error) {
	at := now.Truncate(time.Minute)
	first, numerator := o.Counted()
	window := at.Sub(o.Begin(at))
	some, err := ask.Ask(ctx, first, numerator.Fill(cluster, window), at)
	if err != nil {
		return nil, fmt.Errorf("slo %s on %s: %w", o.Name, cluster, err)
	}
	total, err := ask.Ask(ctx, "total", o.Total.Fill(cluster, window), at)
	if err != nil {
		return nil, fmt.Errorf("slo %s on %s: %w", o.Name, cluster, err)
	}
	e := events(some, sum(some.Samples, nil), sum(total.Samples, nil))
	if e == nil || !(e.Total > 0) {
		return nil, nil
	}
	left := burn.Remaining(*e, burn.Target(o.Objective))
	return &left, nil
}

// Follow asks for an SLO's events on a cluster in two questions. Each point's window lies
// before it, so twice the window is asked for.
func Follow(ctx context.Context, ask Asks, o openslo.SLO, cluster string, now time.Time) (Course, error) {
	to := now.Truncate(time.Minute)
	c := Course{To: to, From: to.Add(-o.Window), Step: Step(o.Window, o.Every)}
	n := int(o.Window / c.Step)
	earliest := to.Add(-c.Step * time.Duration(n-1)) // point
	older := max(0, int((earliest.Sub(o.Begin(earliest))+c.Step-1)/c.Step)-1)
	begin := earliest.Add(-c.Step * time.Duration(older))
	first, numerator := o.Counted()
	some, err := ask.AskRange(ctx, first, numerator.Fill(cluster, c.Step), begin, to, c.Step)
	if err != nil {
		return c, fmt.Errorf("slo %s on %s: %w", o.Name, cluster, err)
	}
	total, err := ask.AskRange(ctx, "total", o.Total.Fill(cluster, c.Step), begin, to, c.Step)
	if err != nil {
		return c, fmt.Errorf("slo %s on %s: %w", o.Name, cluster, err)
	}
	pieces := Pieces(some, total, begin, c.Step, older+n)
	c.Points = Points(pieces, older, o.Begin, burn.Target(o.Objective))
	for _, p := range pieces[older:] {
		if p.Events != nil && p.Events.Total > 0 {
			c.Known += 1 / float64(n)
		}
	}
	some.Samples, total.Samples = nil, nil
	c.Queries = []release.Query{some, total}
	return c, nil
}

// Step is the length of a piece of a window, in whole seconds: at most 300 of them are drawn.
// Where time is counted, every is the size of a slice or the time between two looks: a
// piece holds whole ones of them, at least three.
func Step(window, every time.Duration) time.Duration {
	step := max((window/most + time.Second - 1).Truncate(time.Second), shortest, 3*every)
	if every > 0 {
		step = (step + every - 1) / every * every
	}
	return min(step, max(window, time.Second))
}

// Pieces are n pieces of equal length, the first of which ends at begin. A piece is known
// when the total has a sample at its end: no series of bad events means that none was
// counted.
func Pieces(some, total release.Query, begin time.Time, step time.Duration, n int) []Piece {
	sums, totals := byTime(some.Samples), byTime(total.Samples)
	pieces := make([]Piece, n)
	for i := range pieces {
		at := begin.Add(step * time.Duration(i)).UTC()
		pieces[i] = Piece{At: at, Events: events(some, sums[at.UnixMilli()], totals[at.UnixMilli()])}
	}
	return pieces
}

// Points are those of the pieces from number first on, each with the sum of the pieces of
// the window that ends with it. What is older than Prometheus remembers is left out of the
// sum, as it is left out of the answer for the whole window.
func Points(pieces []Piece, first int, begun func(time.Time) time.Time, t burn.Target) []Point {
	var points []Point
	for i := first; i < len(pieces); i++ {
		p, from, whole := pieces[i], begun(pieces[i].At), burn.Events{}
		for j := i; j >= 0 && pieces[j].At.After(from); j-- {
			if e := pieces[j].Events; e != nil {
				whole = whole.Add(*e)
			}
		}
		point := Point{At: p.At}
		if p.Events != nil && p.Events.Total > 0 {
			rate := burn.Rate(*p.Events, t)
			point.Burn = &rate
		}
		if whole.Total > 0 {
			left := burn.Remaining(whole, t)
			point.Remaining = &left
		}
		points = append(points, point)
	}
	return points
}

// events are those of one moment; nil when they are not known, or are no counts.
func events(some release.Query, numerator, total *float64) *burn.Events {
	if total == nil || !count(*total) || (numerator != nil && !count(*numerator)) {
		return nil
	}
	first := 0.0
	if numerator != nil {
		first = *numerator
	}
	if some.Name == "bad" {
		return &burn.Events{Bad: min(first, *total), Total: *total}
	}
	return &burn.Events{Bad: max(0, *total-first), Total: *total}
}

func count(f float64) bool { return f >= 0 && !math.IsInf(f, 0) }

func byTime(samples []release.Sample) map[int64]*float64 {
	sums := map[int64]*float64{}
	for _, s := range samples {
		sums[s.Time.UnixMilli()] = sum([]release.Sample{s}, sums[s.Time.UnixMilli()])
	}
	return sums
}

func sum(samples []release.Sample, before *float64) *float64 {
	for _, s := range samples {
		v := s.Value
		if before != nil {
			v += *before
		}
		before = &v
	}
	return before
}
