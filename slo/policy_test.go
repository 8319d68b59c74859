package slo_test

import (
	"context"
	"math"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
)

func TestSettingsDecideWhatMissingDataComesTo(t *testing.T) {
	nan := release.Ratio{Good: math.NaN(), Total: 1000}
	for _, tt := range []struct {
		name     string
		settings slo.Settings
		ratio    release.Ratio
		problem  string
		age      time.Duration
		want     release.Outcome
		code     slo.Code
	}{
		{"no data holds", slo.Settings{}, release.Ratio{}, "none", time.Hour, release.Undetermined, slo.CodeNoData},
		{"or refuses, once nobody waits any longer", slo.Settings{NoData: release.NoDataRefuse}, release.Ratio{}, "none", time.Hour, release.Refused, slo.CodeNoData},
		{"and not before", slo.Settings{NoData: release.NoDataRefuse}, release.Ratio{}, "none", time.Minute, release.Waiting, slo.CodeNoData},
		{"too few events do the same", slo.Settings{NoData: release.NoDataRefuse}, release.Ratio{Good: 9, Total: 9}, "", time.Hour, release.Refused, slo.CodeFewEvents},
		{"enough for a share, and not for a claim", slo.Settings{Confidence: 0.95}, release.Ratio{Good: 200, Total: 200}, "", time.Minute, release.Waiting, slo.CodeUnproved},
		{"and no person knows better than nobody", slo.Settings{Confidence: 0.95}, release.Ratio{Good: 200, Total: 200}, "", time.Hour, release.Undetermined, slo.CodeUnproved},
		{"as many as it takes", slo.Settings{Confidence: 0.95}, release.Ratio{Good: 299, Total: 299}, "", time.Minute, release.Passed, slo.CodeKept},
		{"a few more good ones than all are no mistake", slo.Settings{Confidence: 0.95}, release.Ratio{Good: 301.5, Total: 300}, "", time.Minute, release.Passed, slo.CodeKept},
		{"a bad one takes more", slo.Settings{Confidence: 0.95}, release.Ratio{Good: 298, Total: 299}, "", time.Minute, release.Waiting, slo.CodeUnproved},
		{"NaN waits", slo.Settings{}, nan, "", time.Minute, release.Waiting, slo.CodeNaN},
		{"or refuses at once", slo.Settings{NotANumber: release.NotANumberRefuse}, nan, "", time.Second, release.Refused, slo.CodeNaN},
		{"a page-level burn refuses before there are enough events", slo.Settings{Page: 14.4}, release.Ratio{Good: 10, Total: 30}, "", time.Second, release.Refused, slo.CodePageBurn},
		{"unless that may be bad luck", slo.Settings{Page: 14.4}, release.Ratio{Good: 27, Total: 30}, "", time.Second, release.Waiting, slo.CodeFewEvents},
		{"or nearly nothing happened", slo.Settings{Page: 14.4}, release.Ratio{Good: 0, Total: 19}, "", time.Second, release.Waiting, slo.CodeFewEvents},
		{"a page-level burn in no usable numbers is none", slo.Settings{Page: 14.4}, release.Ratio{Good: 10, Total: 30}, "stale", time.Second, release.Waiting, slo.CodeNoData},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := slo.Measurement{Ratio: tt.ratio, Problem: tt.problem, From: begin, To: begin.Add(tt.age)}
			got := slo.Judge(m, 0.99, tt.settings)
			if got.Outcome != tt.want || got.Code != tt.code {
				t.Errorf("got %v %s %q, want %v %s", got.Outcome, got.Code, got.Reason, tt.want, tt.code)
			}
		})
	}
}

// judgedBy is a gate whose environment has these settings.
func judgedBy(t *testing.T, address string, after time.Duration, s release.SLOGate) *slo.Gate {
	g := gate(t, address, begin.Add(after), availability())
	g.Environment = func(context.Context, release.Env) (release.Environment, error) {
		return release.Environment{Spec: release.EnvironmentSpec{SLO: s}}, nil
	}
	return g
}

