package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Action does what a phase asks for. A repeated key, after a crash for example, is done
// once and answers the same. It never blocks only to wait: it returns release.Wait. An
// error means "could not ask"; it is tried again and never promotes.
type Action func(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error)

// Book is where the Runner keeps releases and slots. Save fails with release.ErrStale
// when anything changed meanwhile; the keys in done are deleted in the same step.
type Book interface {
	Release(ctx context.Context, id release.ID) (release.Release, error)
	Slot(ctx context.Context, s release.Service, env release.Env) (release.Slot, error)
	Save(ctx context.Context, c release.Change, done ...string) (release.Release, error)
}

// Runner takes releases along the journey. Every step is saved before the next begins,
// so a new Runner goes on where a killed one stopped.
type Runner struct {
	Book   Book
	Active func(context.Context) ([]release.ID, error) // releases that still have somewhere to go
	// ActiveOf are those of one service; default: Active. A push may begin a thousand
	// releases, and each asks for the older ones of its service.
	ActiveOf func(context.Context, release.Service) ([]release.ID, error)
	Actions  map[release.Phase]Action
	Workers  int // actions at once; default 32
	Log      *slog.Logger
	Now      func() time.Time

	mu   sync.Mutex // guards plan and poke
	plan agenda
	poke chan struct{}

	running sync.WaitGroup
}

// slotRetry is when to look again whether another release has left the environment.
const slotRetry = time.Second

// saveTries is how often a step is decided anew when somebody else wrote meanwhile.
const saveTries = 20

// Run resumes everything that was under way and works until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	ids, err := r.Active(ctx)
	if err != nil {
		return fmt.Errorf("resume releases: %w", err)
	}
	for _, id := range ids {
		r.Wake(id)
	}
	return r.work(ctx)
}

// Submit saves a new release and ends the older ones of its service that have changed
// nothing yet. A release that exists already is left alone.
func (r *Runner) Submit(ctx context.Context, rel release.Release, done ...string) error {
	rel, err := r.Book.Save(ctx, release.Change{Release: rel, Events: tell(release.Release{}, rel)}, done...)
	if err != nil {
		return err
	}
	r.Wake(rel.ID)
	return r.supersedeOlder(ctx, rel)
}

func (r *Runner) supersedeOlder(ctx context.Context, newer release.Release) error {
	active := r.Active
	if r.ActiveOf != nil {
		active = func(ctx context.Context) ([]release.ID, error) { return r.ActiveOf(ctx, newer.Service) }
	}
	return r.end(ctx, active, func(old release.Release, now time.Time) (release.Release, bool) { return Supersede(old, newer, now) })
}

// end ends those of the active releases that over says something about.
func (r *Runner) end(ctx context.Context, active func(context.Context) ([]release.ID, error), over func(release.Release, time.Time) (release.Release, bool)) error {
	ids, err := active(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		_, err := r.change(ctx, id, func(old release.Release) (release.Release, error) {
			next, ok := over(old, r.Now())
			if !ok {
				return old, errUnchanged
			}
			return next, nil
		})
		if err != nil && !errors.Is(err, errUnchanged) {
			return err
		}
		if err == nil {
			r.interrupt(id)
		}
	}
	return nil
}

var errUnchanged = errors.New("nothing to change")

// Do lets a person change a release: Hold, Free, Retry, RollBack. version is the one the
// person saw; 0 takes any.
func (r *Runner) Do(ctx context.Context, id release.ID, version release.Revision, act func(release.Release, time.Time) (release.Release, error)) (release.Release, error) {
	next, err := r.change(ctx, id, func(old release.Release) (release.Release, error) {
		if version != 0 && old.Version != version {
			return old, fmt.Errorf("release %s is at version %d, not %d: %w", id, old.Version, version, release.ErrStale)
		}
		return act(old, r.Now())
	})
	if err != nil {
		return next, err
	}
	r.interrupt(id)
	r.Wake(id)
	return next, nil
}

// change decides and saves until nobody else wrote in between.
func (r *Runner) change(ctx context.Context, id release.ID, decide func(release.Release) (release.Release, error)) (release.Release, error) {
	for range saveTries {
		old, err := r.Book.Release(ctx, id)
		if err != nil {
			return old, err
		}
		next, err := decide(old)
		if err != nil {
			return old, err
		}
		saved, err := r.save(ctx, old, next)
		if errors.Is(err, release.ErrStale) {
			continue
		}
		return saved, err
	}
	return release.Release{}, fmt.Errorf("change release %s: others kept changing it: %w", id, release.ErrStale)
}

// save writes one step with the slot and the events that belong to it.
func (r *Runner) save(ctx context.Context, before, after release.Release) (release.Release, error) {
	c := release.Change{Release: after, Events: tell(before, after)}
	if env := after.Env(); env != "" {
		slot, err := r.Book.Slot(ctx, after.Service, env)
		if err != nil {
			return after, err
		}
		if err := mayEnter(slot, before, after); err != nil {
			return after, err
		}
		if entered(before, after) {
			remember(&c.Release, slot)
		}
		if next, ok := place(slot, before, c.Release, r.Now()); ok {
			c.Slots = append(c.Slots, next)
		}
	}
	saved, err := r.Book.Save(ctx, c)
	if err == nil && before.Phase != after.Phase {
		r.Log.Info("phase", "release", after.ID, "env", after.Env(), "from", before.Phase.String(), "to", after.Phase.String(), "reason", after.Reason)
	}
	return saved, err
}

