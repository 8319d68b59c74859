package schedule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/release"
)

// giveUp is how long a run may fail to ask before anything was broken.
const giveUp = 10 * time.Minute

// Run goes on with the runs that an earlier process left unfinished, then starts runs as
// they fall due, until ctx ends. Runs that are under way then are gone on with by the next
// process; their faults end by themselves if there is none.
func (s *Scheduler) Run(ctx context.Context) error {
	unfinished, err := s.Runs.Active(ctx)
	if err != nil {
		return fmt.Errorf("list active runs: %w", err)
	}
	for _, run := range unfinished {
		run.Abort = cmp.Or(run.Abort, tooLate(run, s.Engine.Now()))
		s.add(run)
	}
	left, err := s.leftovers(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	for _, run := range left {
		s.leaveLocked(run)
	}
	s.known = true
	s.mu.Unlock()
	every := s.Every
	if every == 0 {
		every = time.Second
	}
	tick := time.NewTimer(s.untilNext(every))
	defer tick.Stop()
	var drives sync.WaitGroup
	defer drives.Wait()
	for _, run := range left {
		drives.Go(func() { s.untilGone(ctx, run) })
	}
	began, failing := s.Engine.Now(), ""
	for {
		for _, t := range s.idle() {
			drives.Go(func() { s.drive(ctx, t) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.waker():
			continue
		case <-tick.C:
			tick.Reset(s.untilNext(every))
		}
		if err := s.due(ctx, began); err != nil && ctx.Err() == nil && err.Error() != failing {
			failing = err.Error()
			s.Log.Warn("experiments", "error", failing)
		} else if err == nil {
			failing = ""
		}
	}
}

// untilNext leads to the next whole second, where schedules fall due, rather than to
// somewhere within it.
func (s *Scheduler) untilNext(every time.Duration) time.Duration {
	now := s.Engine.Now()
	return now.Truncate(every).Add(every).Sub(now)
}

func (s *Scheduler) waker() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
	}
	return s.wake
}

// add makes a saved run active.
func (s *Scheduler) add(run Run) {
	s.mu.Lock()
	if s.active == nil {
		s.active = map[string]*task{}
	}
	if _, ok := s.active[run.ID]; !ok {
		s.active[run.ID] = &task{run: run, wake: make(chan struct{}, 1)}
	}
	s.mu.Unlock()
	poke(s.waker())
}

// idle takes the tasks that nobody drives yet.
func (s *Scheduler) idle() []*task {
	s.mu.Lock()
	defer s.mu.Unlock()
	var idle []*task
	for _, t := range s.active {
		if !t.driving {
			t.driving = true
			idle = append(idle, t)
		}
	}
	return idle
}

// due starts, or skips with its reason, every experiment whose time has come.
func (s *Scheduler) due(ctx context.Context, began time.Time) error {
	p, err := s.Platform(ctx)
	if err != nil {
		return fmt.Errorf("read the platform: %w", err)
	}
	var problems []error // of one experiment, which keep no other from its time
	for _, name := range slices.Sorted(maps.Keys(p.Experiments)) {
		x := p.Experiments[name]
		if x.Spec.Schedule == nil {
			continue
		}
		schedule, err := ParseSchedule(*x.Spec.Schedule)
		if err != nil {
			problems = append(problems, fmt.Errorf("experiment %s: %w", name, err))
			continue
		}
		for _, env := range x.Spec.Schedule.Environments {
			problems = append(problems, s.dueIn(ctx, p, x, env, schedule.For(name, env), began))
		}
	}
	return errors.Join(problems...)
}

// dueIn is due for one experiment in one environment.
func (s *Scheduler) dueIn(ctx context.Context, p chaos.Platform, x release.Experiment, env release.Env, timed Schedule, began time.Time) error {
	name := x.Meta.Name
	last, err := s.lastTime(ctx, name, env, timed.since(began))
	if err != nil || timed.Due(last, s.Engine.Now()).IsZero() {
		return err
	}
	if last, err = s.saved(ctx, name, env, last); err != nil { // another process may have been there first
		return err
	}
	now := s.Engine.Now()
	at := timed.Due(last, now)
	if at.IsZero() {
		s.dealt(name+"/"+string(env), last)
		return nil
	}
	return s.scheduled(ctx, p, x, env, at, timed.Missed(at, began, now))
}

// lastTime is the last time of a schedule that was dealt with, by this process or an
// earlier one; otherwise when it never was.
func (s *Scheduler) lastTime(ctx context.Context, experiment string, env release.Env, otherwise time.Time) (time.Time, error) {
	key := experiment + "/" + string(env)
	s.mu.Lock()
	last, ok := s.last[key]
	s.mu.Unlock()
	if ok {
		return last, nil
	}
	last, err := s.saved(ctx, experiment, env, time.Time{})
	if err != nil {
		return time.Time{}, err
	}
	if last.IsZero() {
		last = otherwise
	}
	s.dealt(key, last)
	return last, nil
}

// saved is the last time of a schedule that has a run in the store, or a later one.
func (s *Scheduler) saved(ctx context.Context, experiment string, env release.Env, later time.Time) (time.Time, error) {
	runs, err := s.Runs.List(ctx, experiment, "", 100)
	if err != nil {
		return time.Time{}, fmt.Errorf("list runs of %s: %w", experiment, err)
	}
	for _, r := range runs {
		if r.Env == env && r.Trigger == "schedule" && r.Scheduled.After(later) {
			return r.Scheduled, nil
		}
	}
	return later, nil
}

func (s *Scheduler) dealt(key string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]time.Time{}
	}
	s.last[key] = at
}

