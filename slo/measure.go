package slo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
	"github.com/seatrial/seatrial/slo/tally"
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
	factCode      = "code"

	factMinSamples = "minSamples"
	factConfidence = "confidence"
	factMaxAge     = "maxAge"
	factNoData     = "noData"
	factNotANumber = "notANumber"
	factPage       = "page"
)

// window is one question: these events of this cluster between these moments.
type window struct {
	slo      openslo.SLO
	cluster  string
	revision release.Commit
	from, to time.Time
	most     time.Duration // of what was never asked for, to be read at once; where there is a tally
}

// step is the moment that a look at t asks for: gates and watch that look within the same
// second ask the same, and one question serves them all.
func step(t time.Time) time.Time { return t.Truncate(time.Second) }

// asker remembers answers, so that two SLOs that share a total ask for it once.
type asker struct {
	prometheus *source.Prometheus
	tally      *tally.Tally // nil: every window is asked for as a whole, as evidence has to be
	first      bool         // round of a watch

	mu      sync.Mutex // guards answers
	answers map[string]release.Query
}

func newAsker(p *source.Prometheus) *asker {
	return &asker{prometheus: p, answers: map[string]release.Query{}}
}

func (a *asker) ask(ctx context.Context, name, expr string, at time.Time) (release.Query, error) {
	key := at.String() + " " + expr
	a.mu.Lock()
	q, ok := a.answers[key]
	a.mu.Unlock()
	if !ok {
		var err error
		if q, err = a.prometheus.Ask(ctx, name, expr, at); err != nil {
			return q, err
		}
		a.mu.Lock()
		a.answers[key] = q
		a.mu.Unlock()
	}
	q.Name = name
	return q, nil
}

// queries asks for both numbers of the ratio at once. What one of them has to count yet keeps
// the other from nothing.
func (a *asker) queries(ctx context.Context, w window) ([]release.Query, error) {
	first, query := w.slo.Counted()
	all, errs := make([]release.Query, 2), make([]error, 2)
	var both sync.WaitGroup
	both.Go(func() { all[0], errs[0] = a.events(ctx, first, query, w) })
	all[1], errs[1] = a.events(ctx, "total", w.slo.Total, w)
	both.Wait()
	if errors.Is(errs[0], tally.ErrNotYet) {
		slices.Reverse(errs) // the other may be worse
	}
	if err := cmp.Or(errs...); err != nil {
		return nil, fmt.Errorf("slo %s on %s: %w", w.slo.Name, w.cluster, err)
	}
	return all, nil
}

// pieces asks for the events of each of n equal pieces of the window, in one question.
func (a *asker) pieces(ctx context.Context, w window, n int) (release.Query, error) {
	length := max(w.to.Sub(w.from)/time.Duration(n), time.Second)
	q, err := a.prometheus.AskRange(ctx, "pieces", w.slo.Total.Fill(w.cluster, length), w.to.Add(-length*time.Duration(n-1)), w.to, length)
	if err != nil {
		return q, fmt.Errorf("slo %s on %s: %w", w.slo.Name, w.cluster, err)
	}
	return q, nil
}

// judge asks and decides. A measurement that would pass has to rest on recent data, and
// on as many samples as the settings ask for, too.
func (a *asker) judge(ctx context.Context, w window, s Settings) (judged, error) {
	s = s.withDefaults()
	s.MinEvents = w.slo.Least(s.Observe, s.MinEvents)
	queries, err := a.queries(ctx, w)
	if err != nil {
		return judged{}, err
	}
	m := read(queries, w.from, w.to, s)
	ruling := Judge(m, w.slo.Objective, s)
	asked := len(queries)
	if ruling.Outcome == release.Passed && w.to.Sub(w.from) > s.MaxAge {
		recent, err := a.ask(ctx, "recent", w.slo.Total.Fill(w.cluster, s.MaxAge), w.to)
		if err != nil {
			return judged{}, fmt.Errorf("slo %s on %s: %w", w.slo.Name, w.cluster, err)
		}
		queries = append(queries, recent)
	}
	if ruling.Outcome == release.Passed && s.MinSamples > 1 {
		pieces, err := a.pieces(ctx, w, s.MinSamples)
		if err != nil {
			return judged{}, err
		}
		queries = append(queries, pieces)
	}
	if len(queries) > asked {
		m = read(queries, w.from, w.to, s)
		ruling = Judge(m, w.slo.Objective, s)
	}
	return judged{Ruling: ruling, title: w.slo.Title, cluster: w.cluster, evidence: w.evidence(queries, m, ruling, s)}, nil
}

