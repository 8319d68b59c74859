package report

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/chaos/twobytwo"
	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/release"
)

const (
	maxTargets = 200
	sure       = 1.645 // standard deviations of an interval of 90 %, as chaos/schedule counts failures
)

// experiment is one of a trial or a run; of a trial a comparison is wanted.
func experiment(name string, found []release.Evidence, rejudge chaos.Rejudge, wanted bool) Experiment {
	all, attempt := evidence.Latest(found, name), evidence.Attempts(found, name)
	x := Experiment{Name: clean(name), Attempt: attempt, Verdict: verdictOf(chaos.Conclude(all, rejudge)),
		Targets: []string{}, SLOs: []SLO{}, Compared: []Compared{}, Timeline: []Moment{}, NotMeasured: []string{}}
	for _, ev := range all {
		if x.Cluster == "" {
			x.Cluster = clean(ev.Cluster)
		}
		if x.Revision == "" {
			x.Revision = clean(string(ev.Revision))
		}
	}
	for _, ev := range evidence.About(all, evidence.Targets) {
		x.Aim = clean(ev.Claim)
	}
	x.broken(all)
	x.promises(all)
	x.recovery(all)
	x.comparison(all, wanted)
	x.Hypothesis = x.Supposed(English)
	x.tell(all)
	return x
}

// broken reads the fault from the newest evidence that has it.
func (x *Experiment) broken(all []release.Evidence) {
	for _, ev := range all {
		if ev.Fault == nil {
			continue
		}
		f := Fault{Kind: clean(ev.Fault.Kind), Action: clean(ev.Fault.Action), Name: clean(ev.Fault.Name), Namespace: clean(ev.Fault.Namespace), Injected: ev.Fault.Injected,
			Lasts: faults.Lasts(ev.Fault.Kind, ev.Fault.Action)}
		for k, v := range ev.Fault.With {
			if f.With == nil {
				f.With = map[string]string{}
			}
			text, _ := json.Marshal(v) // it came from JSON
			f.With[clean(k)] = clean(string(text))
		}
		x.Fault, x.Targets, x.LeftOut = &f, []string{}, 0
		for i, t := range ev.Fault.Targets {
			if i == maxTargets {
				x.LeftOut = len(ev.Fault.Targets) - i
				break
			}
			x.Targets = append(x.Targets, clean(t))
		}
	}
	if x.Fault == nil {
		return
	}
	for _, ev := range evidence.About(all, evidence.Reverted) {
		x.Fault.Reverted = ev.From
		if ev.Holds {
			x.Fault.Gone = ev.To
		}
	}
}

func (x *Experiment) promises(all []release.Evidence) {
	place := map[string]int{}
	for _, what := range []string{evidence.Baseline, evidence.Fault} {
		for _, ev := range evidence.About(all, what) {
			slo := ev.Facts["slo"]
			if slo == "" {
				x.NotMeasured = append(x.NotMeasured, clean(ev.Claim))
				continue
			}
			i, ok := place[slo]
			if !ok {
				i = len(x.SLOs)
				place[slo] = i
				x.SLOs = append(x.SLOs, SLO{Name: clean(slo), Title: clean(evidence.Title(ev)), Objective: number(ev.Threshold)})
			}
			if w := window(ev); what == evidence.Baseline {
				x.SLOs[i].Without = w
			} else {
				x.SLOs[i].Under = w
			}
		}
	}
	for _, s := range x.SLOs {
		x.missing(s.Title+" without the fault", s.Without)
		x.missing(s.Title+" under the fault", s.Under)
	}
}

func (x *Experiment) missing(what string, w *Window) {
	switch {
	case w == nil:
		x.NotMeasured = append(x.NotMeasured, what)
	case w.Share == nil && w.Detail != "":
		x.NotMeasured = append(x.NotMeasured, what+": "+w.Detail)
	case w.Share == nil:
		x.NotMeasured = append(x.NotMeasured, what)
	}
}

