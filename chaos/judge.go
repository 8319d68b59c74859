package chaos

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/chaos/twobytwo"
	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
)

// claim is what evidence says that ends an experiment early.
func claim(about string) string {
	if about == evidence.Injected {
		return "the fault was injected"
	}
	return "the experiment stays within its limits"
}

// note adds evidence to the current attempt of an experiment.
func note(t release.Trial, experiment, about string, ev release.Evidence) release.Trial {
	facts := maps.Clone(ev.Facts)
	if facts == nil {
		facts = map[string]string{}
	}
	facts[evidence.FactExperiment], facts[evidence.FactAttempt], facts[evidence.FactAbout] = experiment, attempt(t), about
	ev.Facts = facts
	if ev.Gate == "" {
		ev.Gate = "trial"
	}
	t.Evidence = append(slices.Clone(t.Evidence), ev)
	return t
}

func has(all []release.Evidence, n int, what string) bool {
	found := evidence.About(all, what)
	return len(found) > 0 && found[0].Facts["attempt"] == strconv.Itoa(n)
}

// live reports whether the trial's fault may still exist.
func live(t release.Trial) bool {
	if t.Fault == nil || t.Fault.Name == "" {
		return false
	}
	for _, ev := range t.Evidence {
		if ev.Facts["about"] == evidence.Reverted && ev.Holds && ev.Fault != nil && ev.Fault.Name == t.Fault.Name {
			return false
		}
	}
	return true
}

// Live reports whether a trial's fault may still be active: its run is not an orphan.
func Live(t *release.Trial, run string) bool {
	return t != nil && (t.Step != stepEnded && t.Fault != nil && t.Fault.Name == run && live(*t) || Live(t.Beside, run))
}

// Rejudge judges an SLO's evidence again from its samples: slo.Rejudge. Nil takes the
// outcome that was recorded when the evidence was made.
type Rejudge func(release.Evidence) (release.Outcome, error)

// trusting takes the outcome that was recorded when the evidence was made.
func trusting(ev release.Evidence) (release.Outcome, error) {
	return outcome(ev.Facts["outcome"]), nil
}

func outcome(word string) release.Outcome {
	for _, o := range []release.Outcome{release.Passed, release.Waiting, release.Refused, release.Undetermined} {
		if o.String() == word {
			return o
		}
	}
	return release.NoOutcome
}

// Replay is the verdict of a stored trial, experiment by experiment, from its evidence
// alone; the SLOs are judged again from their samples.
func Replay(t release.Trial, rejudge Rejudge) release.Verdict {
	if rejudge == nil {
		rejudge = trusting
	}
	names := evidence.Experiments(t.Evidence)
	if len(names) == 0 {
		return release.Inconclusive("the trial left no evidence", "")
	}
	var reasons []string
	for _, n := range names {
		v := Conclude(evidence.Latest(t.Evidence, n), rejudge)
		if v.Outcome() != release.Passed {
			return v
		}
		reasons = append(reasons, v.Reason())
	}
	return release.Pass(t.Evidence...).Because(strings.Join(reasons, "; "))
}

// Conclude is the verdict on one experiment. The order is the order of doubt: a fault that
// may still be there, one that was never there, a service that was broken before, one that
// did not come back, and only then what was measured.
func Conclude(all []release.Evidence, rejudge Rejudge) release.Verdict {
	v := conclude(all, rejudge)
	return v.With(all...)
}

func conclude(all []release.Evidence, rejudge Rejudge) release.Verdict {
	if ev := evidence.Failing(all, evidence.Reverted); ev != nil {
		return release.Inconclusive(ev.Detail, "a fault is still active: look at Chaos Mesh's controller, then retry")
	}
	if ev := evidence.Failing(all, evidence.Aborted); ev != nil {
		return release.Inconclusive("aborted: "+ev.Detail, "")
	}
	if ev := evidence.Failing(all, evidence.Limits); ev != nil {
		return release.Inconclusive("nothing was injected: "+ev.Detail, "correct the experiment or bring the service to full strength, then retry")
	}
	if ev := evidence.Failing(all, evidence.Injected); ev != nil {
		return release.Inconclusive("cannot inject: "+ev.Detail, "the release was neither passed nor refused; run: seatrial doctor")
	}
	if v, bad := measured(all, evidence.Baseline, rejudge); bad {
		return v
	}
	if len(evidence.About(all, evidence.Injected)) == 0 || len(evidence.About(all, evidence.Reverted)) == 0 || len(evidence.About(all, evidence.Recovered)) == 0 {
		return release.Inconclusive("the experiment did not run to its end", "")
	}
	if ev := evidence.Failing(all, evidence.Recovered); ev != nil {
		f := evidence.About(all, evidence.Injected)[0].Fault
		return release.Refuse(fmt.Sprintf("it did not recover from %s within %s: %s", title(f), recoverLimit, ev.Detail), "the fault is reverted; look at the pods' events and logs")
	}
	if v, bad := measured(all, evidence.Fault, rejudge); bad {
		return v
	}
	if v, bad := twobytwo.Verdict(evidence.About(all, evidence.Compared)); bad {
		return v
	}
	return release.Pass().Because(success(all))
}

