package slo

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/compare"
)

// mostPoints is how many samples of each metric are taken of a window, and fewestPoints how
// few tell anything: ranks of fewer say nothing at 98 %.
const (
	mostPoints   = 100
	fewestPoints = 50
)

// versions sets the metrics that the environment compares beside what they were when the
// last verified release was measured, at the same age on the same cluster, and returns the
// samples for the release after this one. Nothing to compare with is no reason to stop.
func (g *Gate) versions(ctx context.Context, r release.Release, s Settings, targets []release.Target, from, to time.Time) ([]judged, map[string][]float64, error) {
	taken := map[string][]float64{}
	var all []judged
	for _, t := range targets {
		for _, m := range s.Compare.Metrics {
			q, err := g.Prometheus.AskRange(ctx, m.Name, placeholders(r, t).Replace(m.Query), from, to, max(to.Sub(from)/mostPoints, time.Second))
			if err != nil {
				return nil, nil, fmt.Errorf("compare %s on %s: %w", m.Name, t.Cluster, err)
			}
			key := m.Name + "@" + t.Cluster
			taken[key] = valuesOf(q)
			var before []float64
			if p := r.Now().Previous; p != nil {
				before = p.Metrics[key]
			}
			all = append(all, versus(m, q, before, t, from, to))
		}
	}
	return allow(all, s.Compare.AllowWorse), taken, nil
}

// valuesOf are the finite samples: JSON has no others, and they tell nothing.
func valuesOf(q release.Query) []float64 {
	var values []float64
	for _, s := range q.Samples {
		if !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
			values = append(values, s.Value)
		}
	}
	return values
}

var directions = map[string]compare.Direction{release.WorseHigher: compare.Increase, release.WorseLower: compare.Decrease, release.WorseEither: compare.Either}

// versus is the ruling about one metric on one target.
func versus(m release.MetricSpec, q release.Query, before []float64, t release.Target, from, to time.Time) judged {
	result := compare.Samples(compare.Metric{Name: m.Name, Direction: directions[m.Worse], Critical: m.Critical, Tolerance: m.Tolerance,
		MinPoints: fewestPoints, Trim: true}, before, valuesOf(q))
	ruling := Ruling{Outcome: result.Outcome, Code: CodeAlike, Reason: result.Reason}
	switch {
	case before == nil:
		ruling.Outcome, ruling.Code, ruling.Reason = release.Passed, CodeNothingBefore, "no verified release was measured here before"
	case result.Outcome == release.Refused:
		ruling.Code = CodeWorse
	case result.Outcome == release.Undetermined:
		ruling.Code = CodeFewSamples
	}
	e := release.Evidence{
		Gate: "slo", Claim: fmt.Sprintf("%s on %s is no worse than under the last verified release", m.Name, t.Cluster), Holds: result.Outcome == release.Passed,
		Cluster: t.Cluster, Revision: t.Revision, From: from.UTC(), To: to.UTC(), Detail: ruling.Reason,
		Facts: map[string]string{"metric": m.Name, "worse": m.Worse, "critical": strconv.FormatBool(m.Critical), "tolerance": number(m.Tolerance),
			factOutcome: ruling.Outcome.String(), factCode: string(ruling.Code), "p": number(result.Test.P), "effect": number(result.Test.Delta), "test": "Mann-Whitney"},
	}
	e.Queries = storable([]release.Query{q, {Name: "before", At: to.UTC(), Samples: samplesOf(before)}}, e.Facts)
	return judged{Ruling: ruling, title: m.Name, cluster: t.Cluster, evidence: e}
}

func samplesOf(values []float64) []release.Sample {
	all := make([]release.Sample, len(values))
	for i, v := range values {
		all[i].Value = v
	}
	return all
}

// allow lets as many metrics be worse as are allowed, critical ones left out, and takes
// what nobody can tell for no harm where it is not critical and another metric tells.
func allow(all []judged, worse int) []judged {
	told := slices.ContainsFunc(all, func(j judged) bool { return j.Outcome != release.Undetermined && j.Code != CodeNothingBefore })
	for i := range all {
		critical := all[i].evidence.Facts["critical"] == "true"
		switch {
		case all[i].Outcome == release.Refused && !critical && worse > 0:
			worse--
			all[i].Outcome, all[i].Reason = release.Passed, all[i].Reason+" (worse, and allowed)"
		case all[i].Outcome == release.Undetermined && !critical && told:
			all[i].Outcome = release.Passed
		}
	}
	return all
}
