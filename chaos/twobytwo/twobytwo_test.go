package twobytwo_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/chaos/twobytwo"
	"github.com/seatrial/seatrial/release"
)

func of(share, total float64) release.Ratio { return release.Ratio{Good: share * total, Total: total} }

func table(verifiedWithout, verifiedUnder, without, under, events float64) twobytwo.Table {
	return twobytwo.Table{
		Verified:  twobytwo.Side{Without: of(verifiedWithout, events), Under: of(verifiedUnder, events)},
		Candidate: twobytwo.Side{Without: of(without, events), Under: of(under, events)},
	}
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name  string
		table twobytwo.Table
		want  release.Outcome
		code  string
	}{
		{"the same is alike", table(0.999, 0.995, 0.999, 0.995, 5000), release.Passed, twobytwo.CodeAlike},
		{"better is alike", table(0.999, 0.95, 0.999, 0.999, 5000), release.Passed, twobytwo.CodeAlike},
		{"a fault that does more harm is refused", table(0.999, 0.998, 0.999, 0.97, 5000), release.Refused, twobytwo.CodeResilient},
		{"worse with and without is not the fault's doing", table(0.999, 0.998, 0.975, 0.974, 5000), release.Refused, twobytwo.CodeWithout},
		{"a little without and a little more under it", table(0.999, 0.999, 0.9945, 0.9925, 20_000), release.Refused, twobytwo.CodeWorse},
		{"what is tolerated passes", table(0.999, 0.998, 0.999, 0.995, 50_000), release.Passed, twobytwo.CodeAlike},
		{"what may be chance passes", table(0.999, 0.998, 0.999, 0.985, 200), release.Passed, twobytwo.CodeAlike},
		{"a fault that only takes an advantage away harms nobody", table(0.99, 0.98, 0.999, 0.98, 20_000), release.Passed, twobytwo.CodeAlike},
		{"too few events tell nothing", table(1, 1, 1, 0, 49), release.Undetermined, twobytwo.CodeFewEvents},
		{"NaN is no count", table(1, 1, 1, math.NaN(), 100), release.Undetermined, twobytwo.CodeNumbers},
		{"infinity is none", table(1, 1, math.Inf(1), 1, 100), release.Undetermined, twobytwo.CodeNumbers},
		{"an empty cell tells nothing", twobytwo.Table{}, release.Undetermined, twobytwo.CodeFewEvents},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := twobytwo.Decide(c.table, 0.005)
			if got.Outcome != c.want || got.Code != c.code || got.Reason == "" {
				t.Errorf("%v %s: %s (%+v)", got.Outcome, got.Code, got.Reason, got)
			}
		})
	}
}

func TestAReasonHasTheDifferenceInDifferences(t *testing.T) {
	got := twobytwo.Decide(table(0.999, 0.998, 0.999, 0.97, 5000), 0.005)
	if !strings.HasPrefix(got.Reason, "the fault changes it by -2.80 points more than it changed the last verified release (98 %: -3.") || !strings.Contains(got.Reason, "99.9 % sure") {
		t.Errorf("%s", got.Reason)
	}
}

// drawn counts good events as chance has them.
func drawn(random *rand.Rand, share float64, total int) release.Ratio {
	r := release.Ratio{Total: float64(total)}
	for range total {
		if random.Float64() < share {
			r.Good++
		}
	}
	return r
}

func TestTheIntervalHoldsTheTruthAndTheConfidenceIsHonest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	held, sure, alarms := 0, 0, 0
	const rounds = 600
	for range rounds {
		v := twobytwo.Side{Without: drawn(random, 0.99, 400), Under: drawn(random, 0.97, 400)}
		c := twobytwo.Side{Without: drawn(random, 0.985, 400), Under: drawn(random, 0.945, 400)}
		f := twobytwo.Decide(twobytwo.Table{Verified: v, Candidate: c}, 0)
		if f.Extra.Low <= -0.02 && -0.02 <= f.Extra.High {
			held++
		}
		same := twobytwo.Side{Without: drawn(random, 0.99, 400), Under: drawn(random, 0.97, 400)}
		f = twobytwo.Decide(twobytwo.Table{Verified: v, Candidate: same}, 0)
		if f.Confidence > 0.95 {
			sure++
		}
		if f.Outcome == release.Refused {
			alarms++
		}
	}
	if held < rounds*96/100 {
		t.Errorf("a 98 %% interval holds the truth in %d of %d", held, rounds)
	}
	if sure > rounds*8/100 {
		t.Errorf("of %d equal releases %d are worse with more than 95 %%", rounds, sure)
	}
	if alarms > rounds*3/100 {
		t.Errorf("of %d equal releases %d were refused", rounds, alarms)
	}
}