// measured judges one row of cells; bad when any of them does not pass.
func measured(all []release.Evidence, what string, rejudge Rejudge) (release.Verdict, bool) {
	var refused, undecided []string
	cells := evidence.About(all, what)
	for _, ev := range cells {
		o, err := release.Passed, error(nil)
		if ev.Facts["slo"] != "" {
			o, err = rejudge(ev)
		}
		switch {
		case err != nil:
			undecided = append(undecided, err.Error())
		case o == release.Refused:
			refused = append(refused, fell(all, ev))
		case o != release.Passed:
			undecided = append(undecided, ev.Facts["slo"]+": "+ev.Detail)
		}
	}
	switch {
	case len(refused) > 0:
		return release.Refuse(strings.Join(refused, "; "), "the fault is reverted; the samples with and without it are in the evidence"), true
	case len(undecided) > 0:
		when := map[string]string{evidence.Baseline: "without a fault", evidence.Fault: "under the fault"}[what]
		return release.Inconclusive("not measured "+when+": "+strings.Join(undecided, "; "), "send it traffic or correct the SLO's queries, then retry"), true
	}
	return release.Verdict{}, false
}

// fell says in one sentence what was measured, against what, and how it was without.
func fell(all []release.Evidence, ev release.Evidence) string {
	name, objective := evidence.Title(ev), "its objective"
	if ev.Threshold != nil {
		objective = "objective " + chance.Percent(*ev.Threshold)
	}
	if ev.Measured == nil {
		return name + ": " + ev.Detail
	}
	if ev.Facts["about"] == evidence.Baseline {
		return fmt.Sprintf("%s is %s without any fault (%s)", name, chance.Percent(*ev.Measured), objective)
	}
	compared := ""
	for _, base := range evidence.About(all, evidence.Baseline) {
		if base.Facts["slo"] == ev.Facts["slo"] && base.Measured != nil {
			compared = "; " + chance.Percent(*base.Measured) + " without it"
		}
	}
	for _, c := range evidence.About(all, evidence.Compared) {
		if c.Facts["slo"] == ev.Facts["slo"] && c.Threshold != nil {
			compared += "; the last verified release had " + chance.Percent(*c.Threshold) + " under the same fault"
		}
	}
	return fmt.Sprintf("%s fell to %s while %s was active (%s%s)", name, chance.Percent(*ev.Measured), title(ev.Fault), objective, compared)
}

func success(all []release.Evidence) string {
	var parts []string
	for _, ev := range evidence.About(all, evidence.Fault) {
		if ev.Measured != nil && ev.Threshold != nil {
			parts = append(parts, fmt.Sprintf("%s was %s while %s was active (objective %s)", evidence.Title(ev), chance.Percent(*ev.Measured), title(ev.Fault), chance.Percent(*ev.Threshold)))
		}
	}
	for _, ev := range evidence.About(all, evidence.Recovered) {
		if ev.Measured != nil {
			// Pods tell whole seconds: it may have taken up to a second more.
			parts = append(parts, fmt.Sprintf("recovered within %.0f s", math.Ceil(*ev.Measured+1)))
		}
	}
	for _, ev := range evidence.About(all, evidence.Compared) {
		switch f, ok := twobytwo.Again(ev); {
		case !ok && ev.Detail == "": // recorded before there were cells, and nothing was found
		case !ok || f.Outcome == release.Undetermined:
			parts = append(parts, "not compared with the last verified release: "+ev.Detail)
		case f.Outcome == release.Refused:
			parts = append(parts, "but "+ev.Detail)
		default:
			parts = append(parts, "no worse than the last verified release")
		}
	}
	return strings.Join(parts, ", ")
}

// worst is the most serious outcome: Refuse before Wait before Inconclusive before Pass.
func worst(found []release.Evidence) string {
	for _, o := range []release.Outcome{release.Refused, release.Waiting, release.Undetermined} {
		for _, ev := range found {
			if ev.Facts["outcome"] == o.String() {
				return o.String()
			}
		}
	}
	return release.Passed.String()
}

func title(f *release.FaultRecord) string {
	if f == nil {
		return "the fault"
	}
	return f.Kind + " " + f.Action
}

func record(f *release.FaultRecord) *release.FaultRecord {
	c := *f
	c.Targets = slices.Clone(f.Targets)
	return &c
}

func clone(t release.Trial) release.Trial {
	if t.Fault != nil {
		t.Fault = record(t.Fault)
	}
	return t
}
