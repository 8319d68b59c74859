package faults

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

func TestNothingIsBrokenOutsideOfWindowsNorInAFreeze(t *testing.T) {
	now := time.Date(2026, 11, 27, 2, 0, 0, 0, time.UTC) // a Friday
	night := release.ChaosRules{Windows: []release.Window{{Allow: "Fri 01:00-03:00"}}}
	for _, c := range []struct {
		name  string
		rules release.ChaosRules
		want  release.Outcome
		why   string
	}{
		{"no rule", release.ChaosRules{}, release.Passed, ""},
		{"inside of a window", night, release.Passed, ""},
		{"outside of every window", release.ChaosRules{Windows: []release.Window{{Allow: "Sat 01:00-03:00"}}}, release.Waiting, "until 2026-11-28T01:00:00Z"},
		{"in a freeze, whatever the window", release.ChaosRules{Windows: night.Windows, Freezes: []release.Freeze{{From: now, Until: now.Add(time.Hour), Reason: "singles' day"}}}, release.Waiting, "until 2026-11-27T03:00:00Z: singles' day"},
		{"a freeze has ended", release.ChaosRules{Freezes: []release.Freeze{{From: now.Add(-time.Hour), Until: now}}}, release.Passed, ""},
		{"a freeze is to come", release.ChaosRules{Freezes: []release.Freeze{{From: now.Add(time.Second), Until: now.Add(time.Hour)}}}, release.Passed, ""},
	} {
		v, err := Admitted(c.rules, now)
		if err != nil || v.Outcome() != c.want || !strings.Contains(v.Reason(), c.why) || v.After() > nextLook {
			t.Errorf("%s: %s %q, %v, again in %s", c.name, v.Outcome(), v.Reason(), err, v.After())
		}
	}
}

func TestTheSwitchIsAFileThatPeopleMayMakeThemselves(t *testing.T) {
	s := Switch{File: filepath.Join(t.TempDir(), "stop-chaos")}
	if why := s.State(t.Context()); why != "" {
		t.Errorf("before: %q", why)
	}
	if err := s.Resume(t.Context()); err != nil {
		t.Errorf("resume what is not stopped: %v", err)
	}
	if err := s.Stop(t.Context(), "ann", "orders\nare lost"); err != nil {
		t.Fatal(err)
	}
	if why := s.State(t.Context()); !strings.HasSuffix(why, ": ann: orders are lost") {
		t.Errorf("stopped: %q", why)
	}
	if err := s.Resume(t.Context()); err != nil || s.State(t.Context()) != "" {
		t.Errorf("resumed: %v, %q", err, s.State(t.Context()))
	}
	if err := os.WriteFile(s.File, nil, 0o000); err != nil {
		t.Fatal(err)
	}
	if why := s.State(t.Context()); !strings.Contains(why, "the kill switch is on") {
		t.Errorf("an empty file: %q", why)
	}
}

func TestNothingIsBrokenThatTheErrorBudgetCannotAfford(t *testing.T) {
	env := release.Environment{Spec: release.EnvironmentSpec{Chaos: release.ChaosRules{MinBudget: 10}}}
	left, asked, failing := map[string]float64{"a": 0.5, "b": 0.10}, 0, error(nil)
	admit := Admission(func(release.Env) (release.Environment, error) { return env, nil },
		func(_ context.Context, s release.Service, _ release.Env, cluster string) (map[string]float64, error) {
			asked++
			if s != "shop/web" || cluster != "staging" {
				t.Errorf("asked of %s on %s", s, cluster)
			}
			return left, failing
		}, time.Now)
	subject := chaos.Subject{Service: "shop/web", Env: "staging", Cluster: "staging"}
	if v, err := admit(t.Context(), subject); err != nil || v.Outcome() != release.Passed {
		t.Errorf("exactly enough: %s %v", v.Reason(), err)
	}
	left["b"] = -0.2
	if v, err := admit(t.Context(), subject); err != nil || v.Outcome() != release.Undetermined || !strings.Contains(v.Reason(), "SLO b has -20.0 % of its error budget left, and 10 % are wanted") {
		t.Errorf("overspent: %s %s %v", v.Outcome(), v.Reason(), err)
	}
	left["b"] = math.NaN()
	if v, err := admit(t.Context(), subject); err != nil || v.Outcome() != release.Undetermined || !strings.Contains(v.Reason(), "SLO b has left: Prometheus has no numbers of it") {
		t.Errorf("without numbers: %s %s %v", v.Outcome(), v.Reason(), err)
	}
	failing = errors.New("Prometheus is away")
	if _, err := admit(t.Context(), subject); !errors.Is(err, failing) {
		t.Errorf("not known: %v", err)
	}
	env.Spec.Chaos.MinBudget = 0
	if v, err := admit(t.Context(), subject); err != nil || v.Outcome() != release.Passed || asked != 4 {
		t.Errorf("not asked: %s %v, %d times", v.Outcome(), err, asked)
	}
}
