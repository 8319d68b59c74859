// Package analysis reads Argo Rollouts' AnalysisTemplates and decides what they say about
// a wave, by our rules: no sample is never a pass.
//
// Start at Parse, then Template.With and Judge. It is pure: whoever calls it asks
// Prometheus at the moments that Metric.Moments names. It never runs a provider.
package analysis

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Template is one AnalysisTemplate.
type Template struct {
	Name    string
	Args    []Arg
	Metrics []Metric
}

// Arg is what is filled in for {{args.NAME}}; without a value somebody has to give one.
type Arg struct {
	Name  string
	Value *string
}

// Metric is one question, asked again and again.
type Metric struct {
	Name              string
	Query             string
	Success, Failure  string        // conditions; one of them may be empty
	InitialDelay      time.Duration // before the first
	Interval          time.Duration // between two
	Count             int           // answers that decide; 0: until the wave has been observed
	FailureLimit      int           // more refuse; -1: none does
	InconclusiveLimit int           // more hold; -1: none does
	ErrorLimit        int           // in a row, without an answer or with one that cannot be judged; more hold
}

// maxMoments that one metric is asked at.
const maxMoments = 1000

func argOf(text string) (string, bool) { return strings.CutPrefix(text, "args.") }

// With fills in the arguments: those given, else the template's own.
func (t Template) With(given map[string]string) (Template, error) {
	values := map[string]string{}
	for _, a := range t.Args {
		if a.Value != nil {
			values[a.Name] = *a.Value
		}
		if v, ok := given[a.Name]; ok {
			values[a.Name] = v
		}
		if _, ok := values[a.Name]; !ok {
			return t, fmt.Errorf("analysis %s: argument %s has no value", t.Name, a.Name)
		}
	}
	for name := range given {
		if _, ok := values[name]; !ok {
			return t, fmt.Errorf("analysis %s: it has no argument %s", t.Name, name)
		}
	}
	fill := func(text string) string {
		return reference.ReplaceAllStringFunc(text, func(s string) string {
			name, _ := argOf(reference.FindStringSubmatch(s)[1])
			return values[name]
		})
	}
	metrics := make([]Metric, len(t.Metrics))
	for i, m := range t.Metrics {
		m.Query, m.Success, m.Failure = fill(m.Query), fill(m.Success), fill(m.Failure)
		for _, condition := range []string{m.Success, m.Failure} {
			if condition == "" {
				continue
			}
			if _, err := compile(condition); err != nil {
				return t, fmt.Errorf("analysis %s: metric %s: %w", t.Name, m.Name, err)
			}
		}
		metrics[i] = m
	}
	t.Metrics = metrics
	return t, nil
}

// Moments are when the metric is due, from start up to now.
func (m Metric) Moments(start, now time.Time) []time.Time {
	var all []time.Time
	for at := start.Add(m.InitialDelay); !at.After(now) && len(all) < maxMoments; at = at.Add(m.Interval) {
		all = append(all, at)
	}
	return all
}

// Point is what was answered at one moment: the values of the series, in their order.
type Point struct {
	At     time.Time
	Values []float64
}

// Ruling is what a metric says.
type Ruling struct {
	Outcome release.Outcome // Passed, Waiting, Refused or Undetermined
	Missing bool            // Undetermined, because there were no samples
	Reason  string
	After   time.Duration // when to look again, of Waiting
}

// tally counts answers.
type tally struct {
	good, bad, unclear int
	errors, missing    int // in a row
	last               string
}

// Judge decides a metric from its points, which are those of Moments(start, now). end is
// when the wave has been observed for long enough: a metric without a count passes then.
func Judge(m Metric, points []Point, start, now, end time.Time) Ruling {
	var t tally
	for _, p := range points {
		if m.Count == 0 && p.At.After(end) {
			break
		}
		t.add(m, p)
		if r, over := t.over(m); over {
			return r
		}
		if m.Count > 0 && t.good+t.bad+t.unclear >= m.Count {
			return t.ended(m)
		}
	}
	if m.Count == 0 && !now.Before(end) || len(points) >= maxMoments {
		return t.ended(m)
	}
	next := start.Add(m.InitialDelay + time.Duration(len(points))*m.Interval).Sub(now)
	return Ruling{Outcome: release.Waiting, Reason: t.said(m), After: max(next, 100*time.Millisecond)}
}

