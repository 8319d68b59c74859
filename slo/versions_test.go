package slo_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
)

// comparing is a gate of an environment that compares one metric, when its window is over.
func comparing(t *testing.T, p *prometheus, c release.Comparison) *slo.Gate {
	g := gate(t, p.URL, begin.Add(66*time.Second), availability())
	g.Environment = func(context.Context, release.Env) (release.Environment, error) {
		return release.Environment{Spec: release.EnvironmentSpec{SLO: release.SLOGate{Observe: release.Duration(time.Minute), Compare: c}}}, nil
	}
	return g
}

func latency(critical bool) release.MetricSpec {
	return release.MetricSpec{Name: "latency", Query: `latency{cluster="{{.Cluster}}",service="{{.Service}}"}`, Worse: release.WorseHigher, Critical: critical, Tolerance: 0.05}
}

func TestAReleaseIsComparedWithTheLastVerifiedOne(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "995", "total": "1000", "latency": "100"})
	one := release.Comparison{Metrics: []release.MetricSpec{latency(false)}}
	facts, v, err := comparing(t, p, one).Check(t.Context(), "", deployed("a"))
	if err != nil || v.Outcome() != release.Passed || len(facts.Metrics["latency@a"]) < 50 || !strings.Contains(v.Reason(), "latency on a: no verified release was measured here before") {
		t.Fatalf("the first: %v %v %q, %d samples", err, v.Outcome(), v.Reason(), len(facts.Metrics["latency@a"]))
	}
	first := deployed("a").With(facts)
	if len(first.Now().Metrics["latency@a"]) < 50 {
		t.Fatal("the release does not keep what it was measured by")
	}
	for _, c := range []struct {
		name    string
		latency string
		with    release.Comparison
		want    release.Outcome
		code    slo.Code
		says    string
	}{
		{"the same passes", "100", one, release.Passed, slo.CodeKept, "latency changed by 0 "},
		{"what is tolerated passes", "104", one, release.Passed, slo.CodeKept, "latency changed by 4"},
		{"faster passes", "70", one, release.Passed, slo.CodeKept, "latency changed by -30"},
		{"slower is refused", "130", one, release.Refused, slo.CodeWorse, "latency changed by 30"},
		{"unless it is allowed", "130", release.Comparison{Metrics: one.Metrics, AllowWorse: 1}, release.Passed, slo.CodeKept, "(worse, and allowed)"},
		{"never when it is critical", "130", release.Comparison{Metrics: []release.MetricSpec{latency(true)}, AllowWorse: 1}, release.Refused, slo.CodeWorse, "latency changed by 30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.set(map[string]string{"good": "995", "total": "1000", "latency": c.latency})
			r := deployed("a")
			r.Stages[0].Previous = &release.Placed{Metrics: first.Now().Metrics}
			_, v, err := comparing(t, p, c.with).Check(t.Context(), "", r)
			if err != nil || v.Outcome() != c.want || v.Code() != string(c.code) || !strings.Contains(v.Reason(), c.says) {
				t.Errorf("%v %v %s: %q", err, v.Outcome(), v.Code(), v.Reason())
			}
			last := v.Evidence()[len(v.Evidence())-1]
			if last.Facts["test"] != "Mann-Whitney" || len(last.Queries) != 2 || len(last.Queries[1].Samples) < 50 || !strings.Contains(last.Queries[0].Expr, `latency{cluster="a",service="shop/web"}`) {
				t.Errorf("evidence %+v", last)
			}
		})
	}
}

func TestWhatNobodyCanCompareHoldsOnlyWhenItIsCriticalOrNothingElseTells(t *testing.T) {
	errors := latency(false)
	errors.Name = "errors"
	for _, c := range []struct {
		name    string
		metrics []release.MetricSpec
		before  map[string][]float64
		want    release.Outcome
	}{
		{"critical", []release.MetricSpec{latency(true), errors}, map[string][]float64{"latency@a": {100, 101}, "errors@a": fifty}, release.Undetermined},
		{"another tells", []release.MetricSpec{latency(false), errors}, map[string][]float64{"latency@a": {100, 101}, "errors@a": fifty}, release.Passed},
		{"nothing tells", []release.MetricSpec{latency(false)}, map[string][]float64{"latency@a": {100, 101}}, release.Undetermined},
		{"nothing that was there before tells", []release.MetricSpec{latency(false), errors}, map[string][]float64{"latency@a": {100, 101}}, release.Undetermined},
	} {
		p := newPrometheus(t, map[string]string{"good": "995", "total": "1000", "latency": "1"})
		r := deployed("a")
		r.Stages[0].Previous = &release.Placed{Metrics: c.before}
		_, v, err := comparing(t, p, release.Comparison{Metrics: c.metrics}).Check(t.Context(), "", r)
		if err != nil || v.Outcome() != c.want {
			t.Errorf("%s: %v %v %q", c.name, err, v.Outcome(), v.Reason())
		}
	}
}

var fifty = slices.Repeat([]float64{10}, 60)

func TestNothingIsComparedWhileTheObjectiveIsNotKept(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "500", "total": "1000", "latency": "130"})
	facts, v, err := comparing(t, p, release.Comparison{Metrics: []release.MetricSpec{latency(true)}}).Check(t.Context(), "", deployed("a"))
	if err != nil || v.Outcome() != release.Refused || len(facts.Metrics) > 0 || strings.Contains(v.Reason(), "latency") {
		t.Errorf("%v %v %q %v", err, v.Outcome(), v.Reason(), facts.Metrics)
	}
}
