package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/release"
)

// agenda says what is due when and what is under way. Its zero value is empty.
type agenda struct {
	due  map[release.ID]time.Time
	busy map[release.ID]*job
}

type job struct {
	cancel context.CancelFunc
	again  bool // woken while busy
}

// Wake makes the Runner look at a release now.
func (r *Runner) Wake(id release.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.initLocked()
	if j := r.plan.busy[id]; j != nil {
		j.again = true
		return
	}
	r.plan.due[id] = time.Time{}
	r.pokeLocked()
}

// interrupt cancels the action under way, because a person has decided otherwise.
func (r *Runner) interrupt(id release.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if j := r.plan.busy[id]; j != nil {
		j.again = true
		j.cancel()
	}
}

func (r *Runner) initLocked() {
	if r.plan.due == nil {
		r.plan = agenda{due: map[release.ID]time.Time{}, busy: map[release.ID]*job{}}
		r.poke = make(chan struct{}, 1)
	}
}

func (r *Runner) pokeLocked() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// work starts what is due, at most Workers at once, and waits for all of it at the end.
func (r *Runner) work(ctx context.Context) error {
	r.mu.Lock()
	r.initLocked()
	r.mu.Unlock()
	workers := r.Workers
	if workers == 0 {
		workers = 32
	}
	places := make(chan struct{}, workers)
	defer r.running.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(r.startDue(ctx, places))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.poke:
		case <-timer.C:
		}
	}
}

// idle is how long the Runner sleeps when nothing is planned.
const idle = time.Minute

// startDue starts what is due and returns how long nothing else is.
func (r *Runner) startDue(ctx context.Context, places chan struct{}) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	sleep := idle
	for id, due := range r.plan.due {
		if wait := due.Sub(r.Now()); wait > 0 {
			sleep = min(sleep, wait)
			continue
		}
		select {
		case places <- struct{}{}:
			r.startLocked(ctx, id, places)
		default:
			return idle // the first that ends pokes
		}
	}
	return sleep
}

func (r *Runner) startLocked(ctx context.Context, id release.ID, places chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	delete(r.plan.due, id)
	r.plan.busy[id] = &job{cancel: cancel}
	r.running.Go(func() {
		due, err := r.guarded(ctx, id)
		if err != nil && ctx.Err() == nil {
			r.Log.Error("release", "release", id, "error", err)
			due = r.Now().Add(lastRetry)
		}
		cancel()
		<-places
		r.finish(id, due)
	})
}

// guarded is step, whose panic is an error of this release and not the end of all.
func (r *Runner) guarded(ctx context.Context, id release.ID) (due time.Time, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return r.step(ctx, id)
}

// finish plans the next look; a zero time plans none.
func (r *Runner) finish(id release.ID, due time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.plan.busy[id].again
	delete(r.plan.busy, id)
	switch {
	case again:
		r.plan.due[id] = time.Time{}
	case !due.IsZero():
		r.plan.due[id] = due
	}
	r.pokeLocked()
}
