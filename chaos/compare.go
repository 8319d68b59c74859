package chaos

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/chaos/twobytwo"
	"github.com/seatrial/seatrial/release"
)

// CellKey names one cell of the two-by-two in Trial.Cells: what is baseline or fault.
func CellKey(experiment, slo, cluster, what string) string {
	return experiment + "/" + slo + "@" + cluster + "/" + what
}

func cell(t release.Trial, experiment, cluster, what string, ev release.Evidence) release.Trial {
	r, ok := evidence.Counted(ev)
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
	for _, ev := range evidence.About(evidence.Latest(t.Evidence, name), evidence.Fault) {
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
		t = note(t, name, evidence.Compared, c)
	}
	return t
}

// tableOf is false unless both releases have both cells.
func tableOf(t release.Trial, s Subject, slo string) (twobytwo.Table, bool) {
	row := func(of release.Trial, cluster string) (twobytwo.Side, bool) {
		without, ok := of.Cells[CellKey(s.Experiment.Meta.Name, slo, cluster, evidence.Baseline)]
		under, ok2 := of.Cells[CellKey(s.Experiment.Meta.Name, slo, cluster, evidence.Fault)]
		return twobytwo.Side{Without: without, Under: under}, ok && ok2
	}
	verified, ok := row(*s.Before, cmp.Or(s.BeforeOn, s.Cluster))
	candidate, ok2 := row(t, s.Cluster)
	return twobytwo.Table{Verified: verified, Candidate: candidate}, ok && ok2
}

// doubtful reports whether the current attempt is the first that found the release worse.
func doubtful(t release.Trial, experiment string) bool {
	all := evidence.Latest(t.Evidence, experiment)
	if _, bad := measured(all, evidence.Fault, trusting); bad || evidence.Failing(all, evidence.Recovered) != nil {
		return false // that decides already
	}
	if _, bad := twobytwo.Verdict(evidence.About(all, evidence.Compared)); !bad {
		return false
	}
	for _, ev := range evidence.About(t.Evidence, evidence.Compared) {
		if ev.Facts["experiment"] == experiment && ev.Facts["attempt"] == strconv.Itoa(t.Attempt-1) && !ev.Holds {
			return false
		}
	}
	return true
}

// score is how well a release took the faults of its trial, 0 to 100, by
// twobytwo.Score; false when nothing was measured.
func score(t release.Trial) (float64, bool) {
	var all []twobytwo.Took
	for _, n := range evidence.Experiments(t.Evidence) {
		all = append(all, took(evidence.Latest(t.Evidence, n)))
	}
	return twobytwo.Score(all)
}

func took(all []release.Evidence) twobytwo.Took {
	var t twobytwo.Took
	for _, ev := range evidence.About(all, evidence.Recovered) {
		t.Recovered = ev.Holds
	}
	for _, under := range evidence.About(all, evidence.Fault) {
		for _, base := range evidence.About(all, evidence.Baseline) {
			w, ok := evidence.Counted(base)
			u, ok2 := evidence.Counted(under)
			if ok && ok2 && base.Facts["slo"] == under.Facts["slo"] && under.Threshold != nil {
				t.Cells = append(t.Cells, twobytwo.Cell{Side: twobytwo.Side{Without: w, Under: u}, Objective: *under.Threshold})
			}
		}
	}
	return t
}