func TestConfidenceGoesWithTheDifference(t *testing.T) {
	before := -1.0
	for _, under := range []float64{1, 0.99, 0.98, 0.97, 0.96, 0.9, 0.5} {
		f := twobytwo.Decide(table(0.99, 0.98, 0.99, under, 300), 1)
		if f.Confidence < before || f.Confidence < 0 || f.Confidence > 1 {
			t.Errorf("at %v under the fault it is %v, and was %v for more", under, f.Confidence, before)
		}
		if equal := under == 0.98; equal && math.Abs(f.Confidence-0.5) > 0.01 {
			t.Errorf("equal sides are told apart with %v", f.Confidence)
		}
		before = f.Confidence
	}
}

func TestScore(t *testing.T) {
	cell := func(without, under float64) twobytwo.Cell {
		return twobytwo.Cell{Side: twobytwo.Side{Without: of(without, 1000), Under: of(under, 1000)}, Objective: 0.99}
	}
	for _, c := range []struct {
		name string
		took []twobytwo.Took
		want float64
		ok   bool
	}{
		{"nothing", nil, 0, false},
		{"no cell", []twobytwo.Took{{Recovered: true}}, 0, false},
		{"unnoticed", []twobytwo.Took{{Cells: []twobytwo.Cell{cell(0.999, 0.999)}, Recovered: true}}, 100, true},
		{"better under the fault is not more than unnoticed", []twobytwo.Took{{Cells: []twobytwo.Cell{cell(0.99, 1)}, Recovered: true}}, 100, true},
		{"half of what is allowed", []twobytwo.Took{{Cells: []twobytwo.Cell{cell(1, 0.995)}, Recovered: true}}, 50, true},
		{"more than all", []twobytwo.Took{{Cells: []twobytwo.Cell{cell(1, 0.5)}, Recovered: true}}, 0, true},
		{"never recovered", []twobytwo.Took{{Cells: []twobytwo.Cell{cell(1, 1)}}}, 0, true},
		{"the mean of all", []twobytwo.Took{{Cells: []twobytwo.Cell{cell(1, 1), cell(1, 0.995)}, Recovered: true}, {Cells: []twobytwo.Cell{cell(1, 0.99)}, Recovered: true}}, 50, true},
	} {
		if got, ok := twobytwo.Score(c.took); math.Abs(got-c.want) > 1e-9 || ok != c.ok {
			t.Errorf("%s: %v %v, want %v %v", c.name, got, ok, c.want, c.ok)
		}
	}
}

func TestARecordHasTheThreeDifferencesWithTheirIntervals(t *testing.T) {
	objective := 0.99
	under := release.Evidence{Threshold: &objective, Facts: map[string]string{"slo": "web", "title": "availability"}}
	spec := release.CompareSpec{Worse: release.WorseRefuse, Tolerance: 0.5}
	ev := twobytwo.Record(under, table(0.999, 0.998, 0.999, 0.97, 5000), spec)
	again, ok := twobytwo.Again(ev)
	if !ok {
		t.Fatalf("the record cannot be read: %v", ev.Facts)
	}
	for key, want := range map[string]twobytwo.Change{"difference.without": again.Without, "difference.under": again.Under, "extra": again.Extra} {
		for end, v := range map[string]float64{"": want.By, ".low": want.Low, ".high": want.High} {
			if got, err := strconv.ParseFloat(ev.Facts[key+end], 64); err != nil || got != v {
				t.Errorf("%s is %q, want %v", key+end, ev.Facts[key+end], v)
			}
		}
	}
	if few := twobytwo.Record(under, table(1, 1, 1, 0, 49), spec); few.Facts["extra"] != "" || few.Facts["extra.low"] != "" {
		t.Errorf("too few events have a difference: %v", few.Facts)
	}
}
