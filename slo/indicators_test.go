package slo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/calendar"
	"github.com/seatrial/seatrial/slo/openslo"
)

// promised is an SLO of shop/web as its document says.
func promised(t *testing.T, method, objectives, indicator string) openslo.SLO {
	t.Helper()
	text := "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: web, displayName: promise, labels: {seatrial.dev/service: shop/web}}\nspec: {timeWindow: [{duration: 28d, isRolling: true}], budgetingMethod: " +
		method + ", objectives: [" + objectives + "]"
	if indicator != "" {
		text += ", indicator: {spec: " + indicator + "}"
	}
	return readOne(t, text+"}\n")
}

func readOne(t *testing.T, text string) openslo.SLO {
	t.Helper()
	docs, err := strict.Documents("slo.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	all, err := openslo.Read(docs)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func slothOf(t *testing.T, sli string) openslo.SLO {
	t.Helper()
	return readOne(t, "version: prometheus/v1\nservice: web\nlabels: {team: shop}\nslos: [{name: requests, objective: 90, sli: "+sli+"}]\n")
}

func metric(query string) string {
	return "{metricSource: {type: Prometheus, spec: {query: '" + query + "'}}}"
}

// TestEveryIndicatorIsJudgedAndReplays: good and total are the parts of the two questions
// by which the fake Prometheus knows them.
func TestEveryIndicatorIsJudgedAndReplays(t *testing.T) {
	const cluster = `{cluster="{{.Cluster}}"}`
	counted := "{ratioMetric: {counter: true, bad: " + metric("sum(increase(errors"+cluster+"[{{.Window}}]))") + ", total: " + metric("sum(increase(all"+cluster+"[{{.Window}}]))") + "}}"
	latency := "{thresholdMetric: " + metric("p99"+cluster) + "}"
	raw := "{ratioMetric: {rawType: failure, raw: " + metric("errors:ratio"+cluster) + "}}"
	threshold := promised(t, "Occurrences", "{target: 0.9, op: lte, value: 0.3}", latency)
	failing := promised(t, "Occurrences", "{target: 0.9}", raw)
	sliced := promised(t, "Timeslices", "{target: 0.9, timeSliceTarget: 0.95, timeSliceWindow: 1m}", counted)
	mean := promised(t, "RatioTimeslices", "{target: 0.9, timeSliceWindow: 1m}", counted)
	composite := promised(t, "Occurrences", "{target: 0.9, compositeWeight: 3, indicator: {spec: "+counted+"}}, {target: 0.9, op: lt, value: 1, compositeWeight: 1, indicator: {spec: "+latency+"}}", "")
	rates := slothOf(t, "{events: {error_query: 'sum(rate(errors[{{.window}}]))', total_query: 'sum(rate(all[{{.window}}]))'}}")
	ratio := slothOf(t, "{raw: {error_ratio_query: 'errors:ratio{window=\"{{.window}}\"}'}}")
	const soon, slicesOver = 36 * time.Second, 190 * time.Second
	for name, c := range map[string]struct {
		slo         openslo.SLO
		good, total string // what the questions have in them
		values      [2]string
		after       time.Duration
		want        release.Outcome
		reason      string
	}{
		"a threshold that is kept":             {threshold, "<= 0.3", "<= Inf", [2]string{"6", "6"}, soon, release.Passed, "100 % of 6"},
		"a threshold that is not":              {threshold, "<= 0.3", "<= Inf", [2]string{"4", "6"}, soon, release.Refused, "66.6 % of 6"},
		"too few looks at a value":             {threshold, "<= 0.3", "<= Inf", [2]string{"4", "4"}, soon, release.Waiting, "4 of at least 5 events"},
		"no value":                             {threshold, "<= 0.3", "<= Inf", [2]string{"", ""}, soon, release.Waiting, "no data"},
		"a value that is never kept":           {threshold, "<= 0.3", "<= Inf", [2]string{"", "6"}, soon, release.Refused, "0 % of 6"},
		"a small share of failures":            {failing, "sum_over_time", "count_over_time", [2]string{"0.3", "6"}, soon, release.Passed, "95 % of 6"},
		"a large share of failures":            {failing, "sum_over_time", "count_over_time", [2]string{"3", "6"}, soon, release.Refused, "50 % of 6"},
		"percents where a share is wanted":     {failing, "sum_over_time", "count_over_time", [2]string{"180", "6"}, 6 * time.Minute, release.Undetermined, "180 bad events of 6: the queries do not belong together"},
		"a share that is no number":            {failing, "sum_over_time", "count_over_time", [2]string{"NaN", "6"}, 6 * time.Minute, release.Undetermined, "NaN"},
		"slices are waited for":                {sliced, ">= 0.95", "<= Inf", [2]string{"1", "1"}, soon, release.Waiting, "1 of at least 2 events"},
		"good slices":                          {sliced, ">= 0.95", "<= Inf", [2]string{"3", "3"}, slicesOver, release.Passed, "100 % of 3"},
		"a bad slice":                          {sliced, ">= 0.95", "<= Inf", [2]string{"2", "3"}, slicesOver, release.Refused, "66.6 % of 3"},
		"no slice at all":                      {sliced, ">= 0.95", "<= Inf", [2]string{"", ""}, 10 * time.Minute, release.Undetermined, "no data"},
		"a good mean":                          {mean, "sum_over_time", "count_over_time", [2]string{"2.8", "3"}, slicesOver, release.Passed, "93.3 % of 3"},
		"a bad mean":                           {mean, "sum_over_time", "count_over_time", [2]string{"2.1", "3"}, slicesOver, release.Refused, "70 % of 3"},
		"Sloth's events, counted from rates":   {rates, `errors{cluster="a"}`, `all{cluster="a"}`, [2]string{"5", "100"}, soon, release.Passed, "95 % of 100"},
		"Sloth's events, too many of them bad": {rates, `errors{cluster="a"}`, `all{cluster="a"}`, [2]string{"50", "100"}, soon, release.Refused, "50 % of 100"},
		"Sloth's ratio":                        {ratio, "< Inf) * 31 / 5", "< Inf) * 0 + 31", [2]string{"0.2", "6.2"}, soon, release.Passed, "96.7 % of 6"},
		"a composite that is kept":             {composite, "< Inf) * 31 / 5", "< Inf) * 0 + 31", [2]string{"6", "6.2"}, soon, release.Passed, "96.7 % of 6"},
		"a composite that is not":              {composite, "< Inf) * 31 / 5", "< Inf) * 0 + 31", [2]string{"5", "6.2"}, soon, release.Refused, "80.6 % of 6"},
		"a composite of which a part is away":  {composite, "< Inf) * 31 / 5", "< Inf) * 0 + 31", [2]string{"", ""}, soon, release.Waiting, "no data"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string]string{c.good: c.values[0], c.total: c.values[1]})
			_, v, err := gate(t, p.URL, begin.Add(c.after), c.slo).Check(t.Context(), "", deployed("a"))
			if err != nil {
				t.Fatal(err)
			}
			if v.Outcome() != c.want || !strings.Contains(v.Reason(), c.reason) {
				t.Errorf("%v %q, want %v %q; asked %v", v.Outcome(), v.Reason(), c.want, c.reason, p.questions())
			}
			if c.want != release.Waiting && len(v.Evidence()) != 1 {
				t.Errorf("%d pieces of evidence", len(v.Evidence()))
			}
			replay(t, v)
		})
	}
}

// TestABudgetOfACalendarIsThatOfItsWindowSoFar, in the calendar's zone.
func TestABudgetOfACalendarIsThatOfItsWindowSoFar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	o := availability()
	o.Calendar = &calendar.Window{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, berlin), Length: calendar.Length{Count: 1, Unit: calendar.Month}}
	at := time.Date(2026, 11, 2, 0, 0, 0, 0, berlin)
	p := newPrometheus(t, map[string]string{"good": "99500", "total": "100000"})
	left, err := gate(t, p.URL, at, o).Budgets(t.Context(), "shop/web", "prod", "a")
	if err != nil || left["web-availability"] < 0.49 || left["web-availability"] > 0.51 {
		t.Errorf("%v %v", left, err)
	}
	for _, q := range p.questions() {
		if !strings.Contains(q, "[86400s]") {
			t.Errorf("asked %s, want the one day since the first of November", q)
		}
	}
}
