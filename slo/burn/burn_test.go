package burn_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seatrial/seatrial/slo/burn"
)

const day = 24 * time.Hour

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestThePairsOfTheWorkbookScaleWithThePeriod(t *testing.T) {
	for period, rates := range map[time.Duration][]float64{
		30 * day: {14.4, 6, 3, 1}, 28 * day: {13.44, 5.6, 2.8, 0.9333}, 7 * day: {3.36, 1.4, 1, 1}, 90 * day: {43.2, 18, 9, 3},
	} {
		pairs := burn.Pairs(period)
		if len(pairs) != len(rates) {
			t.Fatalf("%v: %d pairs", period, len(pairs))
		}
		for i, p := range pairs {
			if !near(p.Rate, rates[i], 1e-4) {
				t.Errorf("%v, %v: rate %v, want %v", period, p.Long, p.Rate, rates[i])
			}
			if share := burn.Spent(p.Rate, p.Long, period); p.Rate != 1 && !near(share, []float64{0.02, 0.05, 0.1, 0.1}[i], 1e-12) {
				t.Errorf("%v, %v: spends %v of the budget", period, p.Long, share)
			}
		}
	}
	if got := burn.Pairs(2 * time.Hour); len(got) != 1 || got[0].Long != time.Hour {
		t.Errorf("two hours have the pairs %v", got)
	}
	for _, period := range []time.Duration{2 * time.Hour, day, 2 * day, 3 * day, 7 * day} {
		for _, p := range burn.Pairs(period) {
			if p.Calls(burn.Events{Bad: 8, Total: 1000}, burn.Events{Bad: 8, Total: 1000}, 0.99) {
				t.Errorf("%v: people are called at %v of what is allowed", period, p.Rate)
			}
		}
	}
}

func TestATotalOutageIsFoundWhenTheTableSays(t *testing.T) {
	for i, want := range []time.Duration{52, 130, 259, 259} {
		got := burn.Pairs(30 * day)[i].FoundAfter(1, 0.999).Round(time.Second)
		if got != want*time.Second {
			t.Errorf("pair %d: after %v, want %ds", i, got, want)
		}
	}
}

func TestAPairCallsOnlyStrictlyAboveItsRateInBothWindows(t *testing.T) {
	p := burn.Pair{Severity: burn.Page, Long: time.Hour, Short: 5 * time.Minute, Rate: 2}
	at, above, none := burn.Events{Bad: 1, Total: 1}, burn.Events{Bad: 1, Total: 1}, burn.Events{}
	const half = burn.Target(0.5) // a budget without rounding: a rate of 2 is all bad
	if p.Calls(at, at, half) {
		t.Error("it calls at its rate")
	}
	p.Rate = 1.5
	for name, c := range map[string]struct {
		long, short burn.Events
		want        bool
	}{
		"both":         {above, above, true},
		"long only":    {above, burn.Events{Total: 1}, false},
		"short only":   {burn.Events{Total: 1}, above, false},
		"no events":    {none, none, false},
		"none of late": {above, none, false},
	} {
		if p.Calls(c.long, c.short, half) != c.want {
			t.Errorf("%s: want %v", name, c.want)
		}
	}
}

// TestARateThatThePairWatchesIsFoundByBruteForce replays a failure second by second.
func TestWhenAFailureIsFoundAgreesWithBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		target := burn.Target(0.99 + 0.0099*random.Float64())
		p := burn.Pairs(30 * day)[random.IntN(2)]
		ratio := 0.2 + 0.8*random.Float64()
		want := burn.Never
		for s := 1; s <= int(p.Long/time.Second); s++ {
			failing := func(w time.Duration) burn.Events {
				total := w.Seconds()
				return burn.Events{Bad: ratio * min(float64(s), total), Total: total}
			}
			if p.Calls(failing(p.Long), failing(p.Short), target) {
				want = time.Duration(s) * time.Second
				break
			}
		}
		if got := p.FoundAfter(ratio, target); (got == burn.Never) != (want == burn.Never) || (want != burn.Never && (want-got < 0 || want-got > 2*time.Second)) {
			t.Errorf("target %v, ratio %v, %v: found after %v, counted %v", target, ratio, p.Long, got, want)
		}
	}
}

func TestMoreBadEventsNeverBurnLess(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		total := 1 + 1e6*random.Float64()
		a, b := total*random.Float64(), total*random.Float64()
		less, more := burn.Events{Bad: min(a, b), Total: total}, burn.Events{Bad: max(a, b), Total: total}
		target := burn.Target(0.5 + 0.4999*random.Float64())
		if burn.Rate(less, target) > burn.Rate(more, target) || burn.Remaining(less, target) < burn.Remaining(more, target) {
			t.Fatalf("%v %v %v", less, more, target)
		}
		twice := burn.Events{Bad: 2 * more.Bad, Total: 2 * more.Total}
		if !near(burn.Rate(twice, target), burn.Rate(more, target), 1e-9*burn.Rate(more, target)) {
			t.Fatalf("the rate of %v changes with the load", more)
		}
		if stricter := burn.Target((1 + float64(target)) / 2); burn.Rate(more, stricter) < burn.Rate(more, target) {
			t.Fatalf("a stricter target burns less")
		}
	}
}

