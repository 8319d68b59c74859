package rules_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/promqltest"
	engine "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/slo/calendar"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/rules"
	"github.com/seatrial/seatrial/slo/timeslices"
)

const scrape = 15 * time.Second

// world is what a random service did, and Prometheus's own engine over it.
type world struct {
	begin           time.Time
	bad, all, value []float64 // counters and a gauge, at begin and every scrape after it; NaN: not there
	ask             engine.QueryFunc
}

func newWorld(t *testing.T, random *rand.Rand, length time.Duration) *world {
	t.Helper()
	storage := teststorage.New(t)
	w := &world{begin: time.Unix(1_700_000_040, 0), ask: engine.EngineQueryFunc(promqltest.NewTestEngine(t, false, 5*time.Minute, 10_000_000), storage)}
	app := storage.Appender(context.WithoutCancel(t.Context()))
	bad, all, busy := 0.0, 0.0, true
	for i := range int(length/scrape) + 1 {
		if i%12 == 0 {
			busy = random.IntN(4) > 0 // whole slices without a request
		}
		if busy {
			n := random.IntN(50)
			all, bad = all+float64(n), bad+float64(random.IntN(n+1)/(1+random.IntN(9)))
		}
		value := random.Float64()
		if random.IntN(10) == 0 {
			value = math.NaN() // what a quantile says without a request
		}
		w.bad, w.all, w.value = append(w.bad, bad), append(w.all, all), append(w.value, value)
		for name, v := range map[string]float64{"bad": bad, "all": all, "value": value} {
			if _, err := app.Append(0, labels.FromStrings("__name__", name, "cluster", "eu"), w.at(i).UnixMilli(), v); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) at(i int) time.Time { return w.begin.Add(time.Duration(i) * scrape) }

// number is what a query answers; 0 for nothing.
func (w *world) number(t *testing.T, q openslo.Query, window time.Duration, at time.Time) float64 {
	t.Helper()
	v, err := w.ask(t.Context(), q.Fill("eu", window), at)
	if err != nil {
		t.Fatalf("%s: %v", q.Fill("eu", window), err)
	}
	if len(v) == 0 {
		return 0
	}
	return only(t, v)
}

// shares are those of the slices that end in the window and are wholly in it. Increases are
// extrapolated alike, above and below, so that counting says the same.
func (w *world) shares(size time.Duration, from, to int) []float64 {
	var all []float64
	n := int(size / scrape)
	for end := range len(w.all) {
		if end < from+n || end > to || w.at(end).Unix()%int64(size.Seconds()) != 0 {
			continue
		}
		first := end - n + 1 // a range is open at its left end
		total := w.all[end] - w.all[first]
		if share := 1 - (w.bad[end]-w.bad[first])/total; total > 0 {
			all = append(all, share)
		} else {
			all = append(all, math.NaN())
		}
	}
	return all
}

func slo(t *testing.T, method, objective, indicator string) openslo.SLO {
	t.Helper()
	docs, err := strict.Documents("slo.yaml", []byte("apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: x, labels: {seatrial.dev/service: shop/web}}\nspec: {timeWindow: [{duration: 1d, isRolling: true}], budgetingMethod: "+
		method+", objectives: [{target: 0.9"+objective+"}], indicator: {spec: "+indicator+"}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := openslo.Read(docs)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func source(query string) string {
	return "{metricSource: {type: Prometheus, spec: {query: '" + query + "'}}}"
}

var events = `{ratioMetric: {counter: true, bad: ` + source(`sum(increase(bad{cluster="{{.Cluster}}"}[{{.Window}}]))`) + `, total: ` + source(`sum(increase(all{cluster="{{.Cluster}}"}[{{.Window}}]))`) + `}}`

// TestSlicesAreCountedAsTheyAreDefined: what Prometheus counts is what Count counts.
func TestSlicesAreCountedAsTheyAreDefined(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for range 12 {
		w := newWorld(t, random, 4*time.Hour)
		for _, size := range []string{"1m", "3m", "10m"} {
			for _, target := range []float64{0, 0.75, 0.9, 1} {
				method, more := "RatioTimeslices", ", timeSliceWindow: "+size
				if target > 0 {
					method, more = "Timeslices", more+", timeSliceTarget: "+number(target)
				}
				s := slo(t, method, more, events)
				from := random.IntN(200)
				to := from + int(3*s.Every/scrape) + random.IntN(400)
				want := timeslices.Slices{Size: s.Every, Target: target}
				good, total := want.Count(w.shares(s.Every, from, to))
				window := time.Duration(to-from) * scrape
				gotGood, gotTotal := w.number(t, s.Good, window, w.at(to)), w.number(t, s.Total, window, w.at(to))
				if math.Abs(gotGood-good) > 1e-6 || gotTotal != total {
					t.Fatalf("%s %s: %v of %v, want %v of %v\n%s", method, more, gotGood, gotTotal, good, total, s.Good.Fill("eu", window))
				}
			}
		}
	}
}

// TestAThresholdIsTheShareOfLooks that satisfy it; what is no number was not measured.
func TestAThresholdIsTheShareOfLooks(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	ops := map[string]func(a, b float64) bool{
		"lte": func(a, b float64) bool { return a <= b }, "lt": func(a, b float64) bool { return a < b },
		"gte": func(a, b float64) bool { return a >= b }, "gt": func(a, b float64) bool { return a > b },
	}
	for range 20 {
		w := newWorld(t, random, time.Hour)
		for op, keeps := range ops {
			limit := w.value[random.IntN(len(w.value))] // the borders are met
			if math.IsNaN(limit) {
				limit = 0.5
			}
			s := slo(t, "Occurrences", ", op: "+op+", value: "+number(limit), "{thresholdMetric: "+source(`value{cluster="{{.Cluster}}"}`)+"}")
			from := random.IntN(100)
			to := from + 1 + random.IntN(100)
			good, total := 0.0, 0.0
			for i := from; i < to; i++ { // three looks at each: at its end only the next one is seen
				for look := range 3 {
					v := w.value[i]
					if look == 2 {
						v = w.value[i+1]
					}
					if !math.IsNaN(v) {
						total++
					}
					if keeps(v, limit) {
						good++
					}
				}
			}
			window := time.Duration(to-from) * scrape
			gotGood, gotTotal := w.number(t, s.Good, window, w.at(to)), w.number(t, s.Total, window, w.at(to))
			if gotGood != good || gotTotal != total {
				t.Fatalf("%s %v: %v of %v, want %v of %v", op, limit, gotGood, gotTotal, good, total)
			}
		}
	}
}

// TestARawRatioOfAWindowIsThatOfItsEvents: uneven load is weighted by requests.
func TestARawRatioOfAWindowIsThatOfItsEvents(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	for range 20 {
		w := newWorld(t, random, time.Hour)
		raw := slo(t, "Occurrences", "", `{ratioMetric: {rawType: failure, raw: `+source(`sum(increase(bad{cluster="{{.Cluster}}"}[{{.Window}}])) / sum(increase(all{cluster="{{.Cluster}}"}[{{.Window}}]))`)+`}}`)
		counted := slo(t, "Occurrences", "", events)
		at, window := w.at(200), time.Duration(40+random.IntN(100))*scrape
		ratio := w.number(t, raw.Bad, window, at) / w.number(t, raw.Total, window, at)
		if want := w.number(t, counted.Bad, window, at) / w.number(t, counted.Total, window, at); math.Abs(ratio-want) > 1e-9 {
			t.Fatalf("%v, want %v", ratio, want)
		}
	}
}

// TestAShareAboveAllMakesUpForNothing: of a composite one part counts a little more good events
// than there are, as extrapolation may; far more are no share at all.
func TestAShareAboveAllMakesUpForNothing(t *testing.T) {
	w := newWorld(t, rand.New(rand.NewPCG(15, 16)), time.Hour)
	counted := slo(t, "Occurrences", "", events)
	at, window := w.at(200), 30*time.Minute
	bad := w.number(t, counted.Bad, window, at) / w.number(t, counted.Total, window, at)
	if bad < 0.05 {
		t.Fatalf("%v is too little to tell", bad)
	}
	for factor, want := range map[string]float64{"1": 1 - bad/2, "1.3": 1 - bad/2, "0.5": 0.75 - bad/2, "2": math.NaN()} {
		above := `{ratioMetric: {counter: true, good: ` + source(`sum(increase(all{cluster="{{.Cluster}}"}[{{.Window}}])) * `+factor) + `, total: ` + source(`sum(increase(all{cluster="{{.Cluster}}"}[{{.Window}}]))`) + `}}`
		docs, err := strict.Documents("slo.yaml", []byte("apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: x, labels: {seatrial.dev/service: shop/web}}\nspec: {timeWindow: [{duration: 1d, isRolling: true}], budgetingMethod: Occurrences, "+
			"objectives: [{target: 0.9, compositeWeight: 1, indicator: {spec: "+events+"}}, {target: 0.9, compositeWeight: 1, indicator: {spec: "+above+"}}]}\n"))
		if err != nil {
			t.Fatal(err)
		}
		all, err := openslo.Read(docs)
		if err != nil {
			t.Fatal(err)
		}
		got := w.number(t, all[0].Good, window, at) / w.number(t, all[0].Total, window, at)
		if math.Abs(got-want) > 1e-9 || math.IsNaN(got) != math.IsNaN(want) {
			t.Errorf("%s times as many good events as there are: %v, want %v", factor, got, want)
		}
	}
}

// TestEveryIndicatorPagesInPrometheus: its rules are taken by the rule manager and quiet
// while all is well. A calendar's have no budget.
func TestEveryIndicatorPagesInPrometheus(t *testing.T) {
	failed, all := `requests_total{cluster="{{.Cluster}}",code="500"}`, `requests_total{cluster="{{.Cluster}}"}`
	ratio := "sum(increase(" + failed + "[{{.Window}}])) / sum(increase(" + all + "[{{.Window}}]))"
	counted := `{ratioMetric: {counter: true, bad: ` + source("sum(increase("+failed+"[{{.Window}}]))") + `, total: ` + source("sum(increase("+all+"[{{.Window}}]))") + `}}`
	for name, s := range map[string]openslo.SLO{
		"slices":             slo(t, "Timeslices", ", timeSliceTarget: 0.95, timeSliceWindow: 1m", counted),
		"the mean of slices": slo(t, "RatioTimeslices", ", timeSliceWindow: 1m", counted),
		"a threshold":        slo(t, "Occurrences", ", op: lt, value: 0.5", `{thresholdMetric: `+source("sum(rate("+failed+"[1m]))")+`}`),
		"a raw ratio":        slo(t, "Occurrences", "", `{ratioMetric: {rawType: failure, raw: `+source(ratio)+`}}`),
	} {
		s.Name, s.Window, s.Objective = "availability", 30*day, 0.99
		p := load(t, s)
		p.run(2*time.Hour, scrape, map[string]float64{"200": 150, "500": 0})
		if firing := p.evaluate(); len(firing) > 0 {
			t.Errorf("%s: %v before anything was bad", name, firing)
		}
		if left := p.value(rules.Remaining); left != 1 {
			t.Errorf("%s: %v of the budget is left", name, left)
		}
		p.run(20*time.Minute, scrape, map[string]float64{"200": 0, "500": 150})
		if firing := p.evaluate(); !slices.Contains(firing, "page") {
			t.Errorf("%s: %v after twenty minutes of an outage", name, firing)
		}
		s.Calendar = &calendar.Window{Start: time.Unix(0, 0), Length: calendar.Length{Count: 1, Unit: calendar.Month}}
		for _, g := range rules.Make(s, []string{"eu-1"}).Groups {
			for _, r := range g.Rules {
				if r.Record == rules.Remaining {
					t.Errorf("%s: a calendar's window in PromQL: %s", name, r.Expr)
				}
			}
		}
		s.NoPage, s.NoTicket = true, true
		if groups := rules.Make(s, []string{"eu-1"}).Groups; len(groups) > 0 {
			t.Errorf("%s: rules of what nobody wants to know: %v", name, groups)
		}
	}
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
