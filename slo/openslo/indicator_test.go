package openslo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/promql"
)

// of is an SLO with an indicator, a method and objectives of its own.
func of(indicator, method, objectives string) string {
	return "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: web, labels: {seatrial.dev/service: shop/web}}\nspec:\n" +
		"  timeWindow: [{duration: 28d, isRolling: true}]\n  budgetingMethod: " + method + "\n  objectives: " + objectives + "\n" +
		"  indicator:\n    spec: " + indicator + "\n"
}

func source(query string) string {
	return "{metricSource: {type: Prometheus, spec: {query: '" + query + "'}}}"
}

const c = `{cluster="{{.Cluster}}"}`

var (
	counted   = "{ratioMetric: {counter: true, bad: " + source("sum(increase(errors"+c+"[{{.Window}}]))") + ", total: " + source("sum(increase(all"+c+"[{{.Window}}]))") + "}}"
	gauges    = "{ratioMetric: {counter: false, good: " + source("sum(up"+c+")") + ", total: " + source("count(up"+c+")") + "}}"
	rawFailed = "{ratioMetric: {rawType: failure, raw: " + source("errors:ratio"+c) + "}}"
	rawWindow = "{ratioMetric: {rawType: success, raw: " + source("sum(increase(ok"+c+"[{{.Window}}])) / sum(increase(all"+c+"[{{.Window}}]))") + "}}"
	latency   = "{thresholdMetric: " + source("p99"+c) + "}"
	ready     = "{thresholdMetric: " + source("scalar(ready"+c+")") + "}"
)

