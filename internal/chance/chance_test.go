package chance_test

import (
	"math"
	"testing"

	"github.com/seatrial/seatrial/internal/chance"
)

func TestWilsonHoldsTheShareAndNarrows(t *testing.T) {
	before := 1.0
	for _, n := range []float64{10, 100, 1000, 100_000} {
		low, high := chance.Wilson(n/10, n, 1.96)
		if low > 0.1 || high < 0.1 || high-low >= before {
			t.Errorf("of %v: %v to %v, and %v wide before", n, low, high, before)
		}
		before = high - low
	}
	if low, high := chance.Wilson(0, 0, 1.96); low != 0 || high != 1 {
		t.Errorf("of nothing: %v to %v", low, high)
	}
	// 15 of 148: Newcombe, Statistics in Medicine 17 (1998), table I.
	if low, high := chance.Wilson(15, 148, 1.959964); math.Abs(low-0.0624) > 5e-5 || math.Abs(high-0.1605) > 5e-5 {
		t.Errorf("15 of 148: %.4f to %.4f", low, high)
	}
}

func TestPercentNeverRoundsUp(t *testing.T) {
	for share, want := range map[float64]string{
		0.912: "91.2 %", 0.99: "99 %", 0.9995: "99.95 %", 0.99999: "99.999 %", 0.999999: "99.9999 %", 0.9999999: "99.9999 %", 1: "100 %", 0: "0 %", 0.5: "50 %",
	} {
		if got := chance.Percent(share); got != want {
			t.Errorf("Percent(%v) = %q, want %q", share, got, want)
		}
	}
}

func TestPublishedDifferencesOfProportions(t *testing.T) {
	// Newcombe 1998, method 10, 95 %.
	for _, c := range []struct{ a, n, b, m, low, high float64 }{
		{56, 70, 48, 80, 0.0524, 0.3339},
		{9, 10, 3, 10, 0.1705, 0.8090},
		{10, 10, 0, 10, 0.6075, 1},
	} {
		_, low, high := chance.Sum(1.959964, chance.Term{Sign: 1, Hits: c.a, Total: c.n}, chance.Term{Sign: -1, Hits: c.b, Total: c.m})
		if math.Abs(low-c.low) > 1e-4 || math.Abs(high-c.high) > 1e-4 {
			t.Errorf("%v/%v - %v/%v: %v to %v, want %v to %v", c.a, c.n, c.b, c.m, low, high, c.low, c.high)
		}
	}
}
