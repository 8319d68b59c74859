package rules_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	engine "github.com/prometheus/prometheus/rules"

	"github.com/seatrial/seatrial/slo/rules"
)

// api answers as Prometheus does, with what its own engine has: three addresses, and
// nothing else.
type api struct {
	*prometheus
	edit func(group map[string]any, rule map[string]any) (keep bool)
}

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		a.refuse(w, err.Error())
		return
	}
	switch r.URL.Path {
	case "/api/v1/rules":
		a.answer(w, map[string]any{"groups": a.loaded()})
	case "/api/v1/format_query":
		e, err := parser.NewParser(parser.Options{}).ParseExpr(r.Form.Get("query"))
		if err != nil {
			a.refuse(w, err.Error())
			return
		}
		a.answer(w, parser.Prettify(e))
	case "/api/v1/query":
		v, err := a.query(r.Context(), r.Form.Get("query"), a.now)
		if err != nil {
			a.refuse(w, err.Error())
			return
		}
		result := []any{}
		for _, s := range v {
			result = append(result, map[string]any{"metric": s.Metric.Map(), "value": []any{a.now.Unix(), strconv.FormatFloat(s.F, 'g', -1, 64)}})
		}
		a.answer(w, map[string]any{"resultType": "vector", "result": result})
	default:
		a.t.Errorf("nobody was to ask for %s %s", r.Method, r.URL)
		http.NotFound(w, r)
	}
}

func (a api) answer(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data}); err != nil {
		a.t.Error(err)
	}
}

func (a api) refuse(w http.ResponseWriter, message string) {
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "error", "errorType": "bad_data", "error": message})
}

func (a api) loaded() []any {
	var groups []any
	for _, g := range a.groups {
		group := map[string]any{"name": g.Name(), "file": g.File(), "interval": g.Interval().Seconds()}
		all := []any{}
		for _, r := range g.Rules() {
			rule := map[string]any{"name": r.Name(), "query": r.Query().String(), "labels": r.Labels().Map(), "health": r.Health(),
				"lastEvaluation": r.GetEvaluationTimestamp(), "evaluationTime": r.GetEvaluationDuration().Seconds(), "type": "recording"}
			if _, ok := r.(*engine.AlertingRule); ok {
				maps.Copy(rule, map[string]any{"type": "alerting", "duration": 0, "annotations": map[string]string{}, "alerts": []any{}, "state": "inactive"})
			}
			if a.edit == nil || a.edit(group, rule) {
				all = append(all, rule)
			}
		}
		group["rules"] = all
		groups = append(groups, group)
	}
	return groups
}

func TestInspectFinds(t *testing.T) {
	p := load(t, availability())
	p.run(2*time.Hour, time.Minute, map[string]float64{"200": 100, "500": 0})
	p.evaluate()
	set := []rules.Set{rules.Make(availability(), []string{"eu-1"})}
	hour := func(rule map[string]any) bool { return rule["name"] == "slo:sli_error:ratio_rate1h" }
	for _, c := range []struct {
		name  string
		edit  func(group, rule map[string]any) bool
		later time.Duration
		want  []string // "" for none
	}{
		{name: "nothing in rules that are as they should be"},
		{name: "a rule that is not loaded", edit: func(_, r map[string]any) bool { return !hour(r) }, want: []string{"it is not loaded"}},
		{name: "an expression of before", edit: func(_, r map[string]any) bool {
			if hour(r) {
				r["query"] = strings.ReplaceAll(r["query"].(string), "[1h]", "[2h]")
			}
			return true
		}, want: []string{"another expression"}},
		{name: "an expression of before in an alert", edit: func(_, r map[string]any) bool {
			if r["type"] == "alerting" {
				r["query"] = strings.ReplaceAll(r["query"].(string), "0.0144", "0.0143")
			}
			return true
		}, want: []string{"another expression"}},
		{name: "an evaluation that failed", edit: func(_, r map[string]any) bool {
			if hour(r) {
				r["health"], r["lastError"] = "err", "too many samples"
			}
			return true
		}, want: []string{"its last evaluation failed: too many samples"}},
		{name: "a rule that was never evaluated", edit: func(_, r map[string]any) bool {
			if hour(r) {
				r["health"] = "unknown"
			}
			return true
		}, want: []string{"it was never evaluated"}},
		{name: "another interval", edit: func(g, r map[string]any) bool {
			if hour(r) {
				g["interval"] = 60
			}
			return true
		}, want: slices.Repeat([]string{"it is evaluated every 1m0s, not every 30s"}, 6)},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(api{p, c.edit})
			defer server.Close()
			found, err := rules.Inspect(t.Context(), server.URL, set, evaluated(p))
			if err != nil {
				t.Fatal(err)
			}
			if len(found) != len(c.want) {
				t.Fatalf("%d findings: %+v", len(found), found)
			}
			for i, f := range found {
				if !strings.Contains(f.Problem, c.want[i]) || f.Next == "" || f.SLO != "availability" {
					t.Errorf("%+v, want %s", f, c.want[i])
				}
			}
		})
	}
}

// evaluated is when the engine last ran, by its own clock.
func evaluated(p *prometheus) time.Time { return p.groups[0].Rules()[0].GetEvaluationTimestamp() }

func TestInspectFindsRulesThatAreLateAndThoseWithoutData(t *testing.T) {
	p := load(t, availability())
	p.run(time.Hour, time.Minute, nil)
	p.evaluate()
	server := httptest.NewServer(api{p, nil})
	defer server.Close()
	set := []rules.Set{rules.Make(availability(), []string{"eu-1"})}
	for problem, now := range map[string]time.Time{"it returns no data": evaluated(p), "it was last evaluated": evaluated(p).Add(time.Hour)} {
		found, err := rules.Inspect(t.Context(), server.URL, set, now)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) < 9 { // an alert that is silent is none
			t.Errorf("%d findings, want %s: %+v", len(found), problem, found)
		}
		for _, f := range found {
			if !strings.Contains(f.Problem, problem) {
				t.Errorf("%+v, want %s", f, problem)
			}
		}
	}
}

func TestInspectThatCannotAskIsAnError(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for _, address := range []string{"", "prometheus:9090", server.URL} {
		if found, err := rules.Inspect(t.Context(), address, nil, time.Now()); err == nil {
			t.Errorf("%q: %v", address, found)
		}
	}
	address := strings.Replace(server.URL, "http://", "http://me:hunter2@", 1)
	server.Close()
	if _, err := rules.Inspect(t.Context(), address, nil, time.Now()); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