func TestWhatIsAskedForEachIndicator(t *testing.T) {
	const sliced = "{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 1m}"
	for name, tt := range map[string]struct {
		text             string
		good, bad, total string // over 5m on eu
		every            time.Duration
	}{
		"events":  {of(counted, "Occurrences", "[{target: 0.99}]"), "", `sum(increase(errors{cluster="eu"}[300s]))`, `sum(increase(all{cluster="eu"}[300s]))`, 0},
		"gauges":  {of(gauges, "Occurrences", "[{target: 0.99}]"), `sum(sum_over_time(((sum(up{cluster="eu"})) < Inf)[300s:5s]))`, "", `sum(sum_over_time(((count(up{cluster="eu"})) < Inf)[300s:5s]))`, 5 * time.Second},
		"a ratio": {of(rawFailed, "Occurrences", "[{target: 0.99}]"), "", `sum(sum_over_time(((errors:ratio{cluster="eu"}) < Inf)[300s:5s]))`, `sum(count_over_time(((errors:ratio{cluster="eu"}) < Inf)[300s:5s]))`, 5 * time.Second},
		"a ratio of a window": {of(rawWindow, "Occurrences", "[{target: 0.99}]"),
			`sum(((sum(increase(ok{cluster="eu"}[300s])) / sum(increase(all{cluster="eu"}[300s]))) < Inf) * 300 / 5)`, "",
			`sum(((sum(increase(ok{cluster="eu"}[300s])) / sum(increase(all{cluster="eu"}[300s]))) < Inf) * 0 + 300 / 5)`, 5 * time.Second},
		"a threshold":   {of(latency, "Occurrences", "[{target: 0.99, op: lte, value: 0.3}]"), `sum(count_over_time(((p99{cluster="eu"}) <= 0.3)[300s:5s]))`, "", `sum(count_over_time(((p99{cluster="eu"}) <= Inf)[300s:5s]))`, 5 * time.Second},
		"of one number": {of(ready, "Occurrences", "[{target: 0.99, op: gte, value: 2}]"), `sum(count_over_time((vector(scalar(ready{cluster="eu"})) >= 2)[300s:5s]))`, "", `sum(count_over_time((vector(scalar(ready{cluster="eu"})) <= Inf)[300s:5s]))`, 5 * time.Second},
		"slices of events": {of(counted, "Timeslices", "["+sliced+"]"),
			`sum(count_over_time((clamp(1 - (sum((sum(increase(errors{cluster="eu"}[60s])))) or vector(0)) / (sum((sum(increase(all{cluster="eu"}[60s])))) > 0) <= 1.5 >= -0.5, 0, 1) >= 0.95)[241s:60s]))`, "",
			`sum(count_over_time((clamp(1 - (sum((sum(increase(errors{cluster="eu"}[60s])))) or vector(0)) / (sum((sum(increase(all{cluster="eu"}[60s])))) > 0) <= 1.5 >= -0.5, 0, 1) <= Inf)[241s:60s]))`, time.Minute},
		"the mean of slices": {of(counted, "RatioTimeslices", "[{target: 0.99, timeSliceWindow: 2}]"),
			`sum(sum_over_time((clamp(1 - (sum((sum(increase(errors{cluster="eu"}[120s])))) or vector(0)) / (sum((sum(increase(all{cluster="eu"}[120s])))) > 0) <= 1.5 >= -0.5, 0, 1) <= Inf)[181s:120s]))`, "",
			`sum(count_over_time((clamp(1 - (sum((sum(increase(errors{cluster="eu"}[120s])))) or vector(0)) / (sum((sum(increase(all{cluster="eu"}[120s])))) > 0) <= 1.5 >= -0.5, 0, 1) <= Inf)[181s:120s]))`, 2 * time.Minute},
	} {
		s, err := parse(t, tt.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		fill := func(q openslo.Query) string { return q.Fill("eu", 5*time.Minute) }
		if fill(s.Good) != tt.good || fill(s.Bad) != tt.bad || fill(s.Total) != tt.total || s.Every != tt.every {
			t.Errorf("%s:\ngood  %s\nbad   %s\ntotal %s\nevery %s", name, fill(s.Good), fill(s.Bad), fill(s.Total), s.Every)
		}
	}
}

// TestWhatIsMadeOfAnIndicatorIsPromQL for every indicator, method and window.
func TestWhatIsMadeOfAnIndicatorIsPromQL(t *testing.T) {
	for _, indicator := range []string{counted, gauges, rawFailed, rawWindow, latency, ready, strings.Replace(counted, "]))'", "])) # all'", 2)} {
		compared := ""
		if strings.Contains(indicator, "threshold") {
			compared = ", op: lt, value: -1.5"
		}
		for method, more := range map[string]string{"Occurrences": "", "Timeslices": ", timeSliceTarget: 1, timeSliceWindow: 1h", "RatioTimeslices": ", timeSliceWindow: 1m"} {
			s, err := parse(t, of(indicator, method, "[{target: 0.99"+compared+more+"}]"))
			if err != nil {
				t.Fatal(err)
			}
			for _, window := range []time.Duration{time.Millisecond, time.Minute, s.Window} {
				for _, q := range []openslo.Query{s.Good + s.Bad, s.Total} {
					if _, wrong := promql.Check(q.Fill("eu", window)); len(wrong) > 0 || strings.Contains(q.Fill("eu", window), "{{") {
						t.Errorf("%s, %s: %s: %v", indicator, method, q.Fill("eu", window), wrong)
					}
				}
			}
		}
	}
}

func TestALongWindowIsLookedAtLessOften(t *testing.T) {
	s, err := parse(t, of(latency, "Occurrences", "[{target: 0.99, op: lte, value: 0.3}]"))
	if err != nil || !strings.HasSuffix(s.Total.Fill("eu", s.Window), "[2419200s:242s]))") {
		t.Errorf("%s %v", s.Total.Fill("eu", s.Window), err)
	}
}

func TestACompositeWeighsSharesAndTargets(t *testing.T) {
	text := strings.Replace(of("x", "Occurrences", "[{target: 0.9, compositeWeight: 3, indicator: {spec: "+counted+"}}, {target: 0.8, op: lt, value: 1, compositeWeight: 1, indicator: {spec: "+latency+"}}]"), "  indicator:\n    spec: x\n", "", 1)
	s, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	want := `sum((((3 * clamp(1 - (sum((sum(increase(errors{cluster="eu"}[60s])))) or vector(0)) / (sum((sum(increase(all{cluster="eu"}[60s])))) > 0) <= 1.5 >= -0.5, 0, 1) + ` +
		`1 * clamp((sum((sum(count_over_time(((p99{cluster="eu"}) < 1)[60s:5s])))) or vector(0)) / (sum((sum(count_over_time(((p99{cluster="eu"}) <= Inf)[60s:5s])))) > 0) <= 1.5 >= -0.5, 0, 1)) / 4) < Inf) * 60 / 5)`
	if got := s.Good.Fill("eu", time.Minute); got != want || s.Objective != 0.875 {
		t.Errorf("%v of %s", s.Objective, got)
	}
}

func TestSeveralObjectivesAreSeveralSLOs(t *testing.T) {
	all, err := readAll(t, of(counted, "Occurrences", "[{displayName: Most, target: 0.9}, {displayName: Nearly all, targetPercent: 99.9}]"))
	if err != nil || len(all) != 2 || all[0].Name != "web-most" || all[1].Name != "web-nearly-all" || all[1].Title != "web: Nearly all" || all[1].Objective != 0.999 || all[0].Bad != all[1].Bad {
		t.Errorf("%+v %v", all, err)
	}
}

func TestACalendarsWindow(t *testing.T) {
	text := strings.Replace(of(counted, "Occurrences", "[{target: 0.9}]"), "{duration: 28d, isRolling: true}", "{duration: 1M, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Asia/Shanghai}}", 1)
	s, err := parse(t, text)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC)
	if got := s.Begin(at).UTC().Format(time.RFC3339); got != "2026-10-31T16:00:00Z" || s.Period() != "1M" {
		t.Errorf("%s %s", got, s.Period())
	}
}