// number keeps what JSON and a plot can hold.
func number(f *float64) *float64 {
	if f == nil || math.IsNaN(*f) || math.IsInf(*f, 0) {
		return nil
	}
	v := *f
	return &v
}

func window(ev release.Evidence) *Window {
	w := &Window{From: ev.From, To: ev.To, Share: number(ev.Measured), Outcome: clean(ev.Facts["outcome"]), Detail: clean(ev.Detail), Asked: []Asked{}}
	if n, ok := evidence.Counted(ev); ok {
		w.Good, w.Total = n.Good, n.Total
		w.Low, w.High = chance.Wilson(n.Good, n.Total, sure)
	}
	for _, q := range ev.Queries {
		a := Asked{Name: clean(q.Name), Expr: clean(q.Expr), At: q.At, Samples: len(q.Samples)}
		for _, s := range q.Samples {
			if number(&s.Value) != nil {
				a.Sum += s.Value
			}
		}
		for _, text := range q.Warnings {
			a.Warnings = append(a.Warnings, clean(text))
		}
		if !strings.HasPrefix(q.Name, "way ") { // many moments have no sum
			w.Asked = append(w.Asked, a)
		}
		if q.Name == "pieces" {
			w.Pieces = pieces(ev, q)
		}
	}
	w.Way = way(ev.Queries)
	return w
}