func TestTheGateSaysItsReasonInOneWord(t *testing.T) {
	const over = 36 * time.Second
	for _, tt := range []struct {
		name     string
		answers  map[string]string
		settings release.SLOGate
		after    time.Duration
		want     release.Outcome
		code     slo.Code
	}{
		{"kept", map[string]string{"good": "1000", "total": "1000"}, release.SLOGate{}, over, release.Passed, slo.CodeKept},
		{"missed", map[string]string{"good": "980", "total": "1000"}, release.SLOGate{}, over, release.Refused, slo.CodeMissed},
		{"settling", nil, release.SLOGate{}, time.Second, release.Waiting, slo.CodeSettling},
		{"a page-level burn", map[string]string{"good": "1", "total": "40"}, release.SLOGate{}, 7 * time.Second, release.Refused, slo.CodePageBurn},
		{"no data, refused", nil, release.SLOGate{NoData: release.NoDataRefuse}, time.Hour, release.Refused, slo.CodeNoData},
		{"NaN, refused", map[string]string{"good": "NaN", "total": "10"}, release.SLOGate{NotANumber: release.NotANumberRefuse}, over, release.Refused, slo.CodeNaN},
		{"NaN, dropped, leaves nothing", map[string]string{"good": "NaN", "total": "+Inf"}, release.SLOGate{NotANumber: release.NotANumberDrop}, over, release.Waiting, slo.CodeNoData},
		{"nothing younger than maxAge", map[string]string{"[31s]": "1000"}, release.SLOGate{MaxAge: release.Duration(10 * time.Second)}, over, release.Waiting, slo.CodeStale},
		{"events in every piece", map[string]string{"good": "1000", "total": "1000"}, release.SLOGate{MinSamples: 3}, over, release.Passed, slo.CodeKept},
		{"events in one burst", map[string]string{"good": "1000", "total": "1000", "burst": "1"}, release.SLOGate{MinSamples: 3}, over, release.Waiting, slo.CodeFewSamples},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPrometheus(t, tt.answers)
			_, v, err := judgedBy(t, p.URL, tt.after, tt.settings).Check(t.Context(), "", deployed("a"))
			if err != nil || v.Outcome() != tt.want || v.Code() != string(tt.code) {
				t.Fatalf("got %v %s %q %v, want %v %s", v.Outcome(), v.Code(), v.Reason(), err, tt.want, tt.code)
			}
			replay(t, v)
			for _, e := range v.Evidence() {
				if e.Facts["code"] != string(tt.code) {
					t.Errorf("evidence says %q", e.Facts["code"])
				}
			}
		})
	}
}

func TestMissingDataIsNotRefusedBecausePrometheusWasAway(t *testing.T) {
	p := newPrometheus(t, nil)
	p.began = begin.Add(10 * time.Minute)
	for after, want := range map[time.Duration]release.Outcome{11 * time.Minute: release.Waiting, 16 * time.Minute: release.Refused} {
		_, v, err := judgedBy(t, p.URL, after, release.SLOGate{NoData: release.NoDataRefuse}).Check(t.Context(), "", deployed("a"))
		if err != nil || v.Outcome() != want {
			t.Errorf("after %s: %v %q %v, want %v", after, v.Outcome(), v.Reason(), err, want)
		}
	}
}

func TestTooFewEventsForAConfidenceAreMissingDataToo(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "200", "total": "200"})
	p.began = begin.Add(10 * time.Minute)
	for after, want := range map[time.Duration]release.Outcome{11 * time.Minute: release.Waiting, 16 * time.Minute: release.Refused} {
		_, v, err := judgedBy(t, p.URL, after, release.SLOGate{NoData: release.NoDataRefuse, Confidence: 0.95}).Check(t.Context(), "", deployed("a"))
		if err != nil || v.Outcome() != want || v.Code() != string(slo.CodeUnproved) {
			t.Errorf("after %s: %v %s %q %v, want %v", after, v.Outcome(), v.Code(), v.Reason(), err, want)
		}
	}
}

func TestErrorsInARowAreForAPersonAndNeverAPass(t *testing.T) {
	away := httptest.NewServer(nil)
	away.Close()
	r := deployed("a")
	for tries, want := range map[int]release.Outcome{0: release.NoOutcome, 1: release.NoOutcome, 2: release.Undetermined, 50: release.Undetermined} {
		r.Tries = tries
		_, v, err := judgedBy(t, away.URL, time.Minute, release.SLOGate{MaxErrors: 3}).Check(t.Context(), "", r)
		if v.Outcome() != want || (err == nil) != (want == release.Undetermined) {
			t.Errorf("after %d tries: %v %v", tries, v.Outcome(), err)
		}
		if want == release.Undetermined && (v.Code() != string(slo.CodeUnasked) || v.Hint() == "" || !strings.Contains(v.Reason(), "times in a row")) {
			t.Errorf("%s %q %q", v.Code(), v.Reason(), v.Hint())
		}
	}
}

func TestEveryCodeIsDocumented(t *testing.T) {
	for _, file := range []string{"../docs/gate.md", "../docs/zh/gate.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range slo.Codes() {
			if !strings.Contains(string(text), "`"+string(c)+"`") {
				t.Errorf("%s does not say what %s is", file, c)
			}
		}
	}
}
