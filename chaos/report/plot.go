package report

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/seatrial/seatrial/internal/chance"
)

// The size of a plot in its own units, and of the field inside of its labels.
const (
	plotWidth, plotHeight = 720, 220
	left, right           = 70, 650
	top, bottom           = 24, 172
	cutWidth              = 26 // of a gap that is cut out of the time axis
)

// plot is the drawing of one SLO: each window a bar at its share, from its beginning to its
// end, with the interval the true share is in and the line of how it came about; the
// fault's time is shaded.
type plot struct {
	Label     string
	Fault     *box
	Shaded    string // what the shaded time is
	Windows   []bar
	Objective float64 // y; 0: none
	Target    string
	Recovered float64 // x; 0: none
	Pieces    []box
	Cuts      []float64 // x where time was cut out
	Shares    []tick
	Times     []tick
}

type box struct{ X, Y, W, H float64 }

// bar is a window.
type bar struct {
	X1, X2, Y      float64
	YLow, YHigh, M float64 // the interval, drawn at M; YLow 0: none
	Class, Text    string
	Way            string // points of the line through the window; empty: not recorded
	TextX, TextY   float64
}

type tick struct {
	At   float64
	Text string
}

// axis maps time to x. Long gaps are cut out: what lies between is drawn as a cut.
type axis struct {
	spans []span
	scale float64 // units a second
}

type span struct {
	from, to time.Time
	x        float64
}

// newAxis shows every span; those that lie further apart than a third of what is shown are
// cut apart.
func newAxis(spans []span) axis {
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	shown := time.Duration(0)
	for _, s := range spans {
		shown += s.to.Sub(s.from)
	}
	var a axis
	for _, s := range spans {
		n := len(a.spans)
		if n > 0 && s.from.Sub(a.spans[n-1].to) <= shown/3 {
			if s.to.After(a.spans[n-1].to) {
				a.spans[n-1].to = s.to
			}
			continue
		}
		a.spans = append(a.spans, s)
	}
	total := 0.0
	for _, s := range a.spans {
		total += s.to.Sub(s.from).Seconds()
	}
	a.scale = (right - left - float64(cutWidth*(len(a.spans)-1))) / max(total, 1e-3)
	x := float64(left)
	for i := range a.spans {
		a.spans[i].x = x
		x += a.spans[i].to.Sub(a.spans[i].from).Seconds()*a.scale + cutWidth
	}
	return a
}

func (a axis) x(t time.Time) float64 {
	for i := len(a.spans) - 1; i >= 0; i-- {
		s := a.spans[i]
		if i == 0 || !t.Before(s.from) {
			d := min(max(t.Sub(s.from), 0), s.to.Sub(s.from))
			return round(s.x + d.Seconds()*a.scale)
		}
	}
	return left
}

func round(f float64) float64 { return math.Round(f*10) / 10 }

// draw is nil when nothing has a time.
func draw(x Experiment, s SLO, in Language) *plot {
	var spans []span
	for _, w := range []*Window{s.Without, s.Under} {
		if w != nil && w.To.After(w.From) && w.Share != nil {
			spans = append(spans, span{from: w.From, to: w.To})
		}
	}
	if len(spans) == 0 {
		return nil
	}
	from, to, shaded := x.shade(s)
	recovered := x.recoveredAt()
	if shaded {
		spans = append(spans, span{from: from, to: to})
		if recovered.After(to) {
			spans = append(spans, span{from: to, to: recovered.Add(time.Second)})
		}
	}
	a := newAxis(spans)
	low := floor(s)
	y := func(share float64) float64 {
		return round(bottom - (min(max(share, low), 1)-low)/(1-low)*(bottom-top))
	}
	p := &plot{Label: in.say("%s over time: without the fault %s, under the fault %s", s.Title, s.Without.Text(in), s.Under.Text(in))}
	if shaded {
		p.Fault = &box{X: a.x(from), Y: top, W: round(max(a.x(to)-a.x(from), 2)), H: bottom - top}
		p.Shaded = in.say("fault active")
		if !x.Fault.Lasts {
			p.Shaded = in.say("from the fault to its removal")
		}
		if !recovered.IsZero() {
			p.Recovered = a.x(recovered)
		}
	}
	if s.Objective != nil {
		p.Objective, p.Target = y(*s.Objective), chance.Percent(*s.Objective)
	}
	p.window(a, y, s.Without, "without")
	p.window(a, y, s.Under, "under")
	p.Shares = []tick{{top, "100 %"}, {bottom, chance.Percent(low)}}
	for i, sp := range a.spans {
		p.Times = append(p.Times, tick{round(sp.x), sp.from.UTC().Format(time.TimeOnly)})
		if i > 0 {
			p.Cuts = append(p.Cuts, round(sp.x-cutWidth/2))
		}
	}
	end := a.spans[len(a.spans)-1]
	if width := end.to.Sub(end.from).Seconds() * a.scale; width > 140 {
		p.Times = append(p.Times, tick{round(end.x + width), end.to.UTC().Format(time.TimeOnly)})
	}
	return p
}

// shade is from when the fault was injected until its revert began, or, when nothing says so, as
// long as it was measured.
func (x Experiment) shade(s SLO) (from, to time.Time, ok bool) {
	if x.Fault == nil || x.Fault.Injected.IsZero() {
		return from, to, false
	}
	from, to = x.Fault.Injected, x.Fault.Reverted
	if to.IsZero() && s.Under != nil {
		to = s.Under.To
	}
	return from, to, to.After(from)
}

func (x Experiment) recoveredAt() time.Time {
	for _, m := range x.Timeline {
		if m.What == whatRecovered {
			return m.At
		}
	}
	return time.Time{}
}

// floor is the share at the bottom of a plot: a little below the lowest that it shows.
func floor(s SLO) float64 {
	low := 1.0
	if s.Objective != nil {
		low = min(low, *s.Objective)
	}
	for _, w := range []*Window{s.Without, s.Under} {
		if w != nil && w.Share != nil {
			low = min(low, *w.Share)
			if w.Total > 0 {
				low = min(low, w.Low)
			}
			for _, step := range w.Way {
				low = min(low, step.Share)
			}
		}
	}
	return max(0, min(low-0.15*(1-low), 0.9999))
}

func (p *plot) window(a axis, y func(float64) float64, w *Window, class string) {
	if w == nil || w.Share == nil || !w.To.After(w.From) {
		return
	}
	b := bar{X1: a.x(w.From), X2: a.x(w.To), Y: y(*w.Share), Class: class, Text: chance.Percent(*w.Share)}
	b.M = round((b.X1 + b.X2) / 2)
	b.TextX, b.TextY = b.X1+6, b.Y-5
	if b.Y < top+14 {
		b.TextY = b.Y + 14
	}
	if w.Total > 0 {
		b.YLow, b.YHigh = y(w.Low), y(w.High)
	}
	for _, s := range w.Way {
		b.Way += fmt.Sprintf("%g,%g ", a.x(s.At), y(s.Share))
	}
	p.Windows = append(p.Windows, b)
	most := 0.0
	for _, piece := range w.Pieces {
		most = max(most, piece.Events)
	}
	for _, piece := range w.Pieces {
		if most > 0 && piece.Events > 0 {
			h := round(max(piece.Events/most*14, 1))
			p.Pieces = append(p.Pieces, box{X: a.x(piece.From), Y: round(bottom + 18 - h), W: round(max(a.x(piece.To)-a.x(piece.From)-1, 1)), H: h})
		}
	}
}