// scheduled saves the run of a time of the schedule, unless another process has: its ID is
// that time, and only who creates it runs it. missed is why it is not to be run any more.
func (s *Scheduler) scheduled(ctx context.Context, p chaos.Platform, x release.Experiment, env release.Env, at time.Time, missed string) error {
	name := x.Meta.Name
	run := Run{
		ID: runID(at, name, env), Experiment: name, Service: x.Spec.Service, Env: env,
		Trigger: "schedule", By: "seatrial", State: Planned, Scheduled: at.UTC(), Started: s.Engine.Now().UTC(),
	}
	end, err := s.alone(ctx)
	if err != nil {
		return err
	}
	defer end()
	if s.running(name, env) {
		s.dealt(name+"/"+string(env), at) // the one before is not over: not worth a record
		return nil
	}
	why := missed
	if why == "" {
		if run, why, err = s.begin(ctx, p, run); err != nil {
			return err
		}
	}
	if why != "" {
		run.State, run.Message, run.Ended = Invalid, "skipped: "+why, run.Started
	}
	if run.Verdict != nil {
		if err := s.unapproved(ctx, run); err != nil {
			return err
		}
	}
	if run.Revision, err = s.Runs.Save(ctx, run); errors.Is(err, release.ErrStale) {
		s.dealt(name+"/"+string(env), at)
		s.Log.Info("experiment", "run", run.ID, "state", "somebody else's")
		return nil
	} else if err != nil {
		return fmt.Errorf("save run %s: %w", run.ID, err)
	}
	s.dealt(name+"/"+string(env), at)
	s.Log.Info("experiment", "run", run.ID, "state", run.State, "reason", run.Message)
	if why == "" {
		s.add(run)
	}
	return nil
}

// begin finds where a run of a schedule takes place, or why it does not; then with a
// verdict when too few people have agreed to it.
func (s *Scheduler) begin(ctx context.Context, p chaos.Platform, run Run) (Run, string, error) {
	place, why, err := s.admit(ctx, p, run)
	run.Cluster = place.Cluster
	if err != nil || why != "" {
		return run, why, err
	}
	v, _, err := s.agreed(ctx, s.terms(p, run, place.Project), run, false, run.Started)
	if err != nil || v.Outcome() == release.Passed {
		return run, "", err
	}
	run.Verdict = &v
	return run, v.Reason(), nil
}

