package slo

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/analysis"
)

// analyses are the rulings of the AnalysisTemplates that the environment names. Their
// moments are counted from when the release came to this step: a retry begins anew.
func (g *Gate) analyses(ctx context.Context, r release.Release, s Settings, targets []release.Target, start, now time.Time) ([]judged, error) {
	if len(s.Analysis) == 0 {
		return nil, nil
	}
	if g.Analyses == nil {
		return nil, fmt.Errorf("analyse %s: there are no AnalysisTemplates here", r.ID)
	}
	templates, err := g.Analyses(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the AnalysisTemplates: %w", err)
	}
	if n := len(r.History); n > 0 && r.History[n-1].At.After(start) {
		start = r.History[n-1].At
	}
	var all []judged
	for _, use := range s.Analysis {
		t, ok := templates[use.Template]
		if !ok {
			return nil, hint.Add(fmt.Errorf("analyse %s: no AnalysisTemplate %s", r.ID, use.Template), "bring it back to the platform repo, or take it out of the environment's spec.slo.analysis")
		}
		for _, target := range targets {
			filled, err := t.With(argsOf(use, r, target))
			if err != nil {
				return nil, hint.Add(err, "correct the args in the environment's spec.slo.analysis")
			}
			for _, m := range filled.Metrics {
				j, err := g.analyse(ctx, moment{t.Name, m, target, start, now}, s)
				if err != nil {
					return nil, fmt.Errorf("analysis %s on %s: %w", t.Name, target.Cluster, err)
				}
				all = append(all, j)
			}
		}
	}
	return all, nil
}

func argsOf(use release.AnalysisUse, r release.Release, t release.Target) map[string]string {
	fill := placeholders(r, t)
	args := make(map[string]string, len(use.Args))
	for name, value := range use.Args {
		args[name] = fill.Replace(value)
	}
	return args
}

// placeholders are what the environment's queries may leave open.
func placeholders(r release.Release, t release.Target) *strings.Replacer {
	return strings.NewReplacer("{{.Service}}", string(r.Service), "{{.Team}}", r.Service.Team(), "{{.Name}}", r.Service.Name(),
		"{{.Env}}", string(r.Env()), "{{.Cluster}}", t.Cluster)
}

// moment is one metric of one template on one target, looked at now.
type moment struct {
	template   string
	metric     analysis.Metric
	target     release.Target
	start, now time.Time
}

// analyse asks for all moments so far at once: Prometheus answers for the past as well,
// so nothing has to be remembered between two looks.
func (g *Gate) analyse(ctx context.Context, o moment, s Settings) (judged, error) {
	m := o.metric
	moments := m.Moments(o.start, o.now)
	var queries []release.Query
	var points []analysis.Point
	if n := len(moments); n > 0 {
		q, err := g.Prometheus.AskRange(ctx, m.Name, m.Query, moments[0], moments[n-1], m.Interval)
		if err != nil {
			return judged{}, err
		}
		queries, points = []release.Query{q}, pointsOf(q, moments, m.Interval)
	}
	said := analysis.Judge(m, points, o.start, o.now, o.start.Add(s.Observe))
	ruling := Ruling{Outcome: said.Outcome, Code: codeOf(said), Reason: said.Reason, After: said.After}
	if said.Missing && s.NoData == release.NoDataRefuse {
		ruling.Outcome = release.Refused
	}
	return judged{Ruling: ruling, title: "analysis " + o.template, cluster: o.target.Cluster, evidence: o.evidence(queries, ruling)}, nil
}

func codeOf(r analysis.Ruling) Code {
	switch {
	case r.Outcome == release.Passed:
		return CodeKept
	case r.Outcome == release.Waiting:
		return CodeMeasuring
	case r.Outcome == release.Refused:
		return CodeFailed
	case r.Missing:
		return CodeNoData
	}
	return CodeUnclear
}

// pointsOf puts the samples of a range back to their moments.
func pointsOf(q release.Query, moments []time.Time, every time.Duration) []analysis.Point {
	points := make([]analysis.Point, len(moments))
	for i, at := range moments {
		points[i].At = at
	}
	for _, s := range q.Samples {
		i := int(math.Round(float64(s.Time.Sub(moments[0])) / float64(every)))
		if i >= 0 && i < len(points) {
			points[i].Values = append(points[i].Values, s.Value)
		}
	}
	return points
}

func (o moment) evidence(queries []release.Query, r Ruling) release.Evidence {
	m := o.metric
	e := release.Evidence{
		Gate: "slo", Claim: fmt.Sprintf("metric %s of analysis %s holds on %s", m.Name, o.template, o.target.Cluster),
		Holds: r.Outcome == release.Passed, Cluster: o.target.Cluster, Revision: o.target.Revision,
		From: o.start.UTC(), To: o.now.UTC(), Detail: r.Reason,
		Facts: map[string]string{
			"analysis": o.template, "metric": m.Name, factOutcome: r.Outcome.String(), factCode: string(r.Code),
			"successCondition": m.Success, "failureCondition": m.Failure, "count": strconv.Itoa(m.Count),
			"failureLimit": strconv.Itoa(m.FailureLimit), "inconclusiveLimit": strconv.Itoa(m.InconclusiveLimit), "consecutiveErrorLimit": strconv.Itoa(m.ErrorLimit),
		},
	}
	e.Queries = storable(queries, e.Facts)
	return e
}
