//go:build lab

package slo_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/analysis"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
)

func TestLabRealPrometheus(t *testing.T) {
	address := labtest.Open(t).Prometheus
	p, err := source.New(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	q, err := p.Ask(t.Context(), "total", "sum(up)", time.Now())
	if err != nil || len(q.Samples) != 1 || q.Samples[0].Value < 1 {
		t.Errorf("%+v %v", q, err)
	}
	if _, err := p.Ask(t.Context(), "total", "sum(up", time.Now()); err == nil || errors.Is(err, source.ErrUnreachable) || !strings.Contains(err.Error(), "parse error") {
		t.Errorf("a query that is not PromQL: %v", err)
	}
	if _, err := p.Ask(t.Context(), "total", "up[1m]", time.Now()); err == nil || !strings.Contains(err.Error(), "is a matrix, not a number") {
		t.Errorf("a query for ranges: %v", err)
	}

	// Real samples of a promise that holds, of one that does not, and of none at all.
	for query, want := range map[string]release.Outcome{
		`vector(1000)`: release.Passed, `vector(500)`: release.Refused, `sum(increase(no_such_metric[{{.Window}}]))`: release.Undetermined,
	} {
		o := availability()
		o.Good, o.Total = openslo.Query(query), openslo.Query(`vector(1000) + 0 * count(up{cluster!="{{.Cluster}}"})`)
		if want == release.Undetermined {
			o.Total = o.Good
		}
		g := gate(t, address, time.Now(), o)
		g.Now = time.Now
		g.Environment = func(context.Context, release.Env) (release.Environment, error) {
			// The lab's Prometheus may be younger than the default wait for events.
			brief := release.Duration(time.Second)
			return release.Environment{Spec: release.EnvironmentSpec{SLO: release.SLOGate{Observe: brief, MaxWait: brief}}}, nil
		}
		r := deployed("a")
		r.Stages[0].Waves[0].Targets[0].Healthy = time.Now().Add(-6 * time.Minute)
		_, v, err := g.Check(t.Context(), "", r)
		if err != nil || v.Outcome() != want {
			t.Errorf("%s: %v %q %v", query, v.Outcome(), v.Reason(), err)
		}
		replay(t, v)
	}
}

// TestLabPiecesAndAnalysis: a real Prometheus answers for each piece of the window and
// for each moment of an analysis, also those that have passed.
func TestLabPiecesAndAnalysis(t *testing.T) {
	now := time.Now()
	scrapes := `sum(count_over_time(up{cluster!="{{.Cluster}}"}[{{.Window}}]))`
	g := gate(t, labtest.Open(t).Prometheus, now, openslo.SLO{Name: "up", Title: "up", Service: "shop/web", Objective: 0.9, Window: 28 * 24 * time.Hour, Good: openslo.Query(scrapes), Total: openslo.Query(scrapes)})
	g.Analyses = func(context.Context) (map[string]analysis.Template, error) {
		m := analysis.Metric{Name: "up", Query: "sum(up)", Success: "result[0] >= 1", Interval: 10 * time.Second, Count: 3, ErrorLimit: 4}
		return map[string]analysis.Template{"up": {Name: "up", Metrics: []analysis.Metric{m}}}, nil
	}
	g.Environment = func(context.Context, release.Env) (release.Environment, error) {
		return release.Environment{Spec: release.EnvironmentSpec{SLO: release.SLOGate{MinEvents: 1, MinSamples: 3, Analysis: []release.AnalysisUse{{Template: "up"}}}}}, nil
	}
	r := deployed("none")
	r.Stages[0].Waves[0].Targets[0].Healthy = now.Add(-40*time.Second - 123456789) // as odd as real ones
	_, v, err := g.Check(t.Context(), "", r)
	if err != nil || v.Outcome() != release.Passed {
		t.Fatalf("%v %s %v", v.Outcome(), v.Reason(), err)
	}
	replay(t, release.Pass(v.Evidence()[0]))
	if pieces := v.Evidence()[0].Queries[2]; pieces.Name != "pieces" || len(pieces.Samples) != 3 {
		t.Errorf("pieces %+v", pieces)
	}
	if moments := v.Evidence()[1].Queries[0]; len(moments.Samples) < 3 {
		t.Errorf("moments %+v", moments)
	}
}
