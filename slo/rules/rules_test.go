package rules_test

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	engine "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/rules"
)

const day = 24 * time.Hour

func availability() openslo.SLO {
	return openslo.SLO{
		Name: "availability", Title: "it's {{up}}", Service: "shop/web", Objective: 0.999, Window: 30 * day,
		Bad:   `sum(increase(requests_total{cluster="{{.Cluster}}",code="500"}[{{.Window}}]))`,
		Total: `sum(increase(requests_total{cluster="{{.Cluster}}"}[{{.Window}}])) # all`,
	}
}

func byGood() openslo.SLO {
	s := availability()
	s.Good, s.Bad = `sum(increase(requests_total{cluster="{{.Cluster}}",code="200"}[{{.Window}}]))`, ""
	return s
}

// prometheus is Prometheus's own rule engine over counters that a test moves.
type prometheus struct {
	t       *testing.T
	storage *teststorage.TestStorage
	query   engine.QueryFunc
	groups  []*engine.Group
	now     time.Time
	counts  map[string]float64 // by code
}

// load writes the rules of s to a file and has Prometheus read it.
func load(t *testing.T, s openslo.SLO) *prometheus {
	t.Helper()
	var text bytes.Buffer
	if err := rules.Write(&text, []rules.Set{rules.Make(s, []string{"eu-1"})}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &prometheus{t: t, storage: teststorage.New(t), now: time.Unix(1_700_000_000, 0), counts: map[string]float64{}}
	p.query = engine.EngineQueryFunc(promqltest.NewTestEngine(t, false, 5*time.Minute, 10_000_000), p.storage)
	manager := engine.NewManager(&engine.ManagerOptions{
		Context: t.Context(), QueryFunc: p.query, Appendable: p.storage, Queryable: p.storage,
		NotifyFunc: func(context.Context, string, ...*engine.Alert) {}, Logger: slog.New(slog.DiscardHandler),
		Parser: parser.NewParser(parser.Options{}),
	})
	groups, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, false, file)
	if len(errs) > 0 {
		t.Fatalf("Prometheus refuses the rules: %v\n%s", errs, text.String())
	}
	for _, g := range groups {
		p.groups = append(p.groups, g)
	}
	slices.SortFunc(p.groups, func(a, b *engine.Group) int { return strings.Compare(b.Name(), a.Name()) }) // burn, then budget
	if len(p.groups) != 2 {
		t.Fatalf("%d groups", len(p.groups))
	}
	return p
}

