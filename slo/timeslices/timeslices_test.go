package timeslices_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seatrial/seatrial/slo/timeslices"
)

func TestCount(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		target      float64
		shares      []float64
		good, total float64
	}{
		"at the target is good":                 {0.95, []float64{0.95, 0.94, 1}, 2, 3},
		"nothing happened is not counted":       {0.95, []float64{nan, 1, nan}, 1, 1},
		"no slice at all":                       {0.95, nil, 0, 0},
		"without a target the shares are added": {0, []float64{0.5, nan, 1}, 1.5, 2},
	} {
		if good, total := (timeslices.Slices{Size: time.Minute, Target: c.target}).Count(c.shares); good != c.good || total != c.total {
			t.Errorf("%s: %v of %v", name, good, total)
		}
	}
}

// TestAStricterTargetNeverCountsMore than a laxer one.
func TestAStricterTargetNeverCountsMore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		shares := make([]float64, random.IntN(200))
		for i := range shares {
			shares[i] = random.Float64()
		}
		before := math.Inf(1)
		for _, target := range []float64{0.1, 0.5, 0.9, 1} {
			good, total := timeslices.Slices{Size: time.Minute, Target: target}.Count(shares)
			if good > before || total != float64(len(shares)) {
				t.Fatalf("%v: %v of %v, %v at a laxer target", target, good, total, before)
			}
			before = good
		}
	}
}

// TestSpanHoldsWholeSlices: every end of a slice in the span is that of a slice which is
// wholly in the window, as soon as the window is two slices long.
func TestSpanHoldsWholeSlices(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		s := timeslices.Slices{Size: time.Duration(1+random.IntN(20)) * time.Minute}
		window := time.Duration(random.IntN(100)) * time.Minute
		to := time.Unix(random.Int64N(1e9), 0)
		span, from := s.Span(window), to.Add(-window)
		ends := 0
		for end := to.Truncate(s.Size); end.After(to.Add(-span)); end = end.Add(-s.Size) {
			ends++
			if window >= 2*s.Size && end.Add(-s.Size).Before(from) {
				t.Fatalf("a slice of %v that ends at %v is not in %v to %v", s.Size, end, from, to)
			}
		}
		if ends == 0 {
			t.Fatalf("no slice of %v in %v", s.Size, span)
		}
	}
}
