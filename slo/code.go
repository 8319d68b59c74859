package slo

import (
	"errors"
	"slices"

	"github.com/seatrial/seatrial/slo/source"
)

// Code is the reason of a ruling in one word, for programs: it stays the same when the
// sentence beside it is put better. docs/platform.md lists them.
type Code string

// The reasons there are.
const (
	CodeKept          Code = "kept"             // passed: the objective was met
	CodeNoSLO         Code = "no-slo"           // passed: nothing was promised, nothing was measured
	CodeSettling      Code = "settling"         // waits: measuring has not begun
	CodeMeasuring     Code = "measuring"        // waits: fine so far, the window is not over
	CodeMissed        Code = "objective-missed" // refused
	CodePageBurn      Code = "page-burn"        // refused at once: the budget burns as fast as wakes people up
	CodeTicketBurn    Code = "ticket-burn"      // of no gate: the budget is lost slowly
	CodeNoTarget      Code = "no-target"        // nothing is healthy at this revision
	CodeNoData        Code = "no-data"          // Prometheus has no such series
	CodeNaN           Code = "not-a-number"     // NaN or infinity
	CodeFewEvents     Code = "too-few-events"   // below minEvents
	CodeUnproved      Code = "unproved"         // too few events for the confidence that is asked for
	CodeFewSamples    Code = "too-few-samples"  // events in fewer than minSamples pieces of the window
	CodeStale         Code = "stale"            // no data younger than maxAge
	CodeBadCount      Code = "implausible"      // negative, or far more good events than all
	CodeFailed        Code = "analysis-failed"  // refused: an AnalysisTemplate's metric failed too often
	CodeUnclear       Code = "analysis-unclear" // its metric was inconclusive, or not to be judged, too often
	CodeAlike         Code = "alike"            // passed: no worse than under the last verified release
	CodeNothingBefore Code = "nothing-before"   // passed: no verified release was measured there
	CodeNotCompared   Code = "not-compared"     // too few samples: nobody can tell whether it is worse
	CodeWorse         Code = "worse"            // refused: worse than under the last verified release
	CodeBadQuery      Code = "bad-query"        // maxErrors times: Prometheus refuses the query, or the answer is no number
	CodeUnasked       Code = "could-not-ask"    // maxErrors times: Prometheus does not answer
)

// Codes are all of them, in the order of the documentation.
func Codes() []Code {
	return []Code{CodeKept, CodeNoSLO, CodeSettling, CodeMeasuring, CodeMissed, CodePageBurn, CodeTicketBurn, CodeNoTarget, CodeNoData, CodeNaN,
		CodeFewEvents, CodeUnproved, CodeFewSamples, CodeStale, CodeBadCount, CodeFailed, CodeUnclear, CodeAlike, CodeNothingBefore, CodeNotCompared, CodeWorse, CodeBadQuery, CodeUnasked}
}

// CodeOf is the reason of an error of Prometheus: the question is wrong, or it could not
// be asked.
func CodeOf(err error) Code {
	if errors.Is(err, source.ErrQuery) {
		return CodeBadQuery
	}
	return CodeUnasked
}

// missing reports whether there was too little to judge by, which more time may bring.
func (c Code) missing() bool {
	return slices.Contains([]Code{CodeNoData, CodeNaN, CodeFewEvents, CodeUnproved, CodeFewSamples, CodeStale}, c)
}
