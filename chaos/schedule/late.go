package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// tooLate is why a run that an earlier process left is not begun any more: nothing was
// broken yet, and nobody expects it now. Empty: it goes on.
func tooLate(run Run, now time.Time) string {
	last := run.Started
	if run.Trial != nil {
		if r := chaos.Progress(*run.Trial); r.State != Planned && !r.Ready {
			return ""
		}
		if run.Trial.Since.After(last) {
			last = run.Trial.Since
		}
	}
	if away := now.Sub(last); away > giveUp {
		return fmt.Sprintf("the server was away for %s before anything was broken", away.Round(time.Second))
	}
	return ""
}

// noted saves first that a run is to end: whoever goes on with it after a crash in the
// middle of that must not take it up again. A store that does not answer stops no end.
func (s *Scheduler) noted(ctx context.Context, run Run) (Run, error) {
	if run.Abort == "" || run.noted {
		return run, nil
	}
	revision, err := s.Runs.Save(ctx, run)
	switch {
	case errors.Is(err, release.ErrStale):
		return run, err
	case err == nil:
		run.Revision, run.noted = revision, true
	}
	return run, nil
}
