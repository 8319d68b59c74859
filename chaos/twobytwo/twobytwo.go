// Package twobytwo compares a candidate with the last verified release under the same
// fault: {verified, candidate} x {without, under the fault}.
//
// Start at Decide, the decision about one SLO, and Score, how well a release took its
// faults. It is pure. It never calls too few events a difference, and never a release
// worse because its fault was another.
package twobytwo

import (
	"fmt"
	"math"
	"slices"

	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
)

// Side is one release: the events of one SLO without and under the fault.
type Side struct{ Without, Under release.Ratio }

// Table is the two-by-two of one SLO.
type Table struct{ Verified, Candidate Side }

// Change is by how much a share of good events differs, with the interval that holds it
// in 98 of 100 cases; negative is worse.
type Change struct{ By, Low, High float64 }

// Codes of a Finding.
const (
	CodeAlike     = "alike"           // no harm was found
	CodeResilient = "less-resilient"  // refused: the fault does more harm than it did
	CodeWorse     = "worse-anyway"    // refused: worse under the fault, and no less without it
	CodeWithout   = "worse-without"   // refused: worse before anything was broken
	CodeFewEvents = "too-few-events"  // nobody can tell
	CodeNumbers   = "no-event-counts" // what was recorded are no counts
	CodeOther     = "another-fault"   // the verified release was tried with another
)

// Finding is what the table says.
type Finding struct {
	Outcome    release.Outcome // Passed, Refused or Undetermined
	Code       string
	Without    Change  // candidate less verified, without the fault
	Under      Change  // and under it
	Extra      Change  // Under less Without: what the fault does to the candidate alone
	Confidence float64 // that Extra is below zero, 0..1
	Reason     string
}

const (
	z         = 2.3263478740408408 // 99 % to each side
	minEvents = 50                 // of each cell
)

// Decide compares. Worse is a share of good events that is lower for certain, by more than
// the tolerance, under the fault or already without it.
func Decide(t Table, tolerance float64) Finding {
	cells := []release.Ratio{t.Verified.Without, t.Verified.Under, t.Candidate.Without, t.Candidate.Under}
	for _, c := range cells {
		if !counts(c) {
			return Finding{Outcome: release.Undetermined, Code: CodeNumbers, Reason: fmt.Sprintf("%v of %v are no counts of events", c.Good, c.Total)}
		}
	}
	for _, c := range cells {
		if c.Total < minEvents {
			return Finding{Outcome: release.Undetermined, Code: CodeFewEvents,
				Reason: fmt.Sprintf("%.0f events in one of the four cells, each needs %d", math.Floor(c.Total), minEvents)}
		}
	}
	without := []chance.Term{term(1, t.Candidate.Without), term(-1, t.Verified.Without)}
	under := []chance.Term{term(1, t.Candidate.Under), term(-1, t.Verified.Under)}
	extra := append(slices.Clone(under), term(-1, t.Candidate.Without), term(1, t.Verified.Without))
	f := Finding{Without: change(z, without), Under: change(z, under), Extra: change(z, extra), Confidence: below(extra)}
	f.Outcome, f.Code = release.Refused, ""
	switch {
	case f.Under.High < -tolerance && f.Extra.High < 0:
		f.Code = CodeResilient
	case f.Without.High < -tolerance:
		f.Code = CodeWithout
	case f.Under.High < -tolerance:
		f.Code = CodeWorse
	default:
		f.Outcome, f.Code = release.Passed, CodeAlike
	}
	f.Reason = fmt.Sprintf("the fault changes it by %s points more than it changed the last verified release (98 %%: %s to %s, %s sure that it is worse)",
		points(f.Extra.By), points(f.Extra.Low), points(f.Extra.High), sure(f.Confidence))
	return f
}

func counts(r release.Ratio) bool {
	for _, v := range []float64{r.Good, r.Total} {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return false
		}
	}
	return true
}

func term(sign float64, r release.Ratio) chance.Term {
	return chance.Term{Sign: sign, Hits: r.Good, Total: r.Total}
}

func change(z float64, terms []chance.Term) (c Change) {
	c.By, c.Low, c.High = chance.Sum(z, terms...)
	return c
}

// below is how sure it is that the sum is below zero: the level of the one-sided interval
// that just ends there.
func below(terms []chance.Term) float64 {
	if change(0, terms).By >= 0 {
		return 1 - side(terms, func(c Change) bool { return c.Low > 0 })
	}
	return side(terms, func(c Change) bool { return c.High < 0 })
}

func side(terms []chance.Term, clear func(Change) bool) float64 {
	low, high := 0.0, 8.0
	for range 40 {
		if middle := (low + high) / 2; clear(change(middle, terms)) {
			low = middle
		} else {
			high = middle
		}
	}
	return (1 + math.Erf(low/math.Sqrt2)) / 2
}

// points writes a difference of shares in percentage points.
func points(d float64) string { return fmt.Sprintf("%+.2f", 100*d) }

// sure writes a confidence and never rounds up to 100.
func sure(c float64) string { return fmt.Sprintf("%.1f %%", math.Floor(min(c, 0.999)*1000)/10) }
