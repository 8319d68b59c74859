package slo_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/analysis"
	"github.com/seatrial/seatrial/slo/openslo"
)

func TestAnAnalysisIsAGateOfAWave(t *testing.T) {
	service, limit := "", "1"
	metric := analysis.Metric{Name: "rate", Query: `sum(rate(requests{service="{{args.service}}"}[1m]))`, Success: "result[0] >= {{args.least}}", Interval: 10 * time.Second, Count: 3, ErrorLimit: 1}
	template := analysis.Template{Name: "success-rate", Args: []analysis.Arg{{Name: "service", Value: &service}, {Name: "least", Value: &limit}}, Metrics: []analysis.Metric{metric}}
	promised := []openslo.SLO{availability()}
	for _, c := range []struct {
		name    string
		answers map[string]string
		slos    []openslo.SLO
		args    map[string]string
		after   time.Duration // since the target is healthy; 5 s of it to settle
		want    release.Outcome
		code    slo.Code
	}{
		{"too few answers wait", nil, nil, nil, 20 * time.Second, release.Waiting, slo.CodeMeasuring},
		{"enough good ones pass", nil, nil, nil, 26 * time.Second, release.Passed, slo.CodeKept},
		{"a bad one refuses at once", nil, nil, map[string]string{"least": "2"}, 6 * time.Second, release.Refused, slo.CodeFailed},
		{"no samples hold", map[string]string{"nothing": "1"}, nil, nil, 26 * time.Second, release.Undetermined, slo.CodeNoData},
		{"an analysis does not replace an SLO", map[string]string{"good": "900", "total": "1000"}, promised, nil, 36 * time.Second, release.Refused, slo.CodeMissed},
		{"both have to hold", map[string]string{"good": "1000", "total": "1000"}, promised, nil, 36 * time.Second, release.Passed, slo.CodeKept},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPrometheus(t, c.answers)
			g := gate(t, p.URL, begin.Add(c.after), c.slos...)
			args := map[string]string{"service": "{{.Name}}.{{.Team}}.{{.Cluster}}"}
			for k, v := range c.args {
				args[k] = v
			}
			g.Environment = func(context.Context, release.Env) (release.Environment, error) {
				return release.Environment{Spec: release.EnvironmentSpec{SLO: release.SLOGate{Analysis: []release.AnalysisUse{{Template: "success-rate", Args: args}}}}}, nil
			}
			g.Analyses = func(context.Context) (map[string]analysis.Template, error) {
				return map[string]analysis.Template{"success-rate": template}, nil
			}
			_, v, err := g.Check(t.Context(), "", deployed("a"))
			if err != nil || v.Outcome() != c.want || v.Code() != string(c.code) {
				t.Fatalf("got %v %s %q %v, want %v %s", v.Outcome(), v.Code(), v.Reason(), err, c.want, c.code)
			}
			if c.want == release.Waiting {
				return
			}
			last := v.Evidence()[len(v.Evidence())-1]
			if last.Facts["analysis"] != "success-rate" || len(last.Queries) != 1 || !strings.Contains(last.Queries[0].Expr, `service="web.shop.a"`) {
				t.Errorf("evidence %+v", last)
			}
		})
	}
}

func TestARetriedAnalysisBeginsAnew(t *testing.T) {
	p := newPrometheus(t, nil)
	g := gate(t, p.URL, begin.Add(time.Hour))
	g.Environment = func(context.Context, release.Env) (release.Environment, error) {
		return release.Environment{Spec: release.EnvironmentSpec{SLO: release.SLOGate{Analysis: []release.AnalysisUse{{Template: "t"}}}}}, nil
	}
	metric := analysis.Metric{Name: "m", Query: "up", Success: "result == 1", Interval: 10 * time.Second, Count: 3}
	g.Analyses = func(context.Context) (map[string]analysis.Template, error) {
		return map[string]analysis.Template{"t": {Name: "t", Metrics: []analysis.Metric{metric}}}, nil
	}
	r := deployed("a")
	for since, want := range map[time.Duration]release.Outcome{time.Hour: release.Waiting, 10 * time.Second: release.Passed} {
		r.History = []release.Transition{{To: release.Deploying, Step: release.StepSLO, At: begin.Add(since)}}
		if _, v, err := g.Check(t.Context(), "", r); err != nil || v.Outcome() != want {
			t.Errorf("retried after %s: %v %s %v, want %v", since, v.Outcome(), v.Reason(), err, want)
		}
	}
	g.Analyses = func(context.Context) (map[string]analysis.Template, error) { return nil, nil }
	if _, v, err := g.Check(t.Context(), "", r); err == nil || v.Outcome() != release.NoOutcome || !strings.Contains(err.Error(), "no AnalysisTemplate t") {
		t.Errorf("a template that is gone: %v %v", v.Outcome(), err)
	}
}
