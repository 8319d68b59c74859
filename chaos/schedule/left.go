package schedule

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/chaos"
)

const (
	leftLook = 5 * time.Second
	leftFor  = 24 * time.Hour // a cluster that answers nobody any more holds nobody for ever
	recent   = 100            // runs that are looked at for faults that an earlier process left
)

// isLeft reports whether a run has ended, and its fault is known to be there still: until
// it has gone, its service is neither released nor broken by another.
func isLeft(run Run, now time.Time) bool {
	return run.Over() && run.Fault != nil && leftBehind(run) != "" && now.Sub(run.Ended) < leftFor
}

// leftovers are the runs of an earlier process whose faults may be there still.
func (s *Scheduler) leftovers(ctx context.Context) ([]Run, error) {
	runs, err := s.Runs.List(ctx, "", "", recent)
	if err != nil {
		return nil, fmt.Errorf("list runs that have left their faults: %w", err)
	}
	var left []Run
	for _, run := range runs {
		if isLeft(run, s.Engine.Now()) {
			left = append(left, run)
		}
	}
	return left, nil
}

// leaveLocked has a run hold its service.
func (s *Scheduler) leaveLocked(run Run) {
	if s.left == nil {
		s.left = map[string]Run{}
	}
	s.left[run.ID] = run
}

// untilGone frees the service of a run whose fault has gone: the sweep, or a person, has
// put it back.
func (s *Scheduler) untilGone(ctx context.Context, run Run) {
	tick := time.NewTicker(leftLook)
	defer tick.Stop()
	for ctx.Err() == nil {
		sight, err := s.Engine.Provider.Look(ctx, *run.Fault)
		if err == nil && sight.State == chaos.Gone || !isLeft(run, s.Engine.Now()) {
			s.mu.Lock()
			delete(s.left, run.ID)
			s.mu.Unlock()
			s.Log.Info("experiment", "run", run.ID, "fault", run.Fault.Name, "gone", err == nil && sight.State == chaos.Gone)
			return
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