func TestTheBudgetOfAPeriodIsTheSumOfItsEventsNotTheMeanOfItsRatios(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		const target = burn.Target(0.99)
		var whole burn.Events
		bad, total := 0, 0
		for range 30 {
			n := random.IntN(10_000)
			k := random.IntN(n/50 + 1)
			whole = whole.Add(burn.Events{Bad: float64(k), Total: float64(n)})
			bad, total = bad+k, total+n
		}
		want := 1 - float64(bad)/(0.01*float64(total))
		if got := burn.Remaining(whole, target); !near(got, want, 1e-9) {
			t.Fatalf("%v left, counted %v", got, want)
		}
	}
	if got := burn.Remaining(burn.Events{Bad: 30, Total: 1000}, 0.99); !near(got, -2, 1e-9) {
		t.Errorf("overspent three times: %v left", got)
	}
}

func TestTheTimeToExhaustion(t *testing.T) {
	for name, c := range map[string]struct {
		remaining, rate float64
		want            time.Duration
	}{
		"a whole budget at rate one lasts the period": {1, 1, 30 * day},
		"half of it at rate two, a quarter of that":   {0.5, 2, 30 * day / 4},
		"nothing left":          {-0.1, 1, 0},
		"nothing spent":         {1, 0, burn.Never},
		"nobody knows the rate": {1, math.NaN(), burn.Never},
		"longer than time":      {1, 1e-12, burn.Never},
	} {
		if got := burn.Exhausted(c.remaining, c.rate, 30*day); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestNeededEvents(t *testing.T) {
	if got := burn.Needed(0.001, 0.95); got != 2995 {
		t.Errorf("99.9 %% needs %d", got)
	}
	if got := burn.Needed(14.4*0.001, 0.95); got != 207 {
		t.Errorf("to exclude 14.4x needs %d", got)
	}
}

func TestFewEventsAreInconclusive(t *testing.T) {
	for name, c := range map[string]struct {
		events burn.Events
		limit  float64
		want   burn.Claim
	}{
		"one too few":          {burn.Events{Total: 2994}, 0.001, burn.Inconclusive},
		"just enough":          {burn.Events{Total: 2995}, 0.001, burn.Below},
		"one bad of three":     {burn.Events{Bad: 1, Total: 3}, 0.0144, burn.Above},
		"one bad of a hundred": {burn.Events{Bad: 1, Total: 100}, 0.0144, burn.Inconclusive},
		"ten bad of a hundred": {burn.Events{Bad: 10, Total: 100}, 0.0144, burn.Above},
		"no events":            {burn.Events{}, 0.0144, burn.Inconclusive},
		"not a number":         {burn.Events{Bad: math.NaN(), Total: 10}, 0.0144, burn.Inconclusive},
	} {
		if got := burn.Judge(c.events, c.limit, 0.95); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestTheBinomialAgreesWithBruteForce(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		n, p := 1+random.IntN(400), 0.3*random.Float64()
		sum, chance := 0.0, math.Pow(1-p, float64(n)) // of exactly k
		for k := range n {
			sum += chance
			if got := burn.AtMost(float64(k), float64(n), p); !near(got, sum, 1e-9) {
				t.Fatalf("at most %d of %d at %v: %v, counted %v", k, n, p, got, sum)
			}
			chance *= float64(n-k) / float64(k+1) * p / (1 - p)
		}
	}
	if got := burn.AtMost(1e6, 1e9, 0.001); !near(got, 0.5, 0.001) {
		t.Errorf("the middle of a billion: %v", got)
	}
}

// TestJudgeIsRarelyWrong draws events of a known truth.
func TestJudgeIsRarelyWrong(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	const limit, draws = 0.02, 4000
	wrong := 0
	for range draws {
		bad := 0
		for range 300 {
			if random.Float64() < limit {
				bad++
			}
		}
		if burn.Judge(burn.Events{Bad: float64(bad), Total: 300}, limit, 0.95) == burn.Above {
			wrong++
		}
	}
	if share := float64(wrong) / draws; share > 0.06 {
		t.Errorf("a service at the limit is called above it in %.1f %% of cases", 100*share)
	}
}

func TestEverySeverityAndClaimHasAWord(t *testing.T) {
	if burn.Unknown.String() != "unknown" || burn.Page.String() != "page" || burn.Ticket.String() != "ticket" {
		t.Error("a severity has another word")
	}
	if burn.Inconclusive.String() != "inconclusive" || burn.Below.String() != "below" || burn.Above.String() != "above" {
		t.Error("a claim has another word")
	}
}
