package slo

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/openslo"
)

// Keys of the facts in an SLO's evidence; with the queries they are what Replay needs.
const (
	factSLO       = "slo"
	factTitle     = "title"
	factGood      = "good"
	factTotal     = "total"
	factOutcome   = "outcome"
	factObserve   = "observe"
	factMaxWait   = "maxWait"
	factMinEvents = "minEvents"
)

// fresh is how recent the newest data must be before a measurement may pass. It leaves
// room for three scrapes a minute apart.
const fresh = 3 * time.Minute

// window is one question: these events of this cluster between these moments.
type window struct {
	slo      openslo.SLO
	cluster  string
	revision release.Commit
	from, to time.Time
}

// asker remembers answers, so that two SLOs that share a total ask for it once.
type asker struct {
	prometheus *Prometheus
	answers    map[string]release.Query
}

func newAsker(p *Prometheus) *asker {
	return &asker{prometheus: p, answers: map[string]release.Query{}}
}

func (a *asker) ask(ctx context.Context, name, expr string, at time.Time) (release.Query, error) {
	key := at.String() + " " + expr
	q, ok := a.answers[key]
	if !ok {
		var err error
		if q, err = a.prometheus.Ask(ctx, name, expr, at); err != nil {
			return q, err
		}
		a.answers[key] = q
	}
	q.Name = name
	return q, nil
}

// queries asks for both numbers of the ratio.
func (a *asker) queries(ctx context.Context, w window) ([]release.Query, error) {
	first, query := "good", w.slo.Good
	if w.slo.Bad != "" {
		first, query = "bad", w.slo.Bad
	}
	length := w.to.Sub(w.from)
	numerator, err := a.ask(ctx, first, query.Fill(w.cluster, length), w.to)
	if err != nil {
		return nil, fmt.Errorf("slo %s on %s: %w", w.slo.Name, w.cluster, err)
	}
	total, err := a.ask(ctx, "total", w.slo.Total.Fill(w.cluster, length), w.to)
	if err != nil {
		return nil, fmt.Errorf("slo %s on %s: %w", w.slo.Name, w.cluster, err)
	}
	return []release.Query{numerator, total}, nil
}

// judge asks and decides. A measurement that would pass has to rest on recent data, too.
func (a *asker) judge(ctx context.Context, w window, s Settings) (judged, error) {
	queries, err := a.queries(ctx, w)
	if err != nil {
		return judged{}, err
	}
	m := read(queries, w.from, w.to)
	ruling := Judge(m, w.slo.Objective, s)
	if ruling.Outcome == release.Passed && w.to.Sub(w.from) > fresh {
		recent, err := a.ask(ctx, "recent", w.slo.Total.Fill(w.cluster, fresh), w.to)
		if err != nil {
			return judged{}, fmt.Errorf("slo %s on %s: %w", w.slo.Name, w.cluster, err)
		}
		queries = append(queries, recent)
		m = read(queries, w.from, w.to)
		ruling = Judge(m, w.slo.Objective, s)
	}
	return judged{Ruling: ruling, window: w, evidence: w.evidence(queries, m, ruling, s)}, nil
}

// judged is one ruling with what it was made of.
type judged struct {
	Ruling
	window   window
	evidence release.Evidence
}

// read makes a measurement of stored answers: the same answers give the same measurement.
func read(queries []release.Query, from, to time.Time) Measurement {
	m := Measurement{From: from, To: to}
	sums, series := map[string]float64{}, map[string]int{}
	for _, q := range queries {
		for _, s := range q.Samples {
			sums[q.Name] += s.Value
			series[q.Name]++
		}
	}
	switch {
	case series["total"] == 0:
		m.Problem = "Prometheus has no data for the total"
		return m
	case hasQuery(queries, "recent") && series["recent"] == 0:
		m.Problem = fmt.Sprintf("Prometheus has no data of the last %s", fresh)
	}
	m.Ratio.Total = sums["total"]
	m.Ratio.Good = sums["good"]
	if hasQuery(queries, "bad") {
		// No series of bad events means that none was ever counted: total has data.
		m.Ratio.Good = max(0, sums["total"]-sums["bad"])
		if bad := sums["bad"]; math.IsNaN(bad) || math.IsInf(bad, 0) || bad < 0 {
			m.Ratio.Good = bad // for unusable to name
		}
	}
	return m
}

