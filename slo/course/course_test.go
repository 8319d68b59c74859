package course_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/calendar"
	"github.com/seatrial/seatrial/slo/course"
	"github.com/seatrial/seatrial/slo/openslo"
)

var now = time.Date(2026, 11, 27, 2, 0, 42, 0, time.UTC)

// sea counts 100 events in every piece; of bad ones as many as the function says.
type sea struct {
	bad   func(at time.Time) float64 // negative: nothing is known then
	err   error
	asked []string
}

func (s *sea) Ask(_ context.Context, name, expr string, at time.Time) (release.Query, error) {
	s.asked = append(s.asked, expr)
	value := map[string]float64{"bad": 30, "total": 10_000}[name]
	return release.Query{Name: name, Samples: []release.Sample{{Time: at, Value: value}}}, s.err
}

func (s *sea) AskRange(_ context.Context, name, expr string, from, to time.Time, every time.Duration) (release.Query, error) {
	s.asked = append(s.asked, fmt.Sprint(expr, " every ", every))
	q := release.Query{Name: name}
	for at := from; !at.After(to); at = at.Add(every) {
		switch bad := s.bad(at); {
		case bad < 0:
		case name == "total":
			q.Samples = append(q.Samples, release.Sample{Time: at, Value: 100})
		case bad > 0:
			q.Samples = append(q.Samples, release.Sample{Time: at, Value: bad})
		}
	}
	return q, s.err
}

func promise(window time.Duration) openslo.SLO {
	return openslo.SLO{Name: "web", Objective: 0.99, Window: window, Bad: "bad[{{.Window}}]", Total: "total[{{.Window}}]"}
}

func TestTheBudgetOfTheWindowIsFollowed(t *testing.T) {
	to := now.Truncate(time.Minute)
	outage := to.Add(-12 * time.Hour)
	s := &sea{bad: func(at time.Time) float64 {
		if at.After(outage) && !at.After(outage.Add(time.Hour)) {
			return 50
		}
		return 0
	}}
	c, err := course.Follow(t.Context(), s, promise(24*time.Hour), "a", now)
	if err != nil || len(c.Points) != 300 || c.Step != 288*time.Second || math.Abs(c.Known-1) > 1e-9 || !c.Points[299].At.Equal(to) {
		t.Fatalf("%d points every %v, %.2f known, %v", len(c.Points), c.Step, c.Known, err)
	}
	if len(s.asked) != 2 || s.asked[0] != "bad[288s] every 4m48s" {
		t.Errorf("asked %q", s.asked)
	}
	pieces := 0.0
	for _, p := range c.Points {
		if *p.Burn > 0 {
			pieces++
			if math.Abs(*p.Burn-50) > 1e-9 {
				t.Errorf("half of the events are bad and the budget burns %v times", *p.Burn)
			}
		}
	}
	want := 1 - pieces*50/(300*100)/0.01
	if first, last := *c.Points[0].Remaining, *c.Points[299].Remaining; first != 1 || math.Abs(last-want) > 1e-9 || last > 0 {
		t.Errorf("of the budget %v is left at first and %v at last, want %v", first, last, want)
	}
}

func TestWhatIsNotKnownIsAGapAndNoZero(t *testing.T) {
	away := now.Add(-2 * time.Hour)
	s := &sea{bad: func(at time.Time) float64 {
		if at.Before(away) {
			return -1
		}
		return 1
	}}
	c, err := course.Follow(t.Context(), s, promise(4*time.Hour), "a", now)
	if err != nil || c.Step != 3*time.Minute || math.Abs(c.Known-0.5) > 0.02 {
		t.Fatalf("every %v, %.2f known, %v", c.Step, c.Known, err)
	}
	if p := c.Points[0]; p.Burn != nil || p.Remaining != nil {
		t.Errorf("before anything was known: %v %v", p.Burn, p.Remaining)
	}
	if p := c.Points[len(c.Points)-1]; p.Burn == nil || math.Abs(*p.Burn-1) > 1e-9 || math.Abs(*p.Remaining) > 1e-9 {
		t.Errorf("at last: %+v", p)
	}
	if _, err := course.Follow(t.Context(), &sea{bad: s.bad, err: errors.New("away")}, promise(time.Hour), "a", now); err == nil {
		t.Error("what could not be asked has a course")
	}
}

func TestPiecesThatAreNoCountsAreNotKnown(t *testing.T) {
	at := now.UTC()
	sample := func(v float64) []release.Sample { return []release.Sample{{Time: at, Value: v}} }
	for name, c := range map[string]struct {
		kind        string
		some, total []release.Sample
		bad         float64 // negative: not known
	}{
		"bad ones":                      {"bad", sample(3), sample(10), 3},
		"no series of bad ones":         {"bad", nil, sample(10), 0},
		"good ones":                     {"good", sample(8), sample(10), 2},
		"no series of good ones":        {"good", nil, sample(10), 10},
		"more good ones than all":       {"good", sample(10.4), sample(10), 0},
		"no total":                      {"bad", sample(3), nil, -1},
		"not a number":                  {"bad", sample(math.NaN()), sample(10), -1},
		"two series of bad ones":        {"bad", append(sample(1), sample(2)...), sample(10), 3},
		"a total that is not a number":  {"bad", sample(3), sample(math.NaN()), -1},
		"a total that is less than bad": {"bad", sample(30), sample(10), 10},
	} {
		got := course.Pieces(release.Query{Name: c.kind, Samples: c.some}, release.Query{Samples: c.total}, at, time.Minute, 1)[0].Events
		if (got == nil) != (c.bad < 0) || (got != nil && math.Abs(got.Bad-c.bad) > 1e-9) {
			t.Errorf("%s: %+v, want %v bad", name, got, c.bad)
		}
	}
}

