package slo

import (
	"context"
	"fmt"
	"math"
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
// samples for the release after this one. Nothing to compare with is no reason to stop; a
// comparison that tells nothing is, as missing data is.
func (g *Gate) versions(ctx context.Context, r release.Release, s Settings, targets []release.Target, from, to time.Time) ([]judged, map[string][]float64, error) {
	taken := map[string][]float64{}
	s.MaxWait += g.away(ctx, from)
	var all []judged
	for _, t := range targets {
		for _, m := range s.Compare.Metrics {
			q, err := g.Prometheus.AskRange(ctx, m.Name, placeholders(r, t).Replace(m.Query), from, to, max(to.Sub(from)/mostPoints, time.Second))
			if err != nil {
				return nil, nil, fmt.Errorf("compare %s on %s: %w", m.Name, t.Cluster, err)
			}
			key := m.Name + "@" + t.Cluster
			taken[key] = valuesOf(q)
			before, measured := earlier(r, key)
			all = append(all, versus(m, q, before, measured, t, from, to, s))
		}
	}
	return allow(all, s.Compare.AllowWorse), taken, nil
}

// earlier are the samples that the last verified release left, and whether it was measured:
// one of which Prometheus had no samples was.
func earlier(r release.Release, key string) (before []float64, measured bool) {
	if p := r.Now().Previous; p != nil {
		before, measured = p.Metrics[key]
	}
	return before, measured
}

// valuesOf are the finite samples: JSON has no others, and they tell nothing.
func valuesOf(q release.Query) []float64 {
	values := []float64{} // none are remembered as none
	for _, s := range q.Samples {
		if !math.IsNaN(s.Value) && !math.IsInf(s.Value, 0) {
			values = append(values, s.Value)
		}
	}
	return values
}

func directionOf(word string) compare.Direction {
	return map[string]compare.Direction{release.WorseHigher: compare.Increase, release.WorseLower: compare.Decrease, release.WorseEither: compare.Either}[word]
}

// versus is the ruling about one metric on one target.
func versus(m release.MetricSpec, q release.Query, before []float64, measured bool, t release.Target, from, to time.Time, s Settings) judged {
	result := compare.Samples(compare.Metric{Name: m.Name, Direction: directionOf(m.Worse), Critical: m.Critical, Tolerance: m.Tolerance,
		MinPoints: fewestPoints, Trim: true}, before, valuesOf(q))
	ruling := Ruling{Outcome: result.Outcome, Code: CodeAlike, Reason: result.Reason}
	switch {
	case !measured:
		ruling.Outcome, ruling.Code, ruling.Reason = release.Passed, CodeNothingBefore, "no verified release was measured here before"
	case result.Outcome == release.Refused:
		ruling.Code = CodeWorse
	case result.Outcome == release.Undetermined:
		ruling = noEvidence(Measurement{Problem: result.Reason, Code: CodeNotCompared}, to.Sub(from), s)
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

// allow lets as many metrics be worse as are allowed, critical ones left out. What nobody
// can tell of one that is not critical is no harm, as long as another of the cluster can be told.
func allow(all []judged, worse int) []judged {
	told := map[string]bool{} // by cluster
	for _, j := range all {
		told[j.cluster] = told[j.cluster] || j.Code == CodeAlike || j.Code == CodeWorse
	}
	for i := range all {
		if all[i].evidence.Facts["critical"] == "true" {
			continue
		}
		switch {
		case all[i].Outcome == release.Refused && all[i].Code == CodeWorse && worse > 0:
			worse--
			all[i].Outcome, all[i].Reason = release.Passed, all[i].Reason+" (worse, and allowed)"
		case all[i].Code == CodeNotCompared && told[all[i].cluster]:
			all[i].Outcome = release.Passed
		}
	}
	return all
}
