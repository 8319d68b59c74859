package deployer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

const followEvery = 3 * time.Second

// Moved says that a target came to what is verified in its environment, or that the
// service was withdrawn from it, outside of a release.
type Moved struct {
	Service  release.Service
	Env      release.Env
	Cluster  string
	Revision release.Commit // empty: withdrawn
	At       time.Time
}

// follow brings services to clusters that joined an environment or were away, and away
// from those that left it where the environment says so.
func (f *Fleet) follow(ctx context.Context) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		f.followOnce(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (f *Fleet) followOnce(ctx context.Context) {
	slots, err := f.slots(ctx)
	if err != nil {
		return // the next tick asks again
	}
	var g errgroup.Group
	g.SetLimit(8)
	for _, s := range slots {
		env, ok := f.Platform.Environment(s.Env)
		if !ok {
			continue
		}
		for _, m := range moves(env, f.Platform.Clusters(), s) {
			ch := live.Change{Cluster: m.cluster, Service: s.Service}
			if !f.Presence.Away(m.cluster).IsZero() || f.paused(ch) {
				continue
			}
			if state, _ := f.Live.Reach(ctx, m.cluster); state != "Ready" {
				continue
			}
			g.Go(func() error {
				if err := f.move(ctx, s.Service, env, m); err != nil && ctx.Err() == nil && !errors.Is(err, release.ErrStale) {
					f.acted(ch)
					f.Log.Warn("follow the platform", "service", s.Service, "env", s.Env, "cluster", m.cluster, "error", err)
				}
				return nil
			})
		}
	}
	_ = g.Wait() // none of them returns an error
}

// move does one move, as long as it is still due once the target is ours alone. One that
// has to wait, for a hook, is done again at the next tick.
func (f *Fleet) move(ctx context.Context, svc release.Service, env release.Environment, m move) error {
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	ctx, done := f.Presence.During(ctx, m.cluster)
	defer done()
	unlock, err := f.Locks.Lock(ctx, m.cluster, svc)
	if err != nil {
		return err
	}
	defer unlock()
	slot, err := f.Slot(ctx, svc, release.Env(env.Meta.Name))
	if err != nil || !slices.Contains(moves(env, f.Platform.Clusters(), slot), m) {
		return err
	}
	res, err := f.carryOut(ctx, env, slot, m)
	if err != nil || res.State == live.Syncing {
		return err
	}
	if res.State != live.Synced {
		return errors.New(res.Message)
	}
	return f.moved(ctx, env, slot, m)
}

// moved says in the slot that a move was done. When another target of the same service got
// there first the move is not done again, hooks and all, if it is still what is due.
func (f *Fleet) moved(ctx context.Context, env release.Environment, slot release.Slot, m move) error {
	for {
		err := f.Place(ctx, after(slot, m), Moved{Service: slot.Service, Env: slot.Env, Cluster: m.cluster, Revision: m.to, At: f.Now()})
		if !errors.Is(err, release.ErrStale) {
			return err
		}
		now, readErr := f.Slot(ctx, slot.Service, slot.Env)
		if readErr != nil || now.Version == slot.Version || !slices.Contains(moves(env, f.Platform.Clusters(), now), m) {
			return err
		}
		slot = now
	}
}

// after is the slot once a move was done.
func after(slot release.Slot, m move) release.Slot {
	if m.back {
		slot.Undo = slices.DeleteFunc(slices.Clone(slot.Undo), func(c string) bool { return c == m.cluster })
	}
	slot.Targets = maps.Clone(slot.Targets)
	if m.to == "" {
		delete(slot.Targets, m.cluster)
		return slot
	}
	if slot.Targets == nil {
		slot.Targets = map[string]release.Commit{}
	}
	slot.Targets[m.cluster] = m.to
	return slot
}

// alike: the target has the content that it moves to, under an earlier commit, as after a
// return that it was not touched by. Then no hook of it runs again.
func (f *Fleet) alike(ctx context.Context, env release.Environment, slot release.Slot, m move) bool {
	on := slot.Targets[m.cluster]
	if on == "" {
		return false
	}
	has, err := f.Desired.Read(ctx, env.Spec.DesiredState, slot.Service, on)
	if err != nil {
		return false
	}
	gets, err := f.Desired.Read(ctx, env.Spec.DesiredState, slot.Service, m.to)
	return err == nil && has.Rendered.Digest == gets.Rendered.Digest
}

func (f *Fleet) carryOut(ctx context.Context, env release.Environment, slot release.Slot, m move) (live.Result, error) {
	if m.to == "" {
		w, err := f.Want(ctx, slot, m.cluster, slot.Targets[m.cluster])
		if err != nil {
			return live.Result{}, err
		}
		return f.Live.Withdraw(ctx, m.cluster, w)
	}
	w, err := f.Want(ctx, slot, m.cluster, m.to)
	if err != nil {
		return live.Result{}, err
	}
	w.Hooks = !m.back && !f.alike(ctx, env, slot, m)
	return f.Live.Sync(ctx, m.cluster, w)
}