// way is the share at each moment at which there were events.
func way(queries []release.Query) (out []Step) {
	sums := map[string]map[time.Time]float64{}
	for _, q := range queries {
		name, ok := strings.CutPrefix(q.Name, "way ")
		if !ok {
			continue
		}
		if sums[name] == nil {
			sums[name] = map[time.Time]float64{}
		}
		for _, s := range q.Samples {
			if number(&s.Value) != nil {
				sums[name][s.Time.UTC()] += s.Value
			}
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(sums["total"]), time.Time.Compare) {
		total, good := sums["total"][at], sums["good"][at]
		if sums["bad"] != nil {
			good = total - sums["bad"][at]
		}
		if total > 0 && len(out) < maxPieces {
			out = append(out, Step{At: at, Share: chance.Share(min(max(good, 0), total), total)})
		}
	}
	return out
}

const maxPieces = 120

// pieces are the events of equal parts of the window; a part that has no sample had none.
func pieces(ev release.Evidence, q release.Query) (out []Piece) {
	n, _ := strconv.Atoi(ev.Facts["minSamples"])
	if n < 2 || n > maxPieces || !ev.To.After(ev.From) {
		return nil
	}
	length := max(ev.To.Sub(ev.From)/time.Duration(n), time.Second)
	sums := map[int64]float64{}
	for _, s := range q.Samples {
		if number(&s.Value) != nil {
			sums[s.Time.Round(time.Millisecond).UnixNano()] += s.Value
		}
	}
	for i := range n {
		to := ev.To.Add(-length * time.Duration(n-1-i))
		out = append(out, Piece{From: to.Add(-length), To: to, Events: sums[to.Round(time.Millisecond).UnixNano()]})
	}
	return out
}

func (x *Experiment) recovery(all []release.Evidence) {
	found := evidence.About(all, evidence.Recovered)
	if len(found) == 0 {
		x.NotMeasured = append(x.NotMeasured, "the recovery: the experiment did not come so far")
		return
	}
	ev := found[len(found)-1]
	x.Recovery = Recovery{Recovered: ev.Holds, Detail: clean(ev.Detail)}
	switch took, limit := number(ev.Measured), number(ev.Threshold); {
	case ev.Holds && took != nil:
		x.Recovery.Measured, x.Recovery.AtLeast, x.Recovery.Below, x.Recovery.Resolution = true, *took, *took+Resolution, Resolution
	case !ev.Holds && limit != nil:
		x.Recovery.Measured, x.Recovery.Limit = true, *limit
	default:
		x.NotMeasured = append(x.NotMeasured, "the time of the recovery")
	}
}

func (x *Experiment) comparison(all []release.Evidence, wanted bool) {
	for _, ev := range evidence.About(all, evidence.Compared) {
		c := Compared{SLO: clean(ev.Facts["slo"]), Claim: clean(ev.Claim), Holds: ev.Holds, Now: number(ev.Measured), Before: number(ev.Threshold), Detail: clean(ev.Detail), Beside: clean(ev.Facts["beside"])}
		if f, ok := twobytwo.Again(ev); ok {
			t, _, _ := twobytwo.Read(ev) // Again has read it
			c.Table = &Table{cellOf(t.Verified.Without), cellOf(t.Verified.Under), cellOf(t.Candidate.Without), cellOf(t.Candidate.Under)}
			if f.Outcome != release.Undetermined {
				c.Extra = &Difference{By: f.Extra.By, Low: f.Extra.Low, High: f.Extra.High, Confidence: f.Confidence}
			}
		}
		x.Compared = append(x.Compared, c)
	}
	if wanted && len(x.Compared) == 0 {
		x.NotMeasured = append(x.NotMeasured, "the comparison with the last verified release under the same fault: there is no record of it")
	}
}

// cellOf is the share of one cell; nil when nothing was counted in it.
func cellOf(r release.Ratio) *float64 {
	if !(r.Total > 0) {
		return nil
	}
	share := chance.Share(r.Good, r.Total)
	return number(&share)
}

// Supposed says what the experiment was to show.
func (x Experiment) Supposed(in Language) (all []string) {
	what, when := in.say("the fault"), in.say("under the fault")
	if f := x.Fault; f != nil && f.Lasts {
		what, when = f.Text(in), in.say("while %s is active", f.Text(in))
	} else if f != nil {
		what, when = f.Text(in), in.say("after %s", f.Text(in))
	}
	for _, s := range x.SLOs {
		if s.Objective != nil {
			all = append(all, in.say("%s stays at %s or more %s", s.Title, chance.Percent(*s.Objective), when))
		}
	}
	return append(all, in.say("every pod is ready again after %s", what))
}

// tell puts what has a time into order. Each window is there once, however many SLOs were
// measured in it.
func (x *Experiment) tell(all []release.Evidence) {
	add := func(at, until time.Time, what, detail string) {
		m := Moment{At: at, Until: until, What: what, Detail: clean(detail)}
		if !at.IsZero() && !slices.ContainsFunc(x.Timeline, func(o Moment) bool { return o.What == what && o.At.Equal(at) && o.Until.Equal(until) }) {
			x.Timeline = append(x.Timeline, m)
		}
	}
	for _, ev := range all {
		switch ev.Facts[evidence.FactAbout] {
		case evidence.Baseline:
			add(ev.From, ev.To, "measured without the fault", "")
		case evidence.Injected:
			if f := ev.Fault; f != nil && ev.Holds {
				add(f.Injected, time.Time{}, "the fault was injected", "")
			} else {
				add(ev.From, time.Time{}, "the fault could not be injected", ev.Detail)
			}
		case evidence.Fault:
			add(ev.From, ev.To, "measured under the fault", "")
		case evidence.Reverted:
			what := "the fault was reverted, and verified to be gone"
			if !ev.Holds {
				what = "the fault could not be reverted"
			}
			add(ev.From, ev.To, what, ev.Detail)
		case evidence.Recovered:
			if ev.Holds && ev.Fault != nil {
				add(ev.Fault.Recovered, time.Time{}, whatRecovered, ev.Detail)
			} else if !ev.Holds {
				add(ev.To, time.Time{}, "not recovered", ev.Detail)
			}
		}
	}
	for _, early := range []struct{ about, what string }{{evidence.Aborted, "anything after it was aborted: "}, {evidence.Limits, "anything under the fault: "}} {
		for _, ev := range evidence.About(all, early.about) {
			if !ev.Holds {
				x.NotMeasured = append(x.NotMeasured, early.what+clean(ev.Detail))
			}
		}
	}
	slices.SortStableFunc(x.Timeline, func(a, b Moment) int { return a.At.Compare(b.At) })
}

const whatRecovered = "recovered, as the pods tell it in whole seconds"