func (s *Scheduler) running(experiment string, env release.Env) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.active {
		if t.run.Experiment == experiment && t.run.Env == env {
			return true
		}
	}
	return false
}

// admit finds where a run would take place, or why it may not now.
func (s *Scheduler) admit(ctx context.Context, p chaos.Platform, run Run) (Place, string, error) {
	if why := chaos.Stopped(s.StopFile); why != "" {
		return Place{}, why, nil
	}
	if run.Service == "" {
		return Place{}, "the experiment names no service", nil
	}
	other, err := s.other(ctx, run)
	if err != nil {
		return Place{}, "", err
	}
	if other != "" {
		return Place{}, "run " + other + " of the same service is active", nil
	}
	return s.place(ctx, p, run)
}

func (s *Scheduler) place(ctx context.Context, p chaos.Platform, run Run) (Place, string, error) {
	places, err := s.Places(ctx)
	if err != nil {
		return Place{}, "", fmt.Errorf("read where %s is: %w", run.Service, err)
	}
	why := fmt.Sprintf("%s is not in %s", run.Service, run.Env)
	for _, place := range places {
		if place.Service != run.Service || place.Env != run.Env || run.Cluster != "" && place.Cluster != run.Cluster {
			continue
		}
		if place.Busy != "" {
			return Place{}, place.Busy, nil
		}
		if p.Clusters[place.Cluster].Spec.Chaos {
			return place, "", nil
		}
		why = fmt.Sprintf("no cluster of %s has chaos: true", run.Env)
	}
	return Place{}, why, nil
}

