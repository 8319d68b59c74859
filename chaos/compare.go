package chaos

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/seatrial/seatrial/chaos/twobytwo"
	"github.com/seatrial/seatrial/release"
)

// CellKey names one cell of the two-by-two in Trial.Cells: what is baseline or fault.
func CellKey(experiment, slo, cluster, what string) string {
	return experiment + "/" + slo + "@" + cluster + "/" + what
}

func cell(t release.Trial, experiment, cluster, what string, ev release.Evidence) release.Trial {
	r, ok := ratio(ev)
	if !ok {
		return t
	}
	t.Cells = maps.Clone(t.Cells)
	if t.Cells == nil {
		t.Cells = map[string]release.Ratio{}
	}
	t.Cells[CellKey(experiment, ev.Facts["slo"], cluster, what)] = r
	return t
}

func ratio(ev release.Evidence) (release.Ratio, bool) {
	good, err := strconv.ParseFloat(ev.Facts["good"], 64)
	total, err2 := strconv.ParseFloat(ev.Facts["total"], 64)
	return release.Ratio{Good: good, Total: total}, err == nil && err2 == nil && total > 0
}

// broke says what a fault breaks, without where and when: the same words, the same fault.
func broke(f *release.FaultRecord) string {
	what := fmt.Sprintf("%s of %d", title(f), len(f.Targets))
	if len(f.With) > 0 {
		with, _ := json.Marshal(f.With) // of decoded YAML: it never fails, and sorts its keys
		what += " with " + string(with)
	}
	return what
}

// compare sets the candidate's cells beside those of the last verified release under the
// same fault.
func compare(t release.Trial, s Subject) release.Trial {
	name := s.Experiment.Meta.Name
	if t.Fault != nil {
		t.Broke = maps.Clone(t.Broke)
		if t.Broke == nil {
			t.Broke = map[string]string{}
		}
		t.Broke[name] = broke(t.Fault)
	}
	if s.Before == nil {
		return t
	}
	was, is := s.Before.Broke[name], t.Broke[name]
	for _, ev := range about(latest(t.Evidence, name), cellFault) {
		table, ok := tableOf(t, s, ev.Facts["slo"])
		if !ok {
			continue
		}
		c := twobytwo.Record(ev, table, s.Compare)
		if was != is {
			c = twobytwo.Other(ev, was, is)
		}
		if c.Facts["beside"] = s.BeforeOn; s.BeforeNote != "" {
			c.Detail += "; " + s.BeforeNote
		}
		t = note(t, name, aboutCompared, c)
	}
	return t
}

// tableOf is false unless both releases have both cells.
func tableOf(t release.Trial, s Subject, slo string) (twobytwo.Table, bool) {
	row := func(of release.Trial, cluster string) (twobytwo.Side, bool) {
		without, ok := of.Cells[CellKey(s.Experiment.Meta.Name, slo, cluster, cellBaseline)]
		under, ok2 := of.Cells[CellKey(s.Experiment.Meta.Name, slo, cluster, cellFault)]
		return twobytwo.Side{Without: without, Under: under}, ok && ok2
	}
	verified, ok := row(*s.Before, cmp.Or(s.BeforeOn, s.Cluster))
	candidate, ok2 := row(t, s.Cluster)
	return twobytwo.Table{Verified: verified, Candidate: candidate}, ok && ok2
}

// doubtful reports whether the current attempt is the first that found the release worse.
func doubtful(t release.Trial, experiment string) bool {
	all := latest(t.Evidence, experiment)
	if _, bad := measured(all, cellFault, trusting); bad || failing(all, aboutRecovered) != nil {
		return false // that decides already
	}
	if _, bad := twobytwo.Verdict(about(all, aboutCompared)); !bad {
		return false
	}
	for _, ev := range about(t.Evidence, aboutCompared) {
		if ev.Facts["experiment"] == experiment && ev.Facts["attempt"] == strconv.Itoa(t.Attempt-1) && !ev.Holds {
			return false
		}
	}
	return true
}

// score is how well a release took the faults of its trial, 0 to 100, by
// twobytwo.Score; false when nothing was measured.
func score(t release.Trial) (float64, bool) {
	var names []string
	seen := map[string]bool{}
	for _, ev := range t.Evidence {
		if n := ev.Facts["experiment"]; n != "" && !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	var all []twobytwo.Took
	for _, n := range names {
		all = append(all, took(latest(t.Evidence, n)))
	}
	return twobytwo.Score(all)
}

func took(all []release.Evidence) twobytwo.Took {
	var t twobytwo.Took
	for _, ev := range about(all, aboutRecovered) {
		t.Recovered = ev.Holds
	}
	for _, under := range about(all, cellFault) {
		for _, base := range about(all, cellBaseline) {
			w, ok := ratio(base)
			u, ok2 := ratio(under)
			if ok && ok2 && base.Facts["slo"] == under.Facts["slo"] && under.Threshold != nil {
				t.Cells = append(t.Cells, twobytwo.Cell{Side: twobytwo.Side{Without: w, Under: u}, Objective: *under.Threshold})
			}
		}
	}
	return t
}
