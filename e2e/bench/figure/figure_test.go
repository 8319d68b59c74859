package figure_test

import (
	"strings"
	"testing"

	"github.com/seatrial/seatrial/e2e/bench/figure"
)

func TestPercentile(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		q      float64
		want   float64
	}{
		{"nothing has no percentile", nil, 0.5, 0},
		{"the median of an even number lies between", []float64{4, 1, 3, 2}, 0.5, 2.5},
		{"the median of an odd number is the middle", []float64{9, 1, 5}, 0.5, 5},
		{"p99 of few values is the largest", []float64{1, 2, 3}, 0.99, 3},
	} {
		if got := figure.Percentile(c.values, c.q); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAMissedTargetIsPrintedWithItsFigure(t *testing.T) {
	var out strings.Builder
	r := figure.Report{Name: "x", Figures: []figure.Figure{figure.Of("speed", 1234.56, "1/s").To("bare", 2469.12).AtLeast(2000)}}
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	if f := figure.Of("time", 17, "s").To("bare", 10).AtMostTimes(1.6); *f.Met || f.Target != "<= 1.6x" {
		t.Errorf("1.7 times the other is %+v", f)
	}
	for _, want := range []string{"1235", "2469", "0.5002", ">= 2000", "MISSED"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
}
