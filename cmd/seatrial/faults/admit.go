package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

// Budgets is how much of its error budget each SLO of a service has left on a cluster.
type Budgets func(ctx context.Context, s release.Service, env release.Env, cluster string) (map[string]float64, error)

// Admission says when things may be broken in an environment: inside of one of its windows
// for chaos, in none of its freezes, and while the service can afford it.
func Admission(environment func(release.Env) (release.Environment, error), budgets Budgets, now func() time.Time) chaos.Admit {
	return func(ctx context.Context, s chaos.Subject) (release.Verdict, error) {
		env, err := environment(s.Env)
		if err != nil {
			return release.Verdict{}, err
		}
		v, err := Admitted(env.Spec.Chaos, now())
		if err != nil || v.Outcome() != release.Passed || env.Spec.Chaos.MinBudget == 0 {
			return v, err
		}
		left, err := budgets(ctx, s.Service, s.Env, s.Cluster)
		if err != nil {
			return release.Verdict{}, err
		}
		return affords(left, env.Spec.Chaos.MinBudget), nil
	}
}

// affords says whether every SLO has at least so many percent of its error budget left.
func affords(left map[string]float64, least int) release.Verdict {
	for _, name := range slices.Sorted(maps.Keys(left)) {
		switch percent := 100 * left[name]; {
		case math.IsNaN(percent):
			return release.Inconclusive(fmt.Sprintf("nobody knows how much of its error budget SLO %s has left: Prometheus has no numbers of it, and %d %% are wanted before anything is broken", name, least),
				"see with `seatrial slo doctor` why it has none, or take chaos.minBudget off the environment")
		case percent < float64(least):
			return release.Inconclusive(fmt.Sprintf("SLO %s has %.1f %% of its error budget left, and %d %% are wanted before anything is broken", name, percent, least), "wait until the window has passed over what was bad")
		}
	}
	return release.Pass()
}

// nextLook bounds how long a closed window is waited for without another look.
const nextLook = time.Minute

// Frozen says which freeze of an environment a moment is in, and until when; "" when in none.
func Frozen(rules release.ChaosRules, now time.Time) (why string, until time.Time) {
	for _, f := range rules.Freezes {
		if !now.Before(f.From) && now.Before(f.Until) {
			return fmt.Sprintf("nothing is broken until %s: %s", f.Until.Format(time.RFC3339), cmp.Or(f.Reason, "a freeze")), f.Until
		}
	}
	return "", time.Time{}
}

// Admitted is whether an environment's windows and freezes let anything be broken at a moment.
func Admitted(rules release.ChaosRules, now time.Time) (release.Verdict, error) {
	if why, until := Frozen(rules, now); why != "" {
		return release.Wait(why, min(nextLook, until.Sub(now))), nil
	}
	if len(rules.Windows) == 0 {
		return release.Pass(), nil
	}
	open, next, err := policies.Open(rules.Windows, now)
	if err != nil || open {
		return release.Pass(), err
	}
	return release.Wait(fmt.Sprintf("outside of the windows for chaos until %s", next.Format(time.RFC3339)), min(nextLook, next.Sub(now))), nil
}

// Switch is the kill switch: a file. What makes it may be a person without us.
type Switch struct{ File string }

// State says why nothing may be broken; "" when it may.
func (s Switch) State(context.Context) string { return chaos.Stopped(s.File) }

// Stop forbids to break anything, and has what is broken put back.
func (s Switch) Stop(_ context.Context, by, reason string) error {
	if err := os.WriteFile(s.File, []byte(by+": "+reason+"\n"), 0o600); err != nil {
		return fmt.Errorf("set the kill switch: %w", err)
	}
	return nil
}

// Resume takes the stop off.
func (s Switch) Resume(context.Context) error {
	if err := os.Remove(s.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take the kill switch off: %w", err)
	}
	return nil
}
