package slo

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/burn"
)

// Settings say how a measurement is judged. Zero fields mean the defaults.
type Settings struct {
	Observe    time.Duration // how long to measure; default 30s
	Settle     time.Duration // left out after the last target became healthy; default 5s
	MaxWait    time.Duration // from the start of the measurement, for enough events; default 5m
	MinEvents  float64       // fewer decide nothing; default 100
	Confidence float64       // with which a pass claims the objective; 0: the share of good events decides
	MinSamples int           // equal pieces of the window that need events of their own; default 1
	MaxAge     time.Duration // of the newest data a pass rests on; default 3m, room for three scrapes a minute apart
	NoData     string        // release.NoDataInconclusive (default) or NoDataRefuse, once MaxWait is over
	NotANumber string        // release.NotANumberNoData (default), NotANumberDrop or NotANumberRefuse
	MaxErrors  int           // in a row, before a person is asked; default 20, some ten minutes
	Analysis   []release.AnalysisUse
	Compare    release.Comparison
	Page       float64 // burn rate that refuses at once, before MinEvents; 0: none does
}

// SettingsOf reads an environment's settings.
func SettingsOf(g release.SLOGate) Settings {
	return Settings{
		Observe: g.Observe.Std(), Settle: g.Settle.Std(), MaxWait: g.MaxWait.Std(), MinEvents: float64(g.MinEvents), Confidence: g.Confidence,
		MinSamples: g.MinSamples, MaxAge: g.MaxAge.Std(), NoData: g.NoData, NotANumber: g.NotANumber, MaxErrors: g.MaxErrors, Analysis: g.Analysis, Compare: g.Compare,
	}.withDefaults()
}

func (s Settings) withDefaults() Settings {
	s.Observe = cmp.Or(s.Observe, 30*time.Second)
	s.Settle = cmp.Or(s.Settle, 5*time.Second)
	s.MaxWait = max(cmp.Or(s.MaxWait, 5*time.Minute), s.Observe)
	s.MinEvents = cmp.Or(s.MinEvents, 100)
	s.MinSamples = cmp.Or(s.MinSamples, 1)
	s.MaxAge = cmp.Or(s.MaxAge, 3*time.Minute)
	s.NoData = cmp.Or(s.NoData, release.NoDataInconclusive)
	s.NotANumber = cmp.Or(s.NotANumber, release.NotANumberNoData)
	s.MaxErrors = cmp.Or(s.MaxErrors, 20)
	return s
}

// Measurement is what Prometheus said about one window.
type Measurement struct {
	Ratio   release.Ratio
	Problem string    // why Ratio cannot be used: no data, not a number; empty: it can
	Code    Code      // of the problem; default CodeNoData
	From    time.Time // the window's start
	To      time.Time // the moment it was asked for
}

// Ruling is the decision about one measurement.
type Ruling struct {
	Outcome release.Outcome
	Code    Code
	Reason  string
	After   time.Duration // when to look again, for Waiting
}

// z of the interval around a ratio: 99 % on each side, since a running measurement is
// looked at many times.
const confident = 2.326

// Share is good/total, 0..1; NaN without events.
func Share(r release.Ratio) float64 {
	if r.Total <= 0 {
		return math.NaN()
	}
	return clamp(r.Good / r.Total)
}

// Burn is how many times faster than allowed the budget is spent: 1 is exactly the
// objective. NaN without events.
func Burn(r release.Ratio, objective float64) float64 {
	return burn.Rate(spent(r), burn.Target(objective))
}

// spent are a window's events. increase() extrapolates: good ones may be a few more than all.
func spent(r release.Ratio) burn.Events {
	return burn.Events{Bad: max(0, r.Total-r.Good), Total: r.Total}
}

func clamp(x float64) float64 { return min(1, max(0, x)) }

