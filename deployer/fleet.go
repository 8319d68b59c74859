package deployer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/stamp"
	"github.com/seatrial/seatrial/deployer/presence"
	"github.com/seatrial/seatrial/release"
)

const (
	defaultEvery = time.Minute
	gather       = 300 * time.Millisecond // changes that come together are looked at together
	healTimeout  = time.Minute
	calm         = 2 * time.Minute // without a heal: the back-off begins anew
	freeHeals    = 3               // within calm, before the back-off begins
	firstBackOff = 5 * time.Second
	maxBackOff   = 5 * time.Minute
)

// Slots lists every slot.
type Slots func(context.Context) ([]release.Slot, error)

// Watched is what Fleet needs of the clusters; *live.Clusters is one.
type Watched interface {
	Clusters
	Drifted(ctx context.Context, cluster string, w live.Want) ([]string, error)
	Stamp(cluster string, svc release.Service) stamp.Stamp
	Changed(ctx context.Context) ([]live.Change, error)
	Reach(ctx context.Context, cluster string) (state, message string)
	Withdraw(ctx context.Context, cluster string, w live.Want) (live.Result, error)
}

// Healed says that a target was put back to the revision it is on.
type Healed struct {
	Service  release.Service
	Env      release.Env
	Cluster  string
	Revision release.Commit
	Objects  []string // "Deployment/web"
	At       time.Time
	Took     time.Duration
	Err      error // it could not be healed
}

// Fleet watches every cluster and heals what drifts from the revision the target is on,
// unless a rollout works on the target, and follows the platform: see moves. Its fields are not changed once Run has begun.
type Fleet struct {
	Platform Platform
	Slots    Slots
	Slot     Slot
	Release  func(context.Context, release.ID) (release.Release, error) // default: where a release is, nothing is healed
	Desired  Desired
	Live     Watched
	Locks    *Locks
	Presence *presence.Watch // default: every cluster is asked
	Report   func(context.Context, Healed)
	Place    func(context.Context, release.Slot, Moved) error // saves a slot as it was read, or release.ErrStale
	Log      *slog.Logger                                     // default: nowhere
	Every    time.Duration                                    // look at everything; default 1m
	Now      func() time.Time

	mu   sync.Mutex // guards what follows
	heal map[live.Change]*backOff
	envs map[release.Service][]release.Env // that have slots

	lanes   lanes
	ordered inOrder
}

// backOff slows down healing of what does not stay healed.
type backOff struct {
	last  time.Time
	pause time.Duration
	heals int
	late  bool // something changed during the pause
}

// Run heals until ctx ends.
func (f *Fleet) Run(ctx context.Context) error {
	if f.Every == 0 {
		f.Every = defaultEvery
	}
	if f.Log == nil {
		f.Log = slog.New(slog.DiscardHandler)
	}
	defer f.lanes.wait()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.listen(ctx) })
	g.Go(func() error { return f.sweep(ctx) })
	g.Go(func() error { return f.resume(ctx) })
	g.Go(func() error { return f.follow(ctx) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("heal drift: %w", err)
	}
	return ctx.Err()
}

// listen looks at what has just changed.
func (f *Fleet) listen(ctx context.Context) error {
	for {
		changes, err := f.Live.Changed(ctx)
		if err != nil {
			return err
		}
		f.lanes.each(changes, func(ch live.Change) { f.look(ctx, ch) })
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(gather):
		}
	}
}

