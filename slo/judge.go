package slo

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Settings say how a measurement is judged. Zero fields mean the defaults.
type Settings struct {
	Observe   time.Duration // how long to measure; default 30s
	Settle    time.Duration // left out after the last target became healthy; default 5s
	MaxWait   time.Duration // from the start of the measurement, for enough events; default 5m
	MinEvents float64       // fewer decide nothing; default 100
}

// SettingsOf reads an environment's settings.
func SettingsOf(g release.SLOGate) Settings {
	return Settings{
		Observe: g.Observe.Std(), Settle: g.Settle.Std(), MaxWait: g.MaxWait.Std(), MinEvents: float64(g.MinEvents),
	}.withDefaults()
}

func (s Settings) withDefaults() Settings {
	if s.Observe == 0 {
		s.Observe = 30 * time.Second
	}
	if s.Settle == 0 {
		s.Settle = 5 * time.Second
	}
	if s.MaxWait == 0 {
		s.MaxWait = 5 * time.Minute
	}
	if s.MinEvents == 0 {
		s.MinEvents = 100
	}
	s.MaxWait = max(s.MaxWait, s.Observe)
	return s
}

// Measurement is what Prometheus said about one window.
type Measurement struct {
	Ratio   release.Ratio
	Problem string    // why Ratio cannot be used: no data, not a number; empty: it can
	From    time.Time // the window's start
	To      time.Time // the moment it was asked for
}

// Ruling is the decision about one measurement.
type Ruling struct {
	Outcome release.Outcome
	Reason  string
	After   time.Duration // when to look again, for Waiting
}

// z of the interval around a ratio: 99 % on each side, since a running measurement is
// looked at many times.
const confident = 2.326

// Wilson is the interval in which the true share of good events lies; with few events it
// is wide, and it never leaves 0..1.
func Wilson(r release.Ratio, z float64) (low, high float64) {
	if r.Total <= 0 {
		return 0, 1
	}
	n, p := r.Total, clamp(r.Good/r.Total)
	mid := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return clamp(mid - half), clamp(mid + half)
}

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
	return (1 - Share(r)) / (1 - objective)
}

// Remaining is the share of the error budget that is left, 1 at first and negative when
// overspent. The ratio is the one of the SLO's whole window.
func Remaining(r release.Ratio, objective float64) float64 { return 1 - Burn(r, objective) }

// Spent is the share of the budget of period that a burn rate uses up in window.
func Spent(burn float64, window, period time.Duration) float64 {
	return burn * float64(window) / float64(period)
}

func clamp(x float64) float64 { return min(1, max(0, x)) }

// Judge decides one measurement of an objective:
//
//   - enough events and even the upper end of the interval is below the objective:
//     Refused at once, the window need not end;
//   - the window is not over: Waiting;
//   - too few events, or no usable answer: Waiting until MaxWait, then Undetermined. No
//     data is never a pass;
//   - otherwise the share of good events decides.
func Judge(m Measurement, objective float64, s Settings) Ruling {
	s = s.withDefaults()
	age := m.To.Sub(m.From)
	if m.Problem == "" {
		m.Problem = unusable(m.Ratio)
	}
	if m.Problem == "" && m.Ratio.Total < s.MinEvents {
		m.Problem = fmt.Sprintf("%s of at least %s events so far", count(m.Ratio.Total), count(s.MinEvents))
	}
	if m.Problem != "" {
		return noEvidence(m.Problem, age, s)
	}
	share := Share(m.Ratio)
	measured := fmt.Sprintf("%s of %s events were good, the objective is %s", Percent(share), count(m.Ratio.Total), Percent(objective))
	if _, high := Wilson(m.Ratio, confident); high < objective {
		return Ruling{Outcome: release.Refused, Reason: measured}
	}
	if left := s.Observe - age; left > 0 {
		return Ruling{Outcome: release.Waiting, Reason: fmt.Sprintf("%s so far, %s to go", measured, left.Round(time.Second)), After: pace(left)}
	}
	if share < objective {
		return Ruling{Outcome: release.Refused, Reason: measured}
	}
	return Ruling{Outcome: release.Passed, Reason: measured}
}

// unusable says what is wrong with numbers that cannot be a count of events.
func unusable(r release.Ratio) string {
	for _, v := range []float64{r.Good, r.Total} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return "Prometheus answered " + strings.TrimPrefix(fmt.Sprint(v), "+") + ", which is not a number of events"
		}
		if v < 0 {
			return fmt.Sprintf("Prometheus answered %v events: the query does not count", v)
		}
	}
	// increase() extrapolates, so good may exceed total a little; by a half it cannot.
	if r.Good > r.Total*1.5+1 {
		return fmt.Sprintf("%s good events of %s: the queries do not belong together", count(r.Good), count(r.Total))
	}
	return ""
}

func noEvidence(problem string, age time.Duration, s Settings) Ruling {
	if left := s.MaxWait - age; left > 0 {
		return Ruling{Outcome: release.Waiting, Reason: problem, After: pace(left)}
	}
	return Ruling{Outcome: release.Undetermined, Reason: fmt.Sprintf("%s, after %s of waiting", problem, s.MaxWait)}
}

// pace is when to look again: often enough to stop a bad release early.
func pace(left time.Duration) time.Duration {
	return min(2*time.Second, max(left, 100*time.Millisecond))
}

// Percent writes a share as people read it, "91.2 %" or "99.95 %", and never rounds up:
// only a share of exactly 1 is "100 %".
func Percent(share float64) string {
	scale := 10.0
	for limit := 0.99; share >= limit && scale < 10_000; limit = 1 - (1-limit)/10 {
		scale *= 10
	}
	return fmt.Sprintf("%v %%", math.Floor(share*100*scale+1e-6)/scale)
}

// count writes a number of events, which increase() makes fractional.
func count(n float64) string { return fmt.Sprintf("%.0f", math.Floor(n+1e-9)) }
