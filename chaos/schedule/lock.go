package schedule

import (
	"context"
	"fmt"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// Breaking names the run whose fault may be active on a service in an environment, or was
// left behind there; empty: none is. Such a run gives way to a release by itself, and a rollout waits for that, as it
// does until Run has found what an earlier process left active.
func (s *Scheduler) Breaking(service release.Service, env release.Env) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.known {
		return ofBefore
	}
	for id, t := range s.active {
		if t.run.Service == service && t.run.Env == env && t.run.Trial != nil && chaos.Progress(*t.run.Trial).Live {
			return id
		}
	}
	for id, run := range s.left {
		if run.Service == service && run.Env == env {
			return id
		}
	}
	return ""
}

// ofBefore names the runs of an earlier process while nobody knows them yet.
const ofBefore = "of the server before"

// alone waits until no other run is about to begin; end lets the next one.
func (s *Scheduler) alone(ctx context.Context) (end func(), err error) {
	s.mu.Lock()
	if s.turn == nil {
		s.turn = make(chan struct{}, 1)
	}
	turn := s.turn
	s.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// other is an active run of the same service. Before Run has resumed what was unfinished it
// asks the store.
func (s *Scheduler) other(ctx context.Context, run Run) (string, error) {
	s.mu.Lock()
	known, active := s.known, make([]Run, 0, len(s.active))
	for _, t := range s.active {
		active = append(active, t.run)
	}
	for _, run := range s.left {
		active = append(active, run)
	}
	s.mu.Unlock()
	if !known {
		left, err := s.Runs.Active(ctx)
		if err != nil {
			return "", fmt.Errorf("list active runs: %w", err)
		}
		active = append(active, left...)
	}
	for _, r := range active {
		if r.Service == run.Service && r.ID != run.ID {
			return r.ID, nil
		}
	}
	return "", nil
}
