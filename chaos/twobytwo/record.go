package twobytwo

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
)

// Keys of a comparison's facts: the four cells, each as "good/total", and what they were
// decided by. A replay needs nothing else.
const (
	factVerifiedWithout  = "verified.without"
	factVerifiedUnder    = "verified.under"
	factCandidateWithout = "candidate.without"
	factCandidateUnder   = "candidate.under"
	factTolerance        = "tolerance" // in shares of good events
	factWorse            = "worse"     // what becomes of one that is: release.CompareSpec
	factCode             = "code"
	factConfidence       = "confidence" // that the difference in differences is below zero
)

// Keys of the three differences, in shares; each has its interval beside it, as ".low" and
// ".high". They are for people: a replay computes them again.
const (
	factWithout = "difference.without" // candidate less verified, without the fault
	factUnder   = "difference.under"   // and under it
	factExtra   = "extra"              // difference in differences
)

// Record is the two-by-two of one SLO as evidence; under is the candidate's measurement
// under the fault, with the objective as its threshold.
func Record(under release.Evidence, t Table, spec release.CompareSpec) release.Evidence {
	objective := 0.0
	if under.Threshold != nil {
		objective = *under.Threshold
	}
	tolerance := spec.Tolerance * (1 - objective)
	f := Decide(t, tolerance)
	ev := release.Evidence{
		Claim: evidence.Title(under) + " under the fault is no worse than the last verified release's", Holds: f.Outcome != release.Refused, Cluster: under.Cluster, Detail: f.Reason,
		Facts: map[string]string{"slo": under.Facts["slo"], "title": under.Facts["title"], "outcome": f.Outcome.String(), factCode: f.Code, factWorse: spec.Worse,
			factTolerance: number(tolerance), factConfidence: number(f.Confidence),
			factVerifiedWithout: counted(t.Verified.Without), factVerifiedUnder: counted(t.Verified.Under),
			factCandidateWithout: counted(t.Candidate.Without), factCandidateUnder: counted(t.Candidate.Under)},
	}
	if f.Outcome != release.Undetermined {
		for key, c := range map[string]Change{factWithout: f.Without, factUnder: f.Under, factExtra: f.Extra} {
			ev.Facts[key], ev.Facts[key+".low"], ev.Facts[key+".high"] = number(c.By), number(c.Low), number(c.High)
		}
	}
	if f.Code != CodeNumbers {
		now, before := share(t.Candidate.Under), share(t.Verified.Under)
		ev.Measured, ev.Threshold = &now, &before
	}
	return ev
}

// Other is the evidence that the last verified release was tried with another fault, and
// so nothing is compared.
func Other(under release.Evidence, was, is string) release.Evidence {
	return release.Evidence{Claim: evidence.Title(under) + " under the fault is compared with the last verified release's", Cluster: under.Cluster,
		Detail: fmt.Sprintf("the last verified release was tried with another fault: %s, now %s", was, is),
		Facts:  map[string]string{"slo": under.Facts["slo"], "title": under.Facts["title"], "outcome": release.Undetermined.String(), factCode: CodeOther}}
}

// Again decides a recorded comparison again from its counts; false when it has none.
func Again(ev release.Evidence) (Finding, bool) {
	t, tolerance, err := Read(ev)
	if err != nil {
		return Finding{}, false
	}
	return Decide(t, tolerance), true
}

// Read is the table and the tolerance that a comparison was recorded with.
func Read(ev release.Evidence) (t Table, tolerance float64, err error) {
	for key, into := range map[string]*release.Ratio{
		factVerifiedWithout: &t.Verified.Without, factVerifiedUnder: &t.Verified.Under,
		factCandidateWithout: &t.Candidate.Without, factCandidateUnder: &t.Candidate.Under,
	} {
		if *into, err = uncounted(ev.Facts[key]); err != nil {
			return t, 0, fmt.Errorf("%s: %w", key, err)
		}
	}
	tolerance, err = strconv.ParseFloat(ev.Facts[factTolerance], 64)
	return t, tolerance, err
}

// Verdict is what the comparisons say of a release that kept its objectives; bad when it
// is worse than the last verified release, and that counts.
func Verdict(all []release.Evidence) (v release.Verdict, bad bool) {
	var worse []string
	hold := false
	for _, ev := range all {
		t, tolerance, err := Read(ev)
		if err != nil || ev.Facts[factWorse] == release.WorseTell {
			continue
		}
		f := Decide(t, tolerance)
		if f.Outcome != release.Refused {
			continue
		}
		hold = hold || ev.Facts[factWorse] == release.WorseHold
		worse = append(worse, fmt.Sprintf("%s keeps its objective and is worse than the last verified release (%s): %s without the fault and %s under it, that one had %s and %s; %s",
			evidence.Title(ev), f.Code, chance.Percent(share(t.Candidate.Without)), chance.Percent(share(t.Candidate.Under)), chance.Percent(share(t.Verified.Without)), chance.Percent(share(t.Verified.Under)), f.Reason))
	}
	switch {
	case len(worse) == 0:
		return release.Verdict{}, false
	case hold:
		return release.Inconclusive(strings.Join(worse, "; "), "a person decides: seatrial release retry, or roll back"), true
	}
	return release.Refuse(strings.Join(worse, "; "), "the fault is reverted; the environment's trial.compare says what is tolerated"), true
}

func counted(r release.Ratio) string { return number(r.Good) + "/" + number(r.Total) }

func uncounted(text string) (release.Ratio, error) {
	good, total, _ := strings.Cut(text, "/")
	g, err := strconv.ParseFloat(good, 64)
	if err != nil {
		return release.Ratio{}, err
	}
	t, err := strconv.ParseFloat(total, 64)
	return release.Ratio{Good: g, Total: t}, err
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