// run moves time on: each step every counter gets its share and is scraped.
func (p *prometheus) run(d, step time.Duration, perStep map[string]float64) {
	p.t.Helper()
	app := p.storage.Appender(p.t.Context())
	for range int(d / step) {
		p.now = p.now.Add(step)
		for code, n := range perStep {
			p.counts[code] += n
			series := labels.FromStrings("__name__", "requests_total", "cluster", "eu-1", "code", code)
			if _, err := app.Append(0, series, p.now.UnixMilli(), p.counts[code]); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	if err := app.Commit(); err != nil {
		p.t.Fatal(err)
	}
}

// evaluate runs both groups now and gives the severities that fire.
func (p *prometheus) evaluate() []string {
	p.t.Helper()
	var firing []string
	for _, g := range p.groups {
		g.Eval(p.t.Context(), p.now)
		for _, r := range g.Rules() {
			if err := r.LastError(); err != nil {
				p.t.Fatalf("%s: %v", r.Name(), err)
			}
			if a, ok := r.(*engine.AlertingRule); ok {
				for _, active := range a.ActiveAlerts() {
					firing = append(firing, active.Labels.Get("severity"))
				}
			}
		}
	}
	return firing
}

// value is a recorded series now; NaN when there is none.
func (p *prometheus) value(name string) float64 {
	p.t.Helper()
	v, err := p.query(p.t.Context(), name+`{slo="availability",service="shop/web",cluster="eu-1"}`, p.now)
	if err != nil {
		p.t.Fatal(err)
	}
	if len(v) == 0 {
		return math.NaN()
	}
	return only(p.t, v)
}

func only(t *testing.T, v promql.Vector) float64 {
	t.Helper()
	if len(v) != 1 {
		t.Fatalf("%d series: %v", len(v), v)
	}
	return v[0].F
}

func TestABadBurstPagesWithinTheExpectedTime(t *testing.T) {
	for name, s := range map[string]openslo.SLO{"bad counted": availability(), "good counted": byGood()} {
		p := load(t, s)
		const scrape = 15 * time.Second
		p.run(2*time.Hour, scrape, map[string]float64{"200": 150, "500": 0})
		if firing := p.evaluate(); len(firing) > 0 {
			t.Errorf("%s: %v before anything was bad", name, firing)
		}
		began, found := p.now, time.Duration(0)
		for found == 0 && p.now.Sub(began) < 10*time.Minute {
			p.run(scrape, scrape, map[string]float64{"200": 0, "500": 150})
			if slices.Contains(p.evaluate(), "page") {
				found = p.now.Sub(began)
			}
		}
		expected := burn.Pairs(s.Window)[0].FoundAfter(1, burn.Target(s.Objective))
		if found < expected-scrape || found > expected+2*scrape {
			t.Errorf("%s: paged after %v, want about %v", name, found, expected)
		}
		p.run(35*time.Minute, scrape, map[string]float64{"200": 150, "500": 0})
		if firing := p.evaluate(); slices.Contains(firing, "page") {
			t.Errorf("%s: it goes on paging when the short windows are clean", name)
		}
	}
}

func TestASlowBurnIsATicketAndNoPage(t *testing.T) {
	p := load(t, availability())
	p.run(4*day, 2*time.Minute, map[string]float64{"200": 9980, "500": 20}) // burns at 2
	if firing := p.evaluate(); !slices.Equal(firing, []string{"ticket"}) {
		t.Errorf("fires %v", firing)
	}
}

func TestABurnWithinTheBudgetFiresNothing(t *testing.T) {
	p := load(t, availability())
	p.run(4*day, 2*time.Minute, map[string]float64{"200": 99_910, "500": 90}) // burns at 0.9
	if firing := p.evaluate(); len(firing) > 0 {
		t.Errorf("fires %v", firing)
	}
}

func TestNoTrafficFiresNothingAndHasNoRatio(t *testing.T) {
	for name, traffic := range map[string]map[string]float64{"no series": nil, "counters that stand still": {"200": 0, "500": 0}} {
		p := load(t, availability())
		p.run(2*time.Hour, time.Minute, traffic)
		if firing := p.evaluate(); len(firing) > 0 || !math.IsNaN(p.value("slo:sli_error:ratio_rate1h")) || !math.IsNaN(p.value(rules.Remaining)) {
			t.Errorf("%s: fires %v, ratio %v", name, firing, p.value("slo:sli_error:ratio_rate1h"))
		}
	}
}

func TestAFewEventsFireNothing(t *testing.T) {
	p := load(t, availability())
	p.run(time.Hour, time.Minute, map[string]float64{"200": 0.1, "500": 0.1}) // six bad of twelve in an hour
	if firing := p.evaluate(); len(firing) > 0 {
		t.Errorf("fires %v", firing)
	}
}

func TestACounterOfBadThatNeverCountedIsZero(t *testing.T) {
	p := load(t, availability())
	p.run(2*time.Hour, time.Minute, map[string]float64{"200": 100})
	p.evaluate()
	if got := p.value("slo:sli_error:ratio_rate1h"); got != 0 {
		t.Errorf("ratio %v", got)
	}
	if got := p.value(rules.Remaining); got != 1 {
		t.Errorf("remaining %v", got)
	}
}

// TestUnevenLoadIsWeightedByRequests has busy days that are bad and quiet ones that are
// not: the mean of daily ratios would say 0.05 %.
func TestUnevenLoadIsWeightedByRequests(t *testing.T) {
	p := load(t, availability())
	const step = 5 * time.Minute
	var whole burn.Events
	p.run(step, step, map[string]float64{"200": 0, "500": 0})
	for d := range 30 {
		good, bad := 1.0, 0.0
		if d%2 == 0 {
			good, bad = 999, 1
		}
		p.run(day, step, map[string]float64{"200": good, "500": bad})
		steps := float64(day / step)
		whole = whole.Add(burn.Events{Bad: bad * steps, Total: (good + bad) * steps})
	}
	p.evaluate()
	want := burn.Remaining(whole, 0.999)
	if got := p.value(rules.Remaining); math.Abs(got-want) > 0.005 {
		t.Errorf("%v of the budget left, want %v", got, want)
	}
	if got := p.value("slo:sli_error:ratio_rate30d"); math.Abs(got-whole.ErrorRatio()) > 0.000005 {
		t.Errorf("ratio %v, want %v", got, whole.ErrorRatio())
	}
}

func TestAnSLOWithWindowsOfItsOwnPagesInThem(t *testing.T) {
	s := availability()
	s.Alerts = []openslo.Alert{{Long: time.Minute, Short: 15 * time.Second, Burn: 2}}
	p := load(t, s)
	p.run(2*time.Minute, 5*time.Second, map[string]float64{"200": 95, "500": 5})
	if firing := p.evaluate(); !slices.Equal(firing, []string{"page"}) {
		t.Errorf("fires %v", firing)
	}
}

func TestWhatCannotBurnSoFastIsNotWatched(t *testing.T) {
	s := availability()
	s.Objective = 0.9 // 14.4 times the budget is more than everything
	for _, g := range rules.Make(s, []string{"eu-1"}).Groups {
		for _, r := range g.Rules {
			if strings.Contains(r.Expr, "> 1.") || r.Record == "slo:sli_error:ratio_rate1h" {
				t.Errorf("%s: %s", r.Name(), r.Expr)
			}
		}
	}
}

func TestAnSLOHasFewRulesAndTheSameText(t *testing.T) {
	set := rules.Make(availability(), []string{"eu-1"})
	count := 0
	for _, g := range set.Groups {
		count += len(g.Rules)
	}
	if count != 11 {
		t.Errorf("%d rules", count)
	}
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := rules.Write(w, []rules.Set{rules.Make(availability(), []string{"eu-1", "eu-2"})}); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() || first.Len() == 0 {
		t.Error("the same SLO makes another text")
	}
}

// TestTheObjectHoldsTheSameGroups reads the object as people's YAML is read.
func TestTheObjectHoldsTheSameGroups(t *testing.T) {
	set := rules.Make(availability(), []string{"eu-1"})
	var text bytes.Buffer
	if err := rules.WriteObjects(&text, []rules.Set{set, set}); err != nil {
		t.Fatal(err)
	}
	docs, err := strict.Documents("rules.yaml", text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) != 2 {
		t.Fatalf("%d documents", len(docs))
	}
	var object struct {
		Metadata struct {
			Name   string            `json:"name"`
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
		Spec struct {
			Groups []struct {
				Name     string `json:"name"`
				Interval string `json:"interval"`
				Rules    []struct {
					Record      string            `json:"record"`
					Alert       string            `json:"alert"`
					Expr        string            `json:"expr"`
					Labels      map[string]string `json:"labels"`
					Annotations map[string]string `json:"annotations"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"spec"`
	}
	if err := docs[1].Decode(&object); err != nil {
		t.Fatal(err)
	}
	if docs[1].APIVersion != "monitoring.coreos.com/v1" || docs[1].Kind != "PrometheusRule" || object.Metadata.Name != "slo-availability" {
		t.Errorf("%s %s %s", docs[1].APIVersion, docs[1].Kind, object.Metadata.Name)
	}
	for i, g := range set.Groups {
		got := object.Spec.Groups[i]
		if got.Name != g.Name || got.Interval != burn.Span(g.Interval) || len(got.Rules) != len(g.Rules) {
			t.Fatalf("%+v", got)
		}
		for j, r := range g.Rules {
			if have := got.Rules[j]; have.Record+have.Alert != r.Name() || have.Expr != r.Expr || len(have.Labels) != len(r.Labels) || have.Labels["slo"] != "availability" {
				t.Errorf("%+v, want %+v", have, r)
			}
		}
	}
}