// Judge decides one measurement of an objective:
//
//   - even the slow end of the interval burns the budget faster than Settings.Page:
//     Refused at once, with 20 events already;
//   - enough events and even the upper end of the interval is below the objective:
//     Refused at once, the window need not end;
//   - the window is not over: Waiting;
//   - too few events, or no usable answer: Waiting until MaxWait, then Undetermined, or
//     Refused where the settings say so. No data is never a pass, and with a confidence
//     asked for neither is a number of events that does not allow the claim;
//   - otherwise the share of good events decides.
func Judge(m Measurement, objective float64, s Settings) Ruling {
	s = s.withDefaults()
	age := m.To.Sub(m.From)
	m.problem(s)
	share := Share(m.Ratio)
	measured := fmt.Sprintf("%s of %s events were good, the objective is %s", chance.Percent(share), count(m.Ratio.Total), chance.Percent(objective))
	_, high := chance.Wilson(m.Ratio.Good, m.Ratio.Total, confident)
	counted := m.Problem == "" || m.Code == CodeFewEvents
	if counted && s.Page > 0 && m.Ratio.Total >= minAlertEvents && (1-high)/(1-objective) > s.Page {
		return Ruling{Outcome: release.Refused, Code: CodePageBurn,
			Reason: fmt.Sprintf("%s: the error budget burns %.1f times as fast as allowed, %.1f wakes people up", measured, Burn(m.Ratio, objective), s.Page)}
	}
	if m.Code == CodeNaN && s.NotANumber == release.NotANumberRefuse {
		return Ruling{Outcome: release.Refused, Code: m.Code, Reason: m.Problem}
	}
	if m.Problem != "" {
		return noEvidence(m, age, s)
	}
	if high < objective {
		return Ruling{Outcome: release.Refused, Code: CodeMissed, Reason: measured}
	}
	if left := s.Observe - age; left > 0 {
		return Ruling{Outcome: release.Waiting, Code: CodeMeasuring, Reason: fmt.Sprintf("%s so far, %s to go", measured, left.Round(time.Second)), After: pace(left)}
	}
	if share < objective {
		return Ruling{Outcome: release.Refused, Code: CodeMissed, Reason: measured}
	}
	if m.Problem, m.Code = unproved(m.Ratio, objective, s.Confidence), CodeUnproved; m.Problem != "" {
		m.Problem = measured + m.Problem
		return noEvidence(m, age, s)
	}
	return Ruling{Outcome: release.Passed, Code: CodeKept, Reason: measured}
}

// unproved is what is missing for the claim that an objective is kept; empty: nothing, or
// nobody asks for it.
func unproved(r release.Ratio, objective, confidence float64) string {
	allowed := burn.Target(objective).Budget()
	if confidence == 0 || burn.Judge(spent(r), allowed, confidence) == burn.Below {
		return ""
	}
	return fmt.Sprintf(", and too few to say so with %s confidence: without a bad one it takes %d", chance.Percent(confidence), burn.Needed(allowed, confidence))
}

// problem completes what is wrong with a measurement.
func (m *Measurement) problem(s Settings) {
	if m.Problem != "" {
		m.Code = cmp.Or(m.Code, CodeNoData)
		return
	}
	m.Problem, m.Code = unusable(m.Ratio)
	if m.Problem == "" && m.Ratio.Total < s.MinEvents {
		m.Problem, m.Code = fmt.Sprintf("%s of at least %s events so far", count(m.Ratio.Total), count(s.MinEvents)), CodeFewEvents
	}
}

// unusable says what is wrong with numbers that cannot be a count of events.
func unusable(r release.Ratio) (string, Code) {
	for _, v := range []float64{r.Good, r.Total} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "Prometheus answered " + strings.TrimPrefix(fmt.Sprint(v), "+") + ", which is not a number of events", CodeNaN
		}
		if v < 0 {
			return fmt.Sprintf("Prometheus answered %v events: the query does not count", v), CodeBadCount
		}
	}
	// increase() extrapolates, so good may exceed total a little; by a half it cannot.
	if r.Good > r.Total*1.5+1 {
		return fmt.Sprintf("%s good events of %s: the queries do not belong together", count(r.Good), count(r.Total)), CodeBadCount
	}
	return "", ""
}

func noEvidence(m Measurement, age time.Duration, s Settings) Ruling {
	r := Ruling{Outcome: release.Waiting, Code: m.Code, Reason: m.Problem}
	if left := s.MaxWait - age; left > 0 {
		r.After = pace(left)
		return r
	}
	r.Outcome, r.Reason = release.Undetermined, fmt.Sprintf("%s, after %s of waiting", m.Problem, s.MaxWait)
	if s.NoData == release.NoDataRefuse {
		r.Outcome = release.Refused
	}
	return r
}

// pace is when to look again: often enough to stop a bad release early.
func pace(left time.Duration) time.Duration {
	return min(2*time.Second, max(left, 100*time.Millisecond))
}

// count writes a number of events, which increase() makes fractional.
func count(n float64) string { return fmt.Sprintf("%.0f", math.Floor(n+1e-9)) }
