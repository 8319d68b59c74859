package schedule

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/release"
)

// stuckAfter is how long a fault may be out of reach before a person is called.
const stuckAfter = time.Minute

// outOfReach reports whether a run's fault may be active and nothing can be done about it.
func outOfReach(run Run, now time.Time) bool {
	return run.Trial != nil && chaos.Progress(*run.Trial).Live && now.Sub(run.Trial.Since) > stuckAfter
}

// leftBehind is why a run's fault is still there at its end; empty: it is not.
func leftBehind(run Run) string {
	if run.Trial == nil {
		return ""
	}
	if ev := evidence.Failing(evidence.Latest(run.Trial.Evidence, run.Experiment), evidence.Reverted); ev != nil {
		return ev.Detail
	}
	return ""
}

// stuck calls a person to a fault that cannot be put back. However often it is told, it is
// one event.
func (s *Scheduler) stuck(ctx context.Context, run Run, why string) error {
	err := s.Announce(ctx, release.Event{
		ID: "experiment-stuck/" + run.ID, Kind: release.EventUnsteady, At: s.Engine.Now().UTC(), Service: run.Service, Env: run.Env, About: run.Experiment, Result: "Stuck", Severity: "critical",
		Subject: fmt.Sprintf("the fault of experiment %s on %s in %s cannot be put back", run.Experiment, run.Service, run.Env), Reason: why,
		Hint: "look at cluster " + run.Cluster + " and at what carries the fault out there; it is tried again",
	})
	if err != nil {
		return fmt.Errorf("tell of run %s: %w", run.ID, err)
	}
	return nil
}