// entered: the release begins to change its environment.
func entered(before, after release.Release) bool {
	return before.Phase != release.Deploying && after.Phase == release.Deploying
}

func remember(r *release.Release, slot release.Slot) {
	if p, ok := slot.LastVerified(r.ID); ok {
		r.Stages[r.Stage].Previous = &p
	}
}

// step does one action of one release and saves its outcome.
func (r *Runner) step(ctx context.Context, id release.ID) (outcome, error) {
	rel, err := r.Book.Release(ctx, id)
	if err != nil {
		return outcome{}, err
	}
	o := outcome{begun: hasBegun(rel)}
	if rel.Phase.Final() || held(rel) {
		return o, nil
	}
	if rel.Due.After(r.Now()) {
		return o.at(rel.Due), nil
	}
	facts, verdict, askErr := r.act(ctx, rel)
	if ctx.Err() != nil {
		return o.at(r.Now()), nil // interrupted: what happened shows when it is asked again
	}
	if rel.Phase == release.Approving && verdict.Outcome() == release.Passed {
		if err := r.overtake(ctx, rel); err != nil {
			r.Log.Warn("overtake an older release", "release", id, "error", err)
		}
	}
	next, err := r.change(ctx, id, func(now release.Release) (release.Release, error) {
		if Key(now) != Key(rel) || now.Phase != rel.Phase {
			return now, errUnchanged // a person moved it meanwhile
		}
		return r.decide(ctx, now.With(facts), verdict, askErr), nil
	})
	if errors.Is(err, errUnchanged) {
		return o.at(r.Now()), nil
	}
	if errors.Is(err, release.ErrTooBig) {
		next, err = r.holdTooBig(ctx, id, err)
	}
	if err != nil {
		return o, err
	}
	if next.Phase == release.Approving && rel.Phase != release.Approving {
		if err := r.supersedeOlder(ctx, next); err != nil {
			r.Log.Warn("supersede older releases", "release", id, "error", err)
		}
	}
	return outcome{due: next.Due, begun: hasBegun(next)}, nil
}

// holdTooBig ends a release whose evidence does not fit into the store, rather than ask
// the same again for ever.
func (r *Runner) holdTooBig(ctx context.Context, id release.ID, cause error) (release.Release, error) {
	verdict := release.Inconclusive("its evidence is too big to be kept: "+cause.Error(), "let the SLO's queries return one number, with sum()")
	return r.change(ctx, id, func(now release.Release) (release.Release, error) {
		return Next(now, verdict, r.Now()), nil
	})
}

// held: a person stopped it. A roll back goes on all the same.
func held(r release.Release) bool { return r.Hold != nil && r.Phase != release.RollingBack }

func (r *Runner) act(ctx context.Context, rel release.Release) (release.Facts, release.Verdict, error) {
	action, ok := r.Actions[rel.Phase]
	if !ok {
		return release.Facts{}, release.Pass(), nil // Verified only passes on
	}
	facts, verdict, err := action(ctx, Key(rel), rel)
	if err == nil && verdict.Outcome() == release.NoOutcome {
		err = fmt.Errorf("%s gave no verdict", rel.Phase)
	}
	return facts, verdict, err
}

// decide is Next or Later, and nobody enters an environment that another release is in.
func (r *Runner) decide(ctx context.Context, rel release.Release, v release.Verdict, askErr error) release.Release {
	now := r.Now()
	if askErr != nil {
		r.Log.Warn("could not ask", "release", rel.ID, "phase", rel.Phase.String(), "env", rel.Env(), "error", askErr)
		return Later(rel, askErr, hint.Of(askErr), now)
	}
	next := Next(rel, v, now)
	slot, err := r.Book.Slot(ctx, rel.Service, rel.Env())
	if err != nil {
		return Later(rel, err, "", now)
	}
	if err := mayEnter(slot, rel, next); err != nil {
		return Next(rel, release.Wait(err.Error(), slotRetry), now)
	}
	return next
}

// mayEnter keeps two releases from changing one environment at the same time.
func mayEnter(slot release.Slot, before, after release.Release) error {
	back := before.Phase != release.RollingBack && after.Phase == release.RollingBack
	if !entered(before, after) && !back {
		return nil
	}
	if slot.Occupant != "" && slot.Occupant != after.ID {
		return fmt.Errorf("waiting for %s to leave %s", slot.Occupant, after.Env())
	}
	if slot.Hold != nil && after.Phase == release.Deploying {
		return fmt.Errorf("%s is held by %s: %s", after.Env(), slot.Hold.By, slot.Hold.Reason)
	}
	return nil
}
