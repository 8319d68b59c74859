package compare_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/compare"
)

func near(a, b, by float64) bool { return math.Abs(a-b) <= by }

func TestPublishedRankTests(t *testing.T) {
	// Hollander and Wolfe's permeability constants, as in R's wilcox.test: W = 35, p = 0.1272 one-sided.
	x := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	y := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	if got := compare.MannWhitney(y, x); !got.Exact || got.U != 35 || !near(got.P, 2*0.1272, 1e-4) {
		t.Errorf("%+v", got)
	}
	// Ages at the diagnosis of diabetes, as in SciPy's mannwhitneyu: U = 17, p = 1/9.
	males, females := []float64{19, 22, 16, 29, 24}, []float64{20, 11, 17, 12}
	if got := compare.MannWhitney(females, males); got.U != 17 || !near(got.P, 1.0/9, 1e-12) || !near(got.Delta, 0.7, 1e-12) {
		t.Errorf("%+v", got)
	}
}

// rankP counts out every way to deal the values to two sides.
func rankP(before, after []float64) float64 {
	all := append(append([]float64{}, after...), before...)
	u := func(mask int) float64 {
		sum := 0.0
		for i, a := range all {
			for j, b := range all {
				if mask>>i&1 == 1 && mask>>j&1 == 0 {
					switch {
					case a > b:
						sum++
					case a == b:
						sum += 0.5
					}
				}
			}
		}
		return sum
	}
	middle := float64(len(before)*len(after)) / 2
	far := math.Abs(u(1<<len(after)-1) - middle)
	total, tail := 0.0, 0.0
	for mask := range 1 << len(all) {
		ones := 0
		for i := range all {
			ones += mask >> i & 1
		}
		if ones != len(after) {
			continue
		}
		total++
		if math.Abs(u(mask)-middle) >= far {
			tail++
		}
	}
	return tail / total
}

func TestSmallSamplesAreCountedOut(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		before, after := make([]float64, 1+random.IntN(5)), make([]float64, 1+random.IntN(5))
		for _, side := range [][]float64{before, after} {
			for i := range side {
				side[i] = random.NormFloat64()
			}
		}
		if got, want := compare.MannWhitney(before, after), rankP(before, after); !got.Exact || !near(got.P, want, 1e-12) {
			t.Errorf("%v against %v: %+v, counted out %v", after, before, got, want)
		}
	}
}

func TestTiesAreApproximatedWell(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 10 {
		before, after := make([]float64, 7), make([]float64, 7)
		for i := range before {
			before[i], after[i] = float64(random.IntN(6)), float64(random.IntN(6)+i%2)
		}
		if got, want := compare.MannWhitney(before, after), rankP(before, after); got.Exact || !near(got.P, want, 0.06) {
			t.Errorf("%v against %v: %+v, counted out %v", after, before, got, want)
		}
	}
	same := []float64{1, 1, 1}
	if got := compare.MannWhitney(same, same); got.P != 1 || got.Delta != 0 {
		t.Errorf("all equal: %+v", got)
	}
}

// latency are n values around a middle, skewed as latencies are.
func latency(random *rand.Rand, n int, middle float64) []float64 {
	all := make([]float64, n)
	for i := range all {
		all[i] = middle * math.Exp(0.2*random.NormFloat64())
	}
	return all
}

func TestShiftCoversTheTruth(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	covered := 0
	const rounds = 400
	for range rounds {
		before, after := make([]float64, 50), make([]float64, 50)
		for i := range before {
			before[i], after[i] = random.NormFloat64(), random.NormFloat64()+0.5
		}
		if _, low, high := compare.Shift(before, after, 2.3263478740408408); low <= 0.5 && 0.5 <= high {
			covered++
		}
	}
	if rate := float64(covered) / rounds; rate < 0.96 {
		t.Errorf("a 98 %% interval covers the truth in %.1f %%", 100*rate)
	}
}