func TestBadIndicatorsAreRefusedAtTheirLine(t *testing.T) {
	const one, sliced = "[{target: 0.99}]", "[{target: 0.99, timeSliceTarget: 2, timeSliceWindow: 90s}]"
	for name, tt := range map[string]struct{ text, want string }{
		"a threshold without op":          {of(latency, "Occurrences", "[{target: 0.99, value: 1}]"), `s.yaml:7:16: spec.objectives[0]: "op" is missing: want lte, lt, gte or gt`},
		"an op that is none":              {of(latency, "Occurrences", "[{target: 0.99, op: le, value: 1}]"), `s.yaml:7:35: spec.objectives[0].op: "le": want lte, lt, gte or gt`},
		"a threshold without value":       {of(latency, "Occurrences", "[{target: 0.99, op: lte}]"), `s.yaml:7:16: spec.objectives[0]: "value" is missing`},
		"a threshold over a window":       {of(strings.Replace(latency, "p99"+c, "rate(x"+c+"[{{.Window}}])", 1), "Occurrences", "[{target: 0.99, op: lte, value: 1}]"), "s.yaml:9:77: spec.indicator.spec.thresholdMetric.metricSource.spec.query: the query has {{.Window}}, and is looked at moment by moment"},
		"a raw ratio of no type":          {of(strings.Replace(rawFailed, "failure", "error", 1), "Occurrences", one), `s.yaml:9:35: spec.indicator.spec.ratioMetric.rawType: "error": want success or failure`},
		"raw and total":                   {of(strings.Replace(rawFailed, "rawType", "total: "+source("x")+", rawType", 1), "Occurrences", one), "s.yaml:9:12: spec.indicator.spec.ratioMetric: want either raw or good, bad and total"},
		"a type without raw":              {of("{ratioMetric: {rawType: success}}", "Occurrences", one), `"raw" is missing`},
		"no word about the counter":       {of(strings.Replace(counted, "counter: true, ", "", 1), "Occurrences", one), `s.yaml:9:12: spec.indicator.spec.ratioMetric: "counter" is missing`},
		"a slice's target above one":      {of(counted, "Timeslices", sliced), "s.yaml:7:48: spec.objectives[0].timeSliceTarget: 2: want a number above 0 and at most 1"},
		"a slice of seconds":              {of(counted, "Timeslices", sliced), `s.yaml:7:68: spec.objectives[0].timeSliceWindow: "90s": want a number and m, h, d or w`},
		"a target where the shares count": {of(counted, "RatioTimeslices", "[{target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: 1m}]"), "s.yaml:7:48: spec.objectives[0].timeSliceTarget: belongs to budgetingMethod Timeslices"},
		"alert windows shorter than slices": {strings.Replace(of(counted, "Timeslices", "[{target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: 5m}]"), "labels:", `annotations: {seatrial.dev/alert-windows: 1h/5m}, labels:`, 1),
			"s.yaml:7:70: spec.objectives[0].timeSliceWindow: a window of 5m0s, in which an alert looks, holds no two slices of 5m0s"},
	} {
		_, err := parse(t, tt.text)
		if err == nil || !strings.Contains(err.Error(), strings.Replace(tt.want, "s.yaml", "slos/web.yaml", 1)) {
			t.Errorf("%s: %v\nwant %s", name, err, tt.want)
		}
	}
}
