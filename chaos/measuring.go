package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/release"
)

// until is the end of the window that is measured under the fault.
func until(s Subject, t release.Trial) time.Time {
	end := t.Fault.Injected.Add(s.Observe)
	f := s.Experiment.Spec.Fault
	if faults.Lasts(f.Kind, f.Action) {
		// A duration counts from creation in whole seconds: it may end a second early.
		if own := t.Fault.Created.Add(f.Duration.Std() - 2*time.Second); own.Before(end) {
			end = own
		}
	}
	return end
}

// measuring watches the SLOs while the fault is active. Prometheus may be away: the fault
// is reverted in time all the same, and the window is read later.
func (e *Engine) measuring(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	now, end := e.Now(), until(s, t)
	left := end.Sub(now)
	if left <= 0 {
		if end.Sub(t.Fault.Injected) < time.Second {
			return e.again(t), release.Wait(title(t.Fault)+" was injected too late to be measured: trying again", 0), nil
		}
		return move(t, stepReverting, now), release.Wait("measured; reverting "+title(t.Fault), 0), nil
	}
	sight, err := e.Provider.Look(ctx, *t.Fault)
	if err != nil {
		return t, release.Verdict{}, err
	}
	if sight.State != Injected {
		return e.again(t), release.Wait(fmt.Sprintf("%s ended before it was measured (%s): trying again", title(t.Fault), sight.State), 0), nil
	}
	reason := fmt.Sprintf("measuring while %s is active, %s to go", title(t.Fault), left.Round(time.Second))
	if now.Sub(t.Fault.Injected) < time.Second {
		return t, release.Wait(reason, min(left, time.Second)), nil
	}
	asking, done := e.meanwhile(ctx, left)
	found, err := e.Measure(asking, s.Service, s.Env, s.Cluster, s.Experiment.Spec.Hypothesis, t.Fault.Injected, end)
	done()
	if err != nil && e.stopped() != "" {
		return t, release.Wait(e.stopped(), 0), nil
	}
	if err != nil {
		return t, release.Wait(reason+"; "+err.Error(), min(max(0, end.Sub(e.Now())), 5*time.Second)), nil
	}
	if worst(found) == release.Refused.String() {
		t = e.underFault(t, s, found)
		return move(t, stepReverting, now), release.Wait("clear already: reverting "+title(t.Fault), 0), nil
	}
	return t, release.Wait(reason, min(left, 2*time.Second)), nil
}

// meanwhile is for a question that may take long while something is broken: it is dropped
// when nothing may be broken any more, and when the fault is to go anyway.
func (e *Engine) meanwhile(ctx context.Context, left time.Duration) (context.Context, func()) {
	asking, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		end, look := time.NewTimer(left), time.NewTicker(stopEvery)
		defer end.Stop()
		defer look.Stop()
		for {
			select {
			case <-asking.Done():
				return
			case <-end.C:
				cancel()
			case <-look.C:
				if e.stopped() != "" {
					cancel()
				}
			}
		}
	}()
	return asking, func() {
		cancel()
		<-ended
	}
}

func (e *Engine) underFault(t release.Trial, s Subject, found []release.Evidence) release.Trial {
	for _, ev := range found {
		ev.Cluster, ev.Revision, ev.Fault = s.Cluster, s.Revision, record(t.Fault)
		t = note(t, s.Experiment.Meta.Name, evidence.Fault, ev)
		t = cell(t, s.Experiment.Meta.Name, s.Cluster, evidence.Fault, ev)
	}
	return t
}