// drive carries one run to its end, or until ctx ends or another process has taken it over.
func (s *Scheduler) drive(ctx context.Context, t *task) {
	for ctx.Err() == nil {
		s.mu.Lock()
		run := t.run
		s.mu.Unlock()
		next, after, mine := s.advance(ctx, run)
		s.mu.Lock()
		next.Abort = t.run.Abort // may have come meanwhile
		t.run = next
		over := next.Over() || !mine
		left := mine && isLeft(next, s.Engine.Now())
		if over {
			delete(s.active, next.ID)
		}
		if left {
			s.leaveLocked(next)
		}
		s.mu.Unlock()
		if left {
			s.untilGone(ctx, next)
		}
		if over {
			return
		}
		timer := time.NewTimer(after)
		select {
		case <-ctx.Done():
		case <-t.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// advance does the next step of a run and saves it; what cannot be saved has not happened.
// It reports whether the run is still this process's.
func (s *Scheduler) advance(ctx context.Context, run Run) (Run, time.Duration, bool) {
	run, err := s.noted(ctx, run)
	next, after := run, time.Duration(0)
	if err == nil {
		next, after, err = s.step(ctx, run)
	}
	if err == nil {
		if next.Over() {
			next.Revision, err = s.finish(ctx, next)
		} else {
			next.Revision, err = s.Runs.Save(ctx, next)
		}
	}
	if errors.Is(err, release.ErrStale) {
		s.Log.Warn("experiment", "run", run.ID, "error", "somebody else goes on with it")
		return run, 0, false
	}
	if err != nil {
		if ctx.Err() == nil && run.Message != err.Error() {
			s.Log.Warn("experiment", "run", run.ID, "error", err.Error())
			run.Message = err.Error()
		}
		if outOfReach(run, s.Engine.Now()) && !run.stuck {
			run.stuck = s.stuck(ctx, run, err.Error()) == nil
		}
		return run, 2 * time.Second, true
	}
	if next.State != run.State {
		s.Log.Info("experiment", "run", next.ID, "from", run.State, "to", next.State, "reason", next.Message)
	}
	return next, after, true
}

// finish tells before it saves the end: told twice is seen by the event's ID, not told
// never is.
func (s *Scheduler) finish(ctx context.Context, run Run) (release.Revision, error) {
	e := release.Event{
		ID: "experiment/" + run.ID, Kind: release.EventExperiment, At: run.Ended, Service: run.Service, Env: run.Env,
		About: run.Experiment, Result: run.State, Subject: fmt.Sprintf("experiment %s on %s in %s: %s", run.Experiment, run.Service, run.Env, run.State), Reason: run.Message,
	}
	if run.Verdict != nil {
		e.Hint = run.Verdict.Hint()
	}
	if err := s.Announce(ctx, e); err != nil {
		return 0, fmt.Errorf("tell of run %s: %w", run.ID, err)
	}
	if why := leftBehind(run); why != "" {
		if err := s.stuck(ctx, run, why); err != nil {
			return 0, err
		}
	}
	if run.State == Failed {
		if err := s.unsteady(ctx, run); err != nil {
			return 0, fmt.Errorf("count the failed runs of %s: %w", run.Service, err)
		}
	}
	return s.Runs.Save(ctx, run)
}

func (s *Scheduler) step(ctx context.Context, run Run) (Run, time.Duration, error) {
	now := s.Engine.Now()
	t := release.Trial{Attempt: 1}
	if run.Trial != nil {
		t = *run.Trial
	}
	subject, why, err := s.subject(ctx, run)
	if stop := cmp.Or(run.Abort, chaos.Stopped(s.StopFile)); stop != "" {
		why, err = stop, nil // it ends, whatever else cannot be known
	}
	if err != nil {
		return run, 0, err
	}
	run.Abort = why
	if run.Abort != "" {
		t = chaos.Abort(t, run.Experiment, run.Abort, now)
	}
	t, v, err := s.Engine.Step(ctx, subject, t)
	if err != nil {
		if now.Sub(run.Started) > giveUp && !chaos.Progress(t).Live {
			return closed(run, Invalid, err.Error(), now), 0, nil
		}
		return run, 0, err
	}
	run.Trial, run.Message = &t, v.Reason()
	if t.Fault != nil {
		run.Fault = t.Fault
	}
	progress := chaos.Progress(t)
	if !progress.Ended {
		run.State = progress.State
		return run, v.After(), nil
	}
	run.Verdict = &v
	switch {
	case progress.Aborted:
		return closed(run, Aborted, v.Reason(), now), 0, nil
	case v.Outcome() == release.Passed:
		return closed(run, Passed, v.Reason(), now), 0, nil
	case v.Outcome() == release.Refused:
		return closed(run, Failed, v.Reason(), now), 0, nil
	}
	return closed(run, Invalid, v.Reason(), now), 0, nil
}

func closed(run Run, state, message string, now time.Time) Run {
	run.State, run.Message, run.Ended = state, message, now.UTC()
	return run
}

// subject is what a run is run against, and why it has to stop if it has to.
func (s *Scheduler) subject(ctx context.Context, run Run) (chaos.Subject, string, error) {
	sub := chaos.Subject{Service: run.Service, Env: run.Env, Cluster: run.Cluster}
	sub.Experiment.Meta.Name = run.Experiment
	if f := run.Fault; f != nil {
		sub.Experiment.Spec.Fault = release.Fault{Kind: f.Kind, Action: f.Action, Namespace: f.Namespace}
	}
	p, err := s.Platform(ctx)
	if err != nil {
		return sub, "", fmt.Errorf("read the platform: %w", err)
	}
	x, ok := p.Experiments[run.Experiment]
	if !ok {
		return sub, "the experiment does not exist any more", nil
	}
	sub.Experiment, sub.Observe = x, cmp.Or(x.Spec.Observe.Std(), time.Minute)
	place, why, err := s.place(ctx, p, run)
	if err == nil && why == "" {
		why, err = s.revoked(ctx, p, run, place.Project)
	}
	sub.Revision, sub.Namespaces = place.Revision, slices.Clone(p.Projects[place.Project].Spec.Namespaces)
	sub.Experiment, sub.OptIn = chaos.Aim(x, run.Service, sub.Namespaces), p.Clusters[run.Cluster].Spec.ChaosOptIn
	return sub, why, err
}
