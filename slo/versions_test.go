package slo_test

import (
	"context"
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

func TestAComparisonThatTellsNothingIsNoPass(t *testing.T) {
	few, enough := []float64{100, 101}, make([]float64, 60)
	for i := range enough {
		enough[i] = 100 + float64(i%10)
	}
	other := latency(false)
	other.Name = "other"
	last := func(m map[string][]float64) *release.Placed { return &release.Placed{Metrics: m} }
	for _, c := range []struct {
		name    string
		nothing string // of now
		before  *release.Placed
		metrics []release.MetricSpec
		after   time.Duration // since the targets are healthy; the longest wait is 5m
		noData  string
		want    release.Outcome
		code    slo.Code
	}{
		{"too few before: more may come", "", last(map[string][]float64{"latency@a": few}), []release.MetricSpec{latency(false)}, 66 * time.Second, "", release.Waiting, slo.CodeNotCompared},
		{"and at last a person looks", "", last(map[string][]float64{"latency@a": few}), []release.MetricSpec{latency(false)}, 6 * time.Minute, "", release.Undetermined, slo.CodeNotCompared},
		{"or it is refused", "", last(map[string][]float64{"latency@a": few}), []release.MetricSpec{latency(false)}, 6 * time.Minute, release.NoDataRefuse, release.Refused, slo.CodeNotCompared},
		{"none now", "yes", last(map[string][]float64{"latency@a": enough}), []release.MetricSpec{latency(false)}, 6 * time.Minute, "", release.Undetermined, slo.CodeNotCompared},
		{"a verified release without any sample was measured", "", last(map[string][]float64{"latency@a": {}}), []release.MetricSpec{latency(false)}, 6 * time.Minute, "", release.Undetermined, slo.CodeNotCompared},
		{"critical, too", "", last(map[string][]float64{"latency@a": few}), []release.MetricSpec{latency(true)}, 6 * time.Minute, "", release.Undetermined, slo.CodeNotCompared},
		{"beside one that can be told", "", last(map[string][]float64{"latency@a": few, "other@a": enough}), []release.MetricSpec{latency(false), other}, 66 * time.Second, "", release.Passed, slo.CodeKept},
		{"unless it is critical", "", last(map[string][]float64{"latency@a": few, "other@a": enough}), []release.MetricSpec{latency(true), other}, 6 * time.Minute, "", release.Undetermined, slo.CodeNotCompared},
		{"beside a new one", "", last(map[string][]float64{"latency@a": few}), []release.MetricSpec{latency(false), other}, 6 * time.Minute, "", release.Undetermined, slo.CodeNotCompared},
		{"a new one alone", "", last(map[string][]float64{"old@a": few}), []release.MetricSpec{latency(false)}, 66 * time.Second, "", release.Passed, slo.CodeKept},
		{"the first release", "yes", nil, []release.MetricSpec{latency(true)}, 66 * time.Second, "", release.Passed, slo.CodeKept},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPrometheus(t, map[string]string{"good": "995", "total": "1000", "latency": "100", "nothing": c.nothing})
			r := deployed("a")
			r.Stages[0].Previous = c.before
			g := comparing(t, p, release.Comparison{})
			g.Now = func() time.Time { return begin.Add(c.after) }
			g.Environment = func(context.Context, release.Env) (release.Environment, error) {
				return release.Environment{Spec: release.EnvironmentSpec{SLO: release.SLOGate{Observe: release.Duration(time.Minute), NoData: c.noData, Compare: release.Comparison{Metrics: c.metrics}}}}, nil
			}
			_, v, err := g.Check(t.Context(), "", r)
			if err != nil || v.Outcome() != c.want || v.Code() != string(c.code) {
				t.Fatalf("%v %v %s: %q", err, v.Outcome(), v.Code(), v.Reason())
			}
			if c.want == release.Undetermined && !strings.Contains(v.Hint(), "spec.slo.compare") {
				t.Errorf("hint %q", v.Hint())
			}
		})
	}
}

func TestAClusterWhereNothingIsToldIsNotCoveredByAnother(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "995", "total": "1000", "latency": "100"})
	r, enough := deployed("a", "b"), make([]float64, 60)
	for i := range enough {
		enough[i] = 100 + float64(i%10)
	}
	for b, want := range map[*[]float64]release.Outcome{{1, 2}: release.Waiting, &enough: release.Passed} {
		r.Stages[0].Previous = &release.Placed{Metrics: map[string][]float64{"latency@a": enough, "latency@b": *b}}
		_, v, err := comparing(t, p, release.Comparison{Metrics: []release.MetricSpec{latency(false)}}).Check(t.Context(), "", r)
		if err != nil || v.Outcome() != want {
			t.Errorf("%d samples on b: %v %v %q", len(*b), err, v.Outcome(), v.Reason())
		}
	}
}

func TestNothingIsComparedWhileTheObjectiveIsNotKept(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "500", "total": "1000", "latency": "130"})
	facts, v, err := comparing(t, p, release.Comparison{Metrics: []release.MetricSpec{latency(true)}}).Check(t.Context(), "", deployed("a"))
	if err != nil || v.Outcome() != release.Refused || len(facts.Metrics) > 0 || strings.Contains(v.Reason(), "latency") {
		t.Errorf("%v %v %q %v", err, v.Outcome(), v.Reason(), facts.Metrics)
	}
}
