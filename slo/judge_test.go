package slo_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/burn"
)

var begin = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	settings := slo.Settings{Observe: 30 * time.Second, MaxWait: time.Minute, MinEvents: 100}
	tests := []struct {
		name    string
		ratio   release.Ratio
		problem string
		age     time.Duration
		want    release.Outcome
		reason  string
	}{
		{"enough good events pass once the window is over", release.Ratio{Good: 995, Total: 1000}, "", 30 * time.Second, release.Passed, "99.5 % of 1000 events were good, the objective is 99 %"},
		{"exactly the objective passes", release.Ratio{Good: 990, Total: 1000}, "", 30 * time.Second, release.Passed, ""},
		{"good so far waits for the window to end", release.Ratio{Good: 400, Total: 400}, "", 12 * time.Second, release.Waiting, "18s to go"},
		{"a little below is refused only at the end", release.Ratio{Good: 985, Total: 1000}, "", 20 * time.Second, release.Waiting, ""},
		{"and at the end it is", release.Ratio{Good: 985, Total: 1000}, "", 30 * time.Second, release.Refused, "98.5 % of 1000"},
		{"clearly below is refused before the window ends", release.Ratio{Good: 80, Total: 100}, "", 3 * time.Second, release.Refused, "80 % of 100"},
		{"few events are not refused early, however bad", release.Ratio{Good: 0, Total: 99}, "", 3 * time.Second, release.Waiting, "99 of at least 100 events"},
		{"few good events never pass", release.Ratio{Good: 99, Total: 99}, "", 30 * time.Second, release.Waiting, ""},
		{"and hold once nobody waits any longer", release.Ratio{Good: 99, Total: 99}, "", time.Minute, release.Undetermined, "after 1m0s of waiting"},
		{"no events at all never pass", release.Ratio{}, "", 30 * time.Second, release.Waiting, ""},
		{"no data waits", release.Ratio{}, "Prometheus has no data for the total", 30 * time.Second, release.Waiting, "no data"},
		{"and then holds", release.Ratio{}, "Prometheus has no data for the total", time.Minute, release.Undetermined, "no data"},
		{"NaN is no data", release.Ratio{Good: math.NaN(), Total: 1000}, "", time.Minute, release.Undetermined, "NaN"},
		{"infinity is no data", release.Ratio{Good: 1, Total: math.Inf(1)}, "", time.Minute, release.Undetermined, "Inf"},
		{"negative counts are no data", release.Ratio{Good: -5, Total: 1000}, "", time.Minute, release.Undetermined, "does not count"},
		{"much more good than all is a wrong query", release.Ratio{Good: 2000, Total: 1000}, "", time.Minute, release.Undetermined, "do not belong together"},
		{"a little more good than all is extrapolation", release.Ratio{Good: 1003, Total: 1000}, "", 30 * time.Second, release.Passed, "100 %"},
		{"enough events after the window pass as well", release.Ratio{Good: 100, Total: 100}, "", 45 * time.Second, release.Passed, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := slo.Measurement{Ratio: tt.ratio, Problem: tt.problem, From: begin, To: begin.Add(tt.age)}
			got := slo.Judge(m, 0.99, settings)
			if got.Outcome != tt.want || !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("got %v %q, want %v %q", got.Outcome, got.Reason, tt.want, tt.reason)
			}
			if (got.Outcome == release.Waiting) != (got.After > 0) {
				t.Errorf("%v asks to be called again after %v", got.Outcome, got.After)
			}
		})
	}
}

func TestArithmetic(t *testing.T) {
	r := release.Ratio{Good: 9980, Total: 10_000}
	if got := slo.Burn(r, 0.999); math.Abs(got-2) > 1e-9 {
		t.Errorf("0.2 %% bad burns a budget of 0.1 %% twice as fast, got %v", got)
	}
	if got := slo.Share(release.Ratio{}); !math.IsNaN(got) {
		t.Errorf("no events have no share, got %v", got)
	}
}

func TestAlarm(t *testing.T) {
	pair := burn.Pair{Long: time.Minute, Short: 15 * time.Second, Rate: 2}
	bad, good := release.Ratio{Good: 900, Total: 1000}, release.Ratio{Good: 1000, Total: 1000}
	open := &slo.Breach{SLO: "a", Cluster: "staging", Since: begin}
	tests := []struct {
		name   string
		before *slo.Breach
		now    slo.Burning
		want   string // "begins", "ends" or ""
	}{
		{"both windows burning begins a breach", nil, slo.Burning{Pair: pair, Long: bad, Short: bad}, "begins"},
		{"the long window alone is over already", nil, slo.Burning{Pair: pair, Long: bad, Short: good}, ""},
		{"the short window alone may be a blip", nil, slo.Burning{Pair: pair, Long: good, Short: bad}, ""},
		{"burning exactly at the limit is no breach", nil, slo.Burning{Pair: burn.Pair{Rate: 2}, Long: release.Ratio{Good: 980, Total: 1000}, Short: bad}, ""},
		{"few events are no breach", nil, slo.Burning{Pair: pair, Long: release.Ratio{Good: 0, Total: 19}, Short: release.Ratio{Good: 0, Total: 5}}, ""},
		{"a breach that goes on is not told again", open, slo.Burning{Pair: pair, Long: bad, Short: bad}, ""},
		{"the short window ends it", open, slo.Burning{Pair: pair, Long: bad, Short: good}, "ends"},
		{"no data ends nothing", open, slo.Burning{Pair: pair, NoData: true}, ""},
		{"no data begins nothing", nil, slo.Burning{Pair: pair, NoData: true}, ""},
		{"after its end a breach begins anew", &slo.Breach{Since: begin, Ended: begin.Add(time.Minute)}, slo.Burning{Pair: pair, Long: bad, Short: bad}, "begins"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := slo.Alarm(tt.before, slo.Breach{SLO: "a", Cluster: "staging"}, []slo.Burning{tt.now}, 0.99, begin.Add(time.Hour))
			what := ""
			if got != nil && got.Ended.IsZero() {
				what = "begins"
			} else if got != nil {
				what = "ends"
			}
			if what != tt.want {
				t.Errorf("%q, want %q: %+v", what, tt.want, got)
			}
		})
	}
}