// sweep looks at everything, now and then: it fills the caches of clusters that nothing
// was deployed to since the start and heals those that were away.
func (f *Fleet) sweep(ctx context.Context) error {
	tick := time.NewTicker(f.Every)
	defer tick.Stop()
	for {
		all, err := f.everything(ctx)
		if err != nil && ctx.Err() == nil {
			f.Log.Warn("drift", "error", err)
		}
		f.lanes.each(all, func(ch live.Change) { f.look(ctx, ch) })
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// everything is each target as if it had changed.
func (f *Fleet) everything(ctx context.Context) (all []live.Change, err error) {
	slots, err := f.slots(ctx)
	for _, s := range slots {
		for cluster := range s.Targets {
			all = append(all, live.Change{Cluster: cluster, Service: s.Service})
		}
	}
	return all, err
}

// Sweep looks at every target once and waits for that.
func (f *Fleet) Sweep(ctx context.Context) error {
	all, err := f.everything(ctx)
	var g errgroup.Group
	g.SetLimit(looksAtOnce)
	for _, ch := range all {
		g.Go(func() error {
			f.look(ctx, ch)
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return err
}

// resume looks at what changed while its target was left alone, once the pause is over.
func (f *Fleet) resume(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			f.lanes.each(f.due(), func(ch live.Change) { f.look(ctx, ch) })
		}
	}
}

func (f *Fleet) due() []live.Change {
	f.mu.Lock()
	defer f.mu.Unlock()
	var due []live.Change
	for ch, b := range f.heal {
		if b.late && f.Now().Sub(b.last) >= b.pause {
			b.late = false
			due = append(due, ch)
		}
	}
	return due
}

// look checks a changed target; one that a release works on is not waited for.
func (f *Fleet) look(ctx context.Context, ch live.Change) {
	for _, env := range f.environments(ctx, ch.Service) {
		if _, idle := f.idle(ctx, ch.Service, env, ch.Cluster); idle {
			f.check(ctx, ch, env)
		}
	}
}

// environments are those that a service has slots in; what changes all the time is not a
// reason to read every slot all the time. A service that came after the last sweep may be in
// any of them.
func (f *Fleet) environments(ctx context.Context, svc release.Service) []release.Env {
	f.mu.Lock()
	known := f.envs
	f.mu.Unlock()
	if known == nil {
		if _, err := f.slots(ctx); err != nil {
			return nil // the next change, or the next sweep, asks again
		}
		f.mu.Lock()
		known = f.envs
		f.mu.Unlock()
	}
	if envs, ok := known[svc]; ok {
		return envs
	}
	var all []release.Env
	for _, envs := range known {
		for _, e := range envs {
			if !slices.Contains(all, e) {
				all = append(all, e)
			}
		}
	}
	return all
}

// slots reads every slot, and so learns which there are.
func (f *Fleet) slots(ctx context.Context) ([]release.Slot, error) {
	all, err := f.Slots(ctx)
	if err != nil {
		return nil, err
	}
	envs := map[release.Service][]release.Env{}
	for _, s := range all {
		envs[s.Service] = append(envs[s.Service], s.Env)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.envs = envs
	return all, nil
}

// check compares one target and heals it. The slot is read again once the target is ours
// alone: a rollout may have begun meanwhile.
func (f *Fleet) check(ctx context.Context, ch live.Change, env release.Env) {
	if f.paused(ch) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, healTimeout)
	defer cancel()
	ctx, done := f.Presence.During(ctx, ch.Cluster)
	defer done()
	unlock, err := f.Locks.Lock(ctx, ch.Cluster, ch.Service)
	if err != nil {
		return
	}
	defer unlock()
	slot, idle := f.idle(ctx, ch.Service, env, ch.Cluster)
	if !idle || f.left(slot, ch.Cluster) {
		return
	}
	now := order{asked: f.asked(slot, ch.Cluster), found: f.Live.Stamp(ch.Cluster, ch.Service)}
	if f.ordered.is(ch, env, now) {
		return
	}
	w, err := f.Want(ctx, slot, ch.Cluster, slot.Targets[ch.Cluster])
	if err != nil {
		f.Log.Warn("drift", "service", ch.Service, "env", env, "cluster", ch.Cluster, "error", err)
		return
	}
	began := f.Now()
	objects, err := f.Live.Drifted(ctx, ch.Cluster, w)
	if err == nil && len(objects) == 0 && now.found.Covers(w.Objects) {
		f.ordered.note(ch, env, now)
	}
	if err != nil || len(objects) == 0 {
		return // in order, or not to be asked now: the sweep comes back
	}
	slices.SortFunc(objects, strings.Compare)
	healed := Healed{Service: ch.Service, Env: env, Cluster: ch.Cluster, Revision: w.Revision, Objects: objects, At: began}
	res, err := f.Live.Sync(ctx, ch.Cluster, w)
	if err == nil && (res.State == live.Refused || res.State == live.Syncing) {
		err = errors.New(res.Message)
	}
	healed.Took, healed.Err = f.Now().Sub(began), err
	f.acted(ch)
	f.Report(ctx, healed)
}

// left reports whether no wave selects a target's cluster any more.
func (f *Fleet) left(slot release.Slot, cluster string) bool {
	env, ok := f.Platform.Environment(slot.Env)
	return ok && !release.Selected(env, f.Platform.Clusters())[cluster] // a mistake in the platform repo changes nothing
}

// Want is the content of a revision that a target, not the branch, is on or is to be on:
// what is for a cluster with its labels.
func (f *Fleet) Want(ctx context.Context, slot release.Slot, cluster string, revision release.Commit) (live.Want, error) {
	env, ok := f.Platform.Environment(slot.Env)
	if !ok {
		return live.Want{}, fmt.Errorf("environment %s is not configured", slot.Env)
	}
	content, err := f.Desired.Read(ctx, env.Spec.DesiredState, slot.Service, revision)
	if err != nil {
		return live.Want{}, err
	}
	return live.Want{Service: slot.Service, Revision: content.Revision, Namespace: content.Record.Namespace,
		Objects: content.Rendered.For(f.labels(cluster)), Prune: env.Spec.Prune, Rules: env.Spec.Sync}, nil
}

// Variant names what a cluster with its labels gets of a revision; "" is what the rest get,
// or not known now.
func (f *Fleet) Variant(ctx context.Context, slot release.Slot, cluster string, revision release.Commit) string {
	env, _ := f.Platform.Environment(slot.Env)
	content, err := f.Desired.Read(ctx, env.Spec.DesiredState, slot.Service, revision)
	if err != nil {
		return ""
	}
	return content.Rendered.NameFor(f.labels(cluster))
}

func (f *Fleet) labels(cluster string) map[string]string {
	for _, c := range f.Platform.Clusters() {
		if c.Meta.Name == cluster {
			return c.Meta.Labels
		}
	}
	return nil
}

// paused reports whether a target does not stay healed and is left alone for a while.
func (f *Fleet) paused(ch live.Change) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.heal[ch]
	if b == nil || f.Now().Sub(b.last) >= b.pause {
		return false
	}
	b.late = true
	return true
}

// acted remembers a heal, or a move that failed. The first few cost nothing, each further one doubles the pause.
func (f *Fleet) acted(ch live.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.heal == nil {
		f.heal = map[live.Change]*backOff{}
	}
	now := f.Now()
	b := f.heal[ch]
	if b == nil || now.Sub(b.last) > b.pause+calm {
		b = &backOff{}
		f.heal[ch] = b
	}
	b.last = now
	if b.heals++; b.heals > freeHeals {
		b.pause = min(maxBackOff, max(firstBackOff, 2*b.pause))
	}
}

// Look says how each target of a slot is now, for the board.
func (f *Fleet) Look(ctx context.Context, s release.Slot) []release.Target {
	clusters := make([]string, 0, len(s.Targets))
	for c := range s.Targets {
		clusters = append(clusters, c)
	}
	slices.Sort(clusters)
	out := make([]release.Target, len(clusters))
	var g errgroup.Group
	g.SetLimit(8)
	for i, c := range clusters {
		g.Go(func() error {
			out[i] = f.lookAt(ctx, s, c)
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return out
}

func (f *Fleet) lookAt(ctx context.Context, s release.Slot, cluster string) release.Target {
	t := release.Target{Cluster: cluster, Revision: s.Targets[cluster], State: "Unknown"}
	if f.left(s, cluster) {
		t.State, t.Message = Left, fmt.Sprintf("no wave of %s selects the cluster any more", s.Env)
		return t
	}
	w, err := f.Want(ctx, s, cluster, t.Revision)
	if err != nil {
		t.Message = err.Error()
		return t
	}
	res, err := f.Live.Health(ctx, cluster, w, time.Time{})
	if err != nil {
		t.State, t.Message = string(live.Unreachable), err.Error()
		return t
	}
	t.State, t.Message = string(res.State), res.Message
	return t
}
