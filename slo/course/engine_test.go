package course_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/course"
	"github.com/seatrial/seatrial/slo/openslo"
)

// engine is Prometheus's own, over counters that a test has written.
type engine struct {
	t       *testing.T
	engine  *promql.Engine
	storage *teststorage.TestStorage
}

func (e engine) Ask(ctx context.Context, name, expr string, at time.Time) (release.Query, error) {
	q, err := e.engine.NewInstantQuery(ctx, e.storage, nil, expr, at)
	if err != nil {
		e.t.Fatal(err)
	}
	v, err := q.Exec(ctx).Vector()
	out := release.Query{Name: name}
	for _, s := range v {
		out.Samples = append(out.Samples, release.Sample{Time: at, Value: s.F})
	}
	return out, err
}

func (e engine) AskRange(ctx context.Context, name, expr string, from, to time.Time, every time.Duration) (release.Query, error) {
	q, err := e.engine.NewRangeQuery(ctx, e.storage, nil, expr, from, to, every)
	if err != nil {
		e.t.Fatal(err)
	}
	m, err := q.Exec(ctx).Matrix()
	out := release.Query{Name: name}
	for _, series := range m {
		for _, s := range series.Floats {
			out.Samples = append(out.Samples, release.Sample{Time: time.UnixMilli(s.T).UTC(), Value: s.F})
		}
	}
	return out, err
}

// TestTheCourseIsWhatPrometheusAnswersForEachMomentsWindow has a day with little traffic at
// night, an outage, and a Prometheus that does not remember the first half of what is asked.
func TestTheCourseIsWhatPrometheusAnswersForEachMomentsWindow(t *testing.T) {
	e := engine{t: t, engine: promqltest.NewTestEngine(t, false, 5*time.Minute, 10_000_000), storage: teststorage.New(t)}
	const scrape = 30 * time.Second
	to := now.Truncate(time.Minute)
	app := e.storage.Appender(t.Context())
	all, bad := 0.0, 0.0
	for at := to.Add(-36 * time.Hour); !at.After(to); at = at.Add(scrape) {
		load := 40 + 35*math.Sin(2*math.Pi*float64(at.Unix())/86400)
		share := 0.002
		if left := to.Sub(at); left > 9*time.Hour && left < 9*time.Hour+20*time.Minute {
			share = 0.4
		}
		all, bad = all+load, bad+load*share
		for code, v := range map[string]float64{"200": all - bad, "500": bad} {
			if _, err := app.Append(0, labels.FromStrings("__name__", "requests_total", "cluster", "a", "code", code), at.UnixMilli(), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	o := openslo.SLO{Name: "web", Objective: 0.99, Window: 24 * time.Hour,
		Good:  `sum(increase(requests_total{cluster="{{.Cluster}}",code="200"}[{{.Window}}]))`,
		Total: `sum(increase(requests_total{cluster="{{.Cluster}}"}[{{.Window}}]))`}
	c, err := course.Follow(t.Context(), e, o, "a", now)
	if err != nil || len(c.Points) != 300 {
		t.Fatalf("%d points, %v", len(c.Points), err)
	}
	most := 0.0
	for i := 60; i < 300; i++ {
		p := c.Points[i]
		want, err := course.Left(t.Context(), e, o, "a", p.At.Add(30*time.Second))
		if err != nil || want == nil || p.Remaining == nil {
			t.Fatalf("at %v: %v, %v, %v", p.At, p.Remaining, want, err)
		}
		if p.At.Second() == 0 { // Left is of a full minute
			most = max(most, math.Abs(*p.Remaining-*want))
		}
	}
	if most > 0.002 {
		t.Errorf("a point is %.4f of the budget beside what Prometheus answers", most)
	}
	if last := *c.Points[299].Remaining; last > 0.75 || last < 0.1 {
		t.Errorf("the outage leaves %.3f", last)
	}
}