func TestEqualReleasesAreSeldomRefused(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	refused := 0
	for range 400 {
		if compare.Samples(compare.Metric{Name: "latency", Direction: compare.Increase}, latency(random, 60, 100), latency(random, 60, 100)).Outcome == release.Refused {
			refused++
		}
	}
	if refused > 12 { // 1 % is expected on the one bad side
		t.Errorf("%d of 400 were refused", refused)
	}
}

func TestSidesCanBeExchanged(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for range 50 {
		a, b := latency(random, 55, 100), latency(random, 70, 110)
		one, other := compare.MannWhitney(a, b), compare.MannWhitney(b, a)
		if !near(one.P, other.P, 1e-12) || !near(one.Delta, -other.Delta, 1e-12) {
			t.Errorf("%+v, exchanged %+v", one, other)
		}
		shift, low, high := compare.Shift(a, b, 2)
		back, backLow, backHigh := compare.Shift(b, a, 2)
		if !near(shift, -back, 1e-9) || !near(low, -backHigh, 1e-9) || !near(high, -backLow, 1e-9) || low > shift || shift > high {
			t.Errorf("%v (%v to %v), exchanged %v (%v to %v)", shift, low, high, back, backLow, backHigh)
		}
	}
}

func TestSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	base, slower, faster := latency(random, 100, 100), latency(random, 100, 150), latency(random, 100, 70)
	holes := append(append([]float64{}, base...), math.NaN(), math.NaN())
	spiked := append(append([]float64{}, base...), 1e9, 1e9, 1e9)
	mostlyNaN := append([]float64{}, base[:60]...)
	for range 61 {
		mostlyNaN = append(mostlyNaN, math.NaN())
	}
	for _, c := range []struct {
		name          string
		metric        compare.Metric
		before, after []float64
		want          release.Outcome
		code          string
	}{
		{"slower is worse", compare.Metric{Direction: compare.Increase}, base, slower, release.Refused, compare.CodeWorse},
		{"faster is not", compare.Metric{Direction: compare.Increase}, base, faster, release.Passed, compare.CodeAlike},
		{"where less is worse it is", compare.Metric{Direction: compare.Decrease}, base, faster, release.Refused, compare.CodeWorse},
		{"without a direction any change is", compare.Metric{}, base, faster, release.Refused, compare.CodeWorse},
		{"a tolerated change is none", compare.Metric{Direction: compare.Increase, Tolerance: 0.8}, base, slower, release.Passed, compare.CodeAlike},
		{"an effect too small is none", compare.Metric{MinEffect: 1.1}, base, slower, release.Passed, compare.CodeAlike},
		{"too few points tell nothing", compare.Metric{}, base, slower[:49], release.Undetermined, compare.CodeFewPoints},
		{"nothing recorded tells nothing", compare.Metric{}, nil, slower, release.Undetermined, compare.CodeFewPoints},
		{"NaN is left out", compare.Metric{}, base, holes, release.Passed, compare.CodeAlike},
		{"most of it tells nothing", compare.Metric{}, base, mostlyNaN, release.Undetermined, compare.CodeNaN},
		{"infinity tells nothing", compare.Metric{}, base, append([]float64{math.Inf(1)}, base...), release.Undetermined, compare.CodeNaN},
		{"NaN as zero is a value", compare.Metric{NaNIsZero: true, Direction: compare.Decrease}, base, mostlyNaN, release.Refused, compare.CodeWorse},
		{"outliers can be left out", compare.Metric{Trim: true, MinPoints: 101}, spiked, spiked, release.Undetermined, compare.CodeFewPoints},
		{"equal values are alike", compare.Metric{}, make([]float64, 50), make([]float64, 50), release.Passed, compare.CodeAlike},
	} {
		if got := compare.Samples(c.metric, c.before, c.after); got.Outcome != c.want || got.Code != c.code {
			t.Errorf("%s: %v %s %s", c.name, got.Outcome, got.Code, got.Reason)
		}
	}
}