func (t *tally) add(m Metric, p Point) {
	if len(p.Values) == 0 {
		t.errors, t.missing, t.last = t.errors+1, t.missing+1, "no samples"
		return
	}
	t.missing = 0
	if broken(p.Values) && !expects(m) {
		t.errors, t.last = t.errors+1, values(p.Values)+" is not a number"
		return
	}
	failed, succeeded, err := conditions(m, p.Values)
	t.last = values(p.Values)
	if err != nil {
		t.errors, t.last = t.errors+1, fmt.Sprintf("%s: %v", t.last, err)
		return
	}
	t.errors = 0
	switch {
	case failed:
		t.bad++
	case succeeded:
		t.good++
	default:
		t.unclear++
	}
}

func broken(v []float64) bool {
	return slices.ContainsFunc(v, func(f float64) bool { return math.IsNaN(f) || math.IsInf(f, 0) })
}

// expects reports whether the conditions say themselves what NaN and infinity are.
func expects(m Metric) bool {
	return slices.ContainsFunc([]string{"isNaN(", "isInf(", "default("}, func(f string) bool { return strings.Contains(m.Success+m.Failure, f) })
}

// conditions: with one of the two the other is its contrary.
func conditions(m Metric, v []float64) (failed, succeeded bool, err error) {
	if m.Failure != "" {
		if failed, err = evaluate(m.Failure, v); err != nil {
			return false, false, err
		}
		succeeded = !failed && m.Success == ""
	}
	if m.Success != "" {
		if succeeded, err = evaluate(m.Success, v); err != nil {
			return false, false, err
		}
		failed = failed || m.Failure == "" && !succeeded
	}
	return failed, succeeded, nil
}

// over: a limit was passed, so that nothing more can change it.
func (t *tally) over(m Metric) (Ruling, bool) {
	switch {
	case m.FailureLimit >= 0 && t.bad > m.FailureLimit:
		return Ruling{Outcome: release.Refused, Reason: t.said(m)}, true
	case m.InconclusiveLimit >= 0 && t.unclear > m.InconclusiveLimit:
		return Ruling{Outcome: release.Undetermined, Reason: t.said(m)}, true
	case t.errors > m.ErrorLimit:
		return Ruling{Outcome: release.Undetermined, Missing: t.missing == t.errors, Reason: t.said(m)}, true
	}
	return Ruling{}, false
}

// ended is the ruling when no limit was passed: some answer has to have been good, and
// the last may not be missing.
func (t *tally) ended(m Metric) Ruling {
	if t.good == 0 || t.errors > 0 {
		return Ruling{Outcome: release.Undetermined, Missing: t.good == 0 && t.missing > 0, Reason: t.said(m)}
	}
	return Ruling{Outcome: release.Passed, Reason: t.said(m)}
}

func (t *tally) said(m Metric) string {
	if t.last == "" {
		return m.Name + " has not been measured yet"
	}
	text := fmt.Sprintf("%s: %d good, %d bad, %d inconclusive", m.Name, t.good, t.bad, t.unclear)
	if t.errors > 0 {
		text += fmt.Sprintf(", %d in a row without an answer that counts", t.errors)
	}
	return text + ", last " + t.last
}

func values(v []float64) string {
	all := make([]string, 0, len(v))
	for _, f := range v {
		if math.Abs(f) >= 1e6 {
			all = append(all, fmt.Sprintf("%.3g", f))
			continue
		}
		all = append(all, fmt.Sprintf("%.6g", f))
	}
	return strings.Join(all, " ")
}