func hasQuery(queries []release.Query, name string) bool {
	for _, q := range queries {
		if q.Name == name {
			return true
		}
	}
	return false
}

// evidence records a ruling with everything it was made of.
func (w window) evidence(queries []release.Query, m Measurement, r Ruling, s Settings) release.Evidence {
	threshold := w.slo.Objective
	e := release.Evidence{
		Gate:      "slo",
		Claim:     fmt.Sprintf("%s of %s on %s is at least %s", w.slo.Title, w.slo.Service, w.cluster, Percent(threshold)),
		Holds:     r.Outcome == release.Passed,
		Cluster:   w.cluster,
		Revision:  w.revision,
		From:      w.from.UTC(),
		To:        w.to.UTC(),
		Detail:    r.Reason,
		Threshold: &threshold,
		Queries:   queries,
		Facts: map[string]string{
			factSLO: w.slo.Name, factTitle: w.slo.Title, factOutcome: r.Outcome.String(),
			factObserve: s.Observe.String(), factMaxWait: s.MaxWait.String(), factMinEvents: number(s.MinEvents),
		},
	}
	if share := Share(m.Ratio); m.Problem == "" && !math.IsNaN(share) && !math.IsInf(share, 0) {
		e.Measured = &share
		e.Facts[factGood], e.Facts[factTotal] = number(m.Ratio.Good), number(m.Ratio.Total)
	}
	// JSON has no NaN and no infinity: such a sample is kept as text.
	e.Queries = storable(queries, e.Facts)
	return e
}

func storable(queries []release.Query, facts map[string]string) []release.Query {
	all := make([]release.Query, len(queries))
	for i, q := range queries {
		kept := make([]release.Sample, 0, len(q.Samples))
		for _, s := range q.Samples {
			if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
				facts["unusable."+q.Name] = strconv.FormatFloat(s.Value, 'g', -1, 64)
				continue
			}
			kept = append(kept, s)
		}
		q.Samples = kept
		all[i] = q
	}
	return all
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// Replay judges stored evidence again, from its samples and settings alone.
func Replay(e release.Evidence) (Ruling, error) {
	if e.Threshold == nil || e.Facts[factSLO] == "" {
		return Ruling{}, fmt.Errorf("replay %q: it is not the evidence of an SLO", e.Claim)
	}
	var s Settings
	var err error
	if s.Observe, err = time.ParseDuration(e.Facts[factObserve]); err != nil {
		return Ruling{}, fmt.Errorf("replay %q: %w", e.Claim, err)
	}
	if s.MaxWait, err = time.ParseDuration(e.Facts[factMaxWait]); err != nil {
		return Ruling{}, fmt.Errorf("replay %q: %w", e.Claim, err)
	}
	if s.MinEvents, err = strconv.ParseFloat(e.Facts[factMinEvents], 64); err != nil {
		return Ruling{}, fmt.Errorf("replay %q: %w", e.Claim, err)
	}
	queries := make([]release.Query, len(e.Queries))
	for i, q := range e.Queries {
		if text := e.Facts["unusable."+q.Name]; text != "" {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return Ruling{}, fmt.Errorf("replay %q: %w", e.Claim, err)
			}
			q.Samples = append(q.Samples[:len(q.Samples):len(q.Samples)], release.Sample{Value: v})
		}
		queries[i] = q
	}
	return Judge(read(queries, e.From, e.To), *e.Threshold, s), nil
}

// Rejudge is the outcome alone, for whoever replays a trial.
func Rejudge(e release.Evidence) (release.Outcome, error) {
	r, err := Replay(e)
	return r.Outcome, err
}
