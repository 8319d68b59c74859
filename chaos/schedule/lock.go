package schedule

import (
	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// Breaking names the run whose fault may be active on a service in an environment; empty:
// none is. Such a run gives way to a release by itself, and a rollout waits for that.
func (s *Scheduler) Breaking(service release.Service, env release.Env) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, t := range s.active {
		if t.run.Service == service && t.run.Env == env && t.run.Trial != nil && chaos.Progress(*t.run.Trial).Live {
			return id
		}
	}
	return ""
}
