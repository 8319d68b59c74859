// Package evidence reads what the steps of a trial have left: which experiment a piece is
// of, which attempt at it, and what it is about.
//
// Start at Latest, then About. It never judges: package chaos does, and package
// chaos/report writes it down.
package evidence

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// Keys of the facts that say where a piece belongs.
const (
	FactExperiment = "experiment"
	FactAttempt    = "attempt"
	FactAbout      = "about"
)

// What a piece is about.
const (
	Targets   = "targets"
	Limits    = "limits"
	Baseline  = "baseline" // an SLO without the fault
	Injected  = "injected"
	Fault     = "fault" // an SLO under the fault
	Reverted  = "reverted"
	Recovered = "recovered"
	Compared  = "compared"
	Aborted   = "aborted"

	// Verified stands before what is about the last verified release, tried beside the candidate.
	Verified = "verified."
)

// Experiments are those that left evidence, in order.
func Experiments(all []release.Evidence) (names []string) {
	for _, ev := range all {
		if n := ev.Facts[FactExperiment]; n != "" && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// Attempts is the number of an experiment's last attempt, 0 when there was none.
func Attempts(all []release.Evidence, experiment string) int {
	last := 0
	for _, ev := range all {
		if n, _ := strconv.Atoi(ev.Facts[FactAttempt]); ev.Facts[FactExperiment] == experiment {
			last = max(last, n)
		}
	}
	return last
}

// Latest is the evidence of an experiment's last attempt, of the candidate alone.
func Latest(all []release.Evidence, experiment string) []release.Evidence {
	last := strconv.Itoa(Attempts(all, experiment))
	var of []release.Evidence
	for _, ev := range all {
		if ev.Facts[FactExperiment] == experiment && ev.Facts[FactAttempt] == last && !strings.HasPrefix(ev.Facts[FactAbout], Verified) {
			of = append(of, ev)
		}
	}
	return of
}

// About is what of it is about one thing.
func About(all []release.Evidence, what string) []release.Evidence {
	var of []release.Evidence
	for _, ev := range all {
		if ev.Facts[FactAbout] == what {
			of = append(of, ev)
		}
	}
	return of
}

// Failing is the first about something that does not hold; nil when all do.
func Failing(all []release.Evidence, what string) *release.Evidence {
	for _, ev := range About(all, what) {
		if !ev.Holds {
			return &ev
		}
	}
	return nil
}

// Title is what was measured, as people call it.
func Title(ev release.Evidence) string {
	if t := ev.Facts["title"]; t != "" {
		return t
	}
	return ev.Facts["slo"]
}

// Counted is the events that a measurement counted; false when it counted none.
func Counted(ev release.Evidence) (release.Ratio, bool) {
	good, err := strconv.ParseFloat(ev.Facts["good"], 64)
	total, err2 := strconv.ParseFloat(ev.Facts["total"], 64)
	ok := err == nil && err2 == nil && total > 0 && !math.IsInf(total, 0) && !math.IsNaN(good) && !math.IsInf(good, 0)
	return release.Ratio{Good: good, Total: total}, ok
}
