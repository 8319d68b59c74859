package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/release"
)

// agenda says what is due when and what is under way. Its zero value is empty.
type agenda struct {
	begun map[release.ID]time.Time // those that have changed an environment: they go first
	due   map[release.ID]time.Time // the others
	busy  map[release.ID]*job
}

// outcome is what a step leaves to do.
type outcome struct {
	due   time.Time // zero: nothing
	begun bool      // it has changed an environment
}

func (o outcome) at(due time.Time) outcome { o.due = due; return o }

func hasBegun(r release.Release) bool { return r.Phase >= release.Deploying && !r.Phase.Final() }

// inARow is how many steps of one release follow each other without a look at the others.
// It is finished sooner so, and what was read for it is still in memory.
const inARow = 16

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
	_, begun := r.plan.begun[id]
	r.planLocked(id, outcome{begun: begun})
	r.pokeLocked()
}

// planLocked has a release looked at when it is due.
func (r *Runner) planLocked(id release.ID, o outcome) {
	if o.begun {
		r.plan.begun[id] = o.due
	} else {
		r.plan.due[id] = o.due
	}
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
		r.plan = agenda{begun: map[release.ID]time.Time{}, due: map[release.ID]time.Time{}, busy: map[release.ID]*job{}}
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
	for _, queue := range []map[release.ID]time.Time{r.plan.begun, r.plan.due} {
		for id, due := range queue {
			if wait := due.Sub(r.Now()); wait > 0 {
				sleep = min(sleep, wait)
				continue
			}
			select {
			case places <- struct{}{}:
				delete(queue, id)
				r.startLocked(ctx, id, places)
			default:
				return idle // the first that ends pokes
			}
		}
	}
	return sleep
}

func (r *Runner) startLocked(ctx context.Context, id release.ID, places chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	r.plan.busy[id] = &job{cancel: cancel}
	r.running.Go(func() {
		o := r.goOn(ctx, id)
		cancel()
		<-places
		r.finish(id, o)
	})
}

// goOn takes a release on until it has to wait.
func (r *Runner) goOn(ctx context.Context, id release.ID) (o outcome) {
	for range inARow {
		var err error
		if o, err = r.guarded(ctx, id); err != nil && ctx.Err() == nil {
			r.Log.Error("release", "release", id, "error", err)
			o.due = r.Now().Add(lastRetry)
		}
		if o.due.IsZero() || o.due.After(r.Now()) || ctx.Err() != nil {
			break
		}
	}
	return o
}

// guarded is step, whose panic is an error of this release and not the end of all.
func (r *Runner) guarded(ctx context.Context, id release.ID) (o outcome, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return r.step(ctx, id)
}

// finish plans the next look; a zero time plans none.
func (r *Runner) finish(id release.ID, o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	again := r.plan.busy[id].again
	delete(r.plan.busy, id)
	if again {
		o.due = time.Time{}
	}
	if again || !o.due.IsZero() {
		r.planLocked(id, o)
	}
	r.pokeLocked()
}