func TestPointsAgreeWithASumOfTheirOwn(t *testing.T) {
	const n = 7
	pieces := make([]course.Piece, 3*n)
	for i := range pieces {
		pieces[i].At = now.Add(time.Duration(i) * time.Minute)
		if i%4 != 3 {
			pieces[i].Events = &burn.Events{Bad: float64(i % 3), Total: float64(50 + i)}
		}
	}
	points := course.Points(pieces, n, func(at time.Time) time.Time { return at.Add(-n * time.Minute) }, 0.9)
	for i, p := range points {
		var whole burn.Events
		for _, piece := range pieces[i+1 : i+1+n] {
			if piece.Events != nil {
				whole = whole.Add(*piece.Events)
			}
		}
		if want := burn.Remaining(whole, 0.9); p.Remaining == nil || math.Abs(*p.Remaining-want) > 1e-9 {
			t.Errorf("point %d: %v, want %v", i, p.Remaining, want)
		}
	}
	if len(points) != 2*n {
		t.Errorf("%d points", len(points))
	}
	noon := now.Add(10 * time.Minute) // a window that begins anew then
	begun := func(at time.Time) time.Time {
		if at.After(noon) {
			return noon
		}
		return now.Add(-time.Minute)
	}
	if p := course.Points(pieces, 11, begun, 0.9)[0]; p.Remaining != nil {
		t.Errorf("a new window has %v of the old one", *p.Remaining)
	}
	if p := course.Points(pieces, 12, begun, 0.9)[0]; *p.Remaining != burn.Remaining(*pieces[12].Events, 0.9) {
		t.Errorf("a new window has %v", *p.Remaining)
	}
}

func TestAWholeWindowIsAskedOnceAMinute(t *testing.T) {
	s := &sea{}
	r := &course.Recent{Asks: s}
	for i, at := range []time.Time{now, now.Add(10 * time.Second), now.Add(time.Minute)} {
		left, err := course.Left(t.Context(), r, promise(time.Hour), "a", at)
		if err != nil || math.Abs(*left-0.7) > 1e-9 {
			t.Errorf("%v left, %v", left, err)
		}
		if want := []int{2, 2, 4}[i]; len(s.asked) != want {
			t.Errorf("after %v %d questions were asked, want %d", at, len(s.asked), want)
		}
	}
	s.err = errors.New("away")
	if _, err := course.Left(t.Context(), r, promise(time.Hour), "a", now.Add(time.Hour)); err == nil {
		t.Error("what could not be asked has an answer")
	}
}

func TestAWindowHasAtMostSoManyPieces(t *testing.T) {
	for _, w := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour, 90 * 24 * time.Hour} {
		for _, every := range []time.Duration{0, 5 * time.Second, 7 * time.Minute} {
			step := course.Step(w, every)
			if w/step > 300 || w/step < 1 || step%time.Second != 0 {
				t.Errorf("%v in pieces of %v", w, step)
			}
			if every > 0 && step < w && (step%every != 0 || step < 3*every) {
				t.Errorf("%v in pieces of %v, each of slices of %v", w, step, every)
			}
		}
	}
}

func TestACalendarsBudgetIsWholeAgainWhenItsPeriodBegins(t *testing.T) {
	midnight := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	s := &sea{bad: func(at time.Time) float64 {
		if at.Before(midnight) && at.After(midnight.Add(-time.Hour)) {
			return 50
		}
		return 0
	}}
	o := promise(24 * time.Hour)
	o.Calendar = &calendar.Window{Start: midnight.AddDate(0, -1, 0), Length: calendar.Length{Count: 1, Unit: calendar.Day}}
	c, err := course.Follow(t.Context(), s, o, "a", now)
	if err != nil || len(c.Points) != 300 {
		t.Fatalf("%d points, %v", len(c.Points), err)
	}
	spent := 0
	for _, p := range c.Points {
		if p.At.Equal(midnight) { // a period that has just begun has no events
			if p.Remaining != nil {
				t.Errorf("at midnight there is %v left", *p.Remaining)
			}
			continue
		}
		if p.At.After(midnight) && *p.Remaining != 1 {
			t.Errorf("at %v there is %v left of the new day's", p.At, *p.Remaining)
		}
		if *p.Remaining < 0 {
			spent++
		}
	}
	if spent == 0 {
		t.Error("the day before was not overspent")
	}
}