// judged is one ruling with what it was made of.
type judged struct {
	Ruling
	title    string
	cluster  string
	evidence release.Evidence
}

// read makes a measurement of stored answers: the same answers give the same measurement.
func read(queries []release.Query, from, to time.Time, s Settings) Measurement {
	m := Measurement{From: from, To: to}
	sums, series := map[string]float64{}, map[string]int{}
	for _, q := range queries {
		for _, sample := range q.Samples {
			if s.NotANumber == release.NotANumberDrop && !finite(sample.Value) {
				continue
			}
			sums[q.Name] += sample.Value
			series[q.Name]++
		}
	}
	if series["total"] == 0 {
		m.Problem, m.Code = "Prometheus has no data for the total", CodeNoData
		return m
	}
	if hasQuery(queries, "recent") && series["recent"] == 0 {
		m.Problem, m.Code = fmt.Sprintf("Prometheus has no data of the last %s", s.MaxAge), CodeStale
	} else if n := busy(queries); n >= 0 && n < s.MinSamples {
		m.Problem, m.Code = fmt.Sprintf("there were events in %d of the window's %d pieces", n, s.MinSamples), CodeFewSamples
	}
	m.Ratio.Total = sums["total"]
	m.Ratio.Good = sums["good"]
	if hasQuery(queries, "bad") {
		// No series of bad events means that none was ever counted: total has data.
		m.Ratio.Good = max(0, sums["total"]-sums["bad"])
		switch bad := sums["bad"]; {
		case !finite(bad) || bad < 0:
			m.Ratio.Good = bad // for unusable to name
		case bad > sums["total"]*1.5+1 && finite(sums["total"]) && m.Problem == "":
			m.Problem, m.Code = fmt.Sprintf("%s bad events of %s: the queries do not belong together", count(bad), count(sums["total"])), CodeBadCount
		}
	}
	return m
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// busy is in how many pieces of the window there were events; -1: nobody asked.
func busy(queries []release.Query) int {
	for _, q := range queries {
		if q.Name != "pieces" {
			continue
		}
		seen := map[time.Time]bool{}
		for _, s := range q.Samples {
			if s.Value > 0 && finite(s.Value) {
				seen[s.Time] = true
			}
		}
		return len(seen)
	}
	return -1
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
		Claim:     fmt.Sprintf("%s of %s on %s is at least %s", w.slo.Title, w.slo.Service, w.cluster, chance.Percent(threshold)),
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
			factCode: string(r.Code), factMinSamples: strconv.Itoa(s.MinSamples), factMaxAge: s.MaxAge.String(),
			factConfidence: number(s.Confidence), factNoData: s.NoData, factNotANumber: s.NotANumber, factPage: number(s.Page),
		},
	}
	if share := Share(m.Ratio); m.Problem == "" && finite(share) {
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
			if !finite(s.Value) {
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
	s, err := settingsIn(e.Facts)
	if err != nil {
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
	return Judge(read(queries, e.From, e.To, s), *e.Threshold, s), nil
}

// settingsIn are the settings that evidence was judged by; older evidence lacks some.
func settingsIn(facts map[string]string) (Settings, error) {
	s := Settings{NoData: facts[factNoData], NotANumber: facts[factNotANumber]}
	for key, into := range map[string]*time.Duration{factObserve: &s.Observe, factMaxWait: &s.MaxWait, factMaxAge: &s.MaxAge} {
		if text, ok := facts[key]; ok || key != factMaxAge {
			d, err := time.ParseDuration(text)
			if err != nil {
				return s, fmt.Errorf("%s: %w", key, err)
			}
			*into = d
		}
	}
	samples := 0.0
	for key, into := range map[string]*float64{factMinEvents: &s.MinEvents, factPage: &s.Page, factConfidence: &s.Confidence, factMinSamples: &samples} {
		if text, ok := facts[key]; ok || key == factMinEvents {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return s, fmt.Errorf("%s: %w", key, err)
			}
			*into = f
		}
	}
	s.MinSamples = int(samples)
	return s.withDefaults(), nil
}

// Rejudge is the outcome alone, for whoever replays a trial.
func Rejudge(e release.Evidence) (release.Outcome, error) {
	r, err := Replay(e)
	return r.Outcome, err
}
