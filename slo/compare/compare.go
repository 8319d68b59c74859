// Package compare decides whether a candidate is worse than the last verified release,
// from samples of both or from counts of good events.
//
// Start at Samples and Ratios, then All. It is pure: it asks nobody, and everything it
// needs is an argument. It never calls too little data a pass.
package compare

import (
	"fmt"
	"math"
	"slices"

	"github.com/seatrial/seatrial/release"
)

// Direction says which change of a metric is bad.
type Direction int

// The directions there are; the zero value is none.
const (
	NoDirection Direction = iota
	Increase              // more is worse: latency
	Decrease              // less is worse: hits of a cache
	Either
	endOfDirections
)

// String is the word of the settings.
func (d Direction) String() string {
	if d <= NoDirection || d >= endOfDirections {
		return "unknown"
	}
	return [...]string{"", "increase", "decrease", "either"}[d]
}

// Metric is what is compared and how. Zero fields mean the defaults.
type Metric struct {
	Name      string
	Direction Direction
	Critical  bool    // it alone refuses
	Tolerance float64 // share of the verified release's median, or of all events, that a change may have
	MinEffect float64 // Cliff's delta that counts; default 0.147, the usual bound of "negligible"
	MinPoints int     // of each side; default 50 samples, or events
	NaNIsZero bool    // default: NaN is left out
	Trim      bool    // leave out what is further than three interquartile ranges from the quartiles
}

const (
	confidence = 0.98
	z          = 2.3263478740408408 // of a two-sided interval with that confidence
	maxPoints  = 1000               // of each side; more are thinned out evenly
)

// Codes of a Result.
const (
	CodeAlike     = "alike"          // passed: no harm was found
	CodeWorse     = "worse"          // refused
	CodeFewPoints = "too-few-points" // nobody can tell
	CodeNaN       = "not-a-number"   // infinite, or mostly NaN
)

// Result is the decision about one metric.
type Result struct {
	Metric    Metric
	Outcome   release.Outcome // Passed, Refused or Undetermined
	Code      string
	Reason    string
	Test      Test    // of samples
	Shift     float64 // after less before
	Low, High float64 // 98 % interval of Shift
	Before    int     // points that counted
	After     int
}

// Samples compares the values that a metric had under the last verified release with
// those under the candidate. Worse is what the rank test refuses at 98 %, with an effect
// that counts, by more than the tolerance for certain.
func Samples(metric Metric, before, after []float64) Result {
	r := Result{Metric: metric.withDefaults()}
	b, okBefore := r.Metric.clean(before)
	a, okAfter := r.Metric.clean(after)
	r.Before, r.After = len(b), len(a)
	switch {
	case !okBefore || !okAfter:
		return r.undetermined(CodeNaN, "some values are infinite, or most are NaN")
	case min(r.Before, r.After) < r.Metric.MinPoints:
		return r.undetermined(CodeFewPoints, fmt.Sprintf("%d values before and %d now, each needs %d", r.Before, r.After, r.Metric.MinPoints))
	}
	r.Test = MannWhitney(b, a)
	r.Shift, r.Low, r.High = Shift(b, a, z)
	usual := median(b)
	tolerated := r.Metric.Tolerance * math.Abs(usual)
	said := fmt.Sprintf("changed by %s (98 %%: %s to %s) from %s, p %.2g, effect %.2f",
		short(r.Shift), short(r.Low), short(r.High), short(usual), r.Test.P, r.Test.Delta)
	counts := r.Test.P < 1-confidence && math.Abs(r.Test.Delta) >= r.Metric.MinEffect
	return r.decided(counts && r.Metric.worse(r.Low, r.High, tolerated), said)
}

func (m Metric) withDefaults() Metric {
	if m.Direction == NoDirection {
		m.Direction = Either
	}
	if m.MinEffect == 0 {
		m.MinEffect = 0.147
	}
	if m.MinPoints <= 0 {
		m.MinPoints = 50
	}
	return m
}

// worse: the whole interval lies beyond what is tolerated, on a bad side.
func (m Metric) worse(low, high, tolerated float64) bool {
	up, down := low > tolerated, high < -tolerated
	switch m.Direction {
	case Increase:
		return up
	case Decrease:
		return down
	}
	return up || down
}

// clean is what of the values counts; false when there is no use in them. Values that are
// left out as NaN are at most as many as those that stay.
func (m Metric) clean(values []float64) ([]float64, bool) {
	kept := make([]float64, 0, len(values))
	for _, v := range values {
		switch {
		case math.IsInf(v, 0):
			return nil, false
		case math.IsNaN(v) && m.NaNIsZero:
			kept = append(kept, 0)
		case !math.IsNaN(v):
			kept = append(kept, v)
		}
	}
	if 2*len(kept) < len(values) {
		return nil, false
	}
	if m.Trim {
		kept = trim(kept)
	}
	return thin(kept), true
}

// trim leaves out what is far from the rest. Where half of the values are equal, nothing
// can be said to be far, and all stay.
func trim(values []float64) []float64 {
	if len(values) < 4 {
		return values
	}
	sorted := slices.Sorted(slices.Values(values))
	first, third := quantile(sorted, 0.25), quantile(sorted, 0.75)
	reach := 3 * (third - first)
	if reach == 0 {
		return values
	}
	return slices.DeleteFunc(values, func(v float64) bool { return v < first-reach || v > third+reach })
}

func thin(values []float64) []float64 {
	if len(values) <= maxPoints {
		return values
	}
	kept := make([]float64, maxPoints)
	for i := range kept {
		kept[i] = values[i*len(values)/maxPoints]
	}
	return kept
}

func (r Result) decided(worse bool, said string) Result {
	r.Outcome, r.Code, r.Reason = release.Passed, CodeAlike, r.Metric.Name+" "+said
	if worse {
		r.Outcome, r.Code = release.Refused, CodeWorse
	}
	return r
}

func (r Result) undetermined(code, said string) Result {
	r.Outcome, r.Code, r.Reason = release.Undetermined, code, r.Metric.Name+": "+said
	return r
}

func short(v float64) string { return fmt.Sprintf("%.4g", v) }
