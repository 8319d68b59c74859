package slo_test

import (
	"math"
	"strings"
	"testing"
)

func TestBudgetsAreOfTheWholeWindow(t *testing.T) {
	for name, c := range map[string]struct {
		good string
		want map[string]float64
	}{
		"half of it is spent": {"99500", map[string]float64{"web-availability": 0.5}},
		"twice of it is":      {"98000", map[string]float64{"web-availability": -1}},
		"nothing is known":    {"NaN", map[string]float64{"web-availability": math.NaN()}},
	} {
		p := newPrometheus(t, map[string]string{"good": c.good, "total": "100000"})
		g := gate(t, p.URL, begin, availability())
		left, err := g.Budgets(t.Context(), "shop/web", "prod", "a")
		got, want := left["web-availability"], c.want["web-availability"]
		if err != nil || len(left) != len(c.want) || math.IsNaN(got) != math.IsNaN(want) || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v %v", name, left, err)
		}
		for _, q := range p.questions() {
			if !strings.Contains(q, "[2419200s]") {
				t.Errorf("asked %s, want a window of 28 days", q)
			}
		}
	}
	if _, err := gate(t, "http://127.0.0.1:1", begin, availability()).Budgets(t.Context(), "shop/web", "prod", "a"); err == nil {
		t.Error("a Prometheus that is away has an answer")
	}
}
