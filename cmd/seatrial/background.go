package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/consents"
	"github.com/seatrial/seatrial/cmd/seatrial/faults"
	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
)

// pushed keeps a webhook's push. One of a desired-state repo is a reason to look there now.
func (s *server) pushed(ctx context.Context, p forge.Push) (bool, error) {
	if _, ours := s.world.ProjectOf(p.Repo); !ours {
		ring(s.branchNow)
	}
	return s.pushes.Add(ctx, pipeline.Push{Delivery: string(p.Forge) + "-" + p.Delivery, Repo: p.Repo, Ref: p.Ref, Pusher: p.Pusher, At: time.Now().UTC(),
		Pull: p.Pull, Comment: p.Comment, Named: p.After})
}

// ring says that there is something to do, unless that was said already.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// branchEvery is how often desired-state branches are asked for pushes of people.
const branchEvery = 3 * time.Second

// followBranches makes releases of what people push to desired-state branches.
func (s *server) followBranches(ctx context.Context) error {
	tick := time.NewTicker(branchEvery)
	defer tick.Stop()
	trouble := map[string]string{}
	for {
		for _, env := range s.world.Now().Environments {
			text := ""
			if err := s.followBranch(ctx, env); err != nil && ctx.Err() == nil {
				text = err.Error()
			}
			if text != "" && trouble[env.Meta.Name] != text {
				s.log.Warn("follow desired state", "env", env.Meta.Name, "error", text)
			}
			trouble[env.Meta.Name] = text
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.branchNow:
		}
	}
}

// followed is how far a branch has been dealt with.
type followed struct {
	Head release.Commit `json:"head"`
}

func (s *server) followBranch(ctx context.Context, env release.Environment) error {
	at := env.Spec.DesiredState
	head, err := s.desired.Head(ctx, at)
	if errors.Is(err, git.ErrNoRef) {
		return nil
	}
	if err != nil {
		return err
	}
	key := "followed/" + at.Repo + "/" + at.Branch
	var seen followed
	version, err := s.book.Get(ctx, key, &seen)
	if err != nil && !errors.Is(err, release.ErrNotFound) {
		return err
	}
	if seen.Head == head {
		return nil
	}
	if version != 0 {
		pushes, err := s.desired.Foreign(ctx, at, seen.Head, head)
		if err != nil {
			return err
		}
		if err := s.submitAll(ctx, env, pushes); err != nil {
			return err
		}
	}
	_, err = s.book.Put(ctx, key, followed{head}, version)
	return err
}

// submits is how many pushes are saved together: the store writes what waits in one go.
const submits = 64

func (s *server) submitAll(ctx context.Context, env release.Environment, pushes []desired.Push) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(submits)
	for _, p := range pushes {
		g.Go(func() error { return s.submitByHand(ctx, env, p) })
	}
	return g.Wait()
}

// submitByHand treats a person's push as a rollout with the environment's gates.
func (s *server) submitByHand(ctx context.Context, env release.Environment, p desired.Push) error {
	project := ""
	if owner, ok := s.world.ProjectOfTeam(p.Service.Team()); ok {
		project = owner.Meta.Name
	}
	at := env.Spec.DesiredState
	r := release.Release{Service: p.Service, Project: project, Repo: at.Repo, Ref: "refs/heads/" + at.Branch, Commit: p.Commit,
		Message: p.Subject, Author: p.Author, Origin: release.FromDesiredState}
	err := s.runner.Submit(ctx, pipeline.ByHand(r, release.Env(env.Meta.Name), time.Now().UTC()))
	if errors.Is(err, release.ErrStale) {
		return nil // made before the head was noted
	}
	return err
}

// sweepEvery is how often faults are looked for that nobody owns any more.
const sweepEvery = time.Minute

// sweepFaults reverts what a killed server may have left injected, and what was active
// when a person held its release.
func (s *server) sweepFaults(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.sweepNow:
		}
	}
}

// holding stops a release, and asks for its fault to be reverted: nobody watches it any
// more. A trial that goes on later finds its fault gone and begins it again.
func (s *server) holding(hold web.Do) web.Do {
	return func(ctx context.Context, a web.Act) (release.Release, error) {
		r, err := hold(ctx, a)
		if err == nil && r.Phase == release.Trying {
			ring(s.sweepNow)
		}
		return r, err
	}
}

func (s *server) sweep(ctx context.Context) {
	found, err := s.trial.Sweep(ctx, func(run string) bool { return s.owned(ctx, run) })
	for _, f := range found {
		s.log.Warn("orphaned fault reverted", "fault", f.Name, "cluster", f.Cluster, "experiment", f.Experiment)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("sweep faults", "error", err)
	}
}

// owned: a release on trial or a running experiment still needs the fault. When that
// cannot be told, it does.
func (s *server) owned(ctx context.Context, run string) bool {
	ids, err := s.book.Active(ctx)
	if err != nil {
		return true
	}
	for _, id := range ids {
		r, err := s.book.Release(ctx, id)
		if err != nil || (r.Phase == release.Trying && r.Hold == nil && chaos.Live(r.Now().Trial, run)) {
			return true
		}
	}
	active, err := s.scheduler.Active(ctx, run)
	return err != nil || active
}

// targets are those of a slot that are still looked after.
func (s *server) targets(slot release.Slot) map[string]release.Commit {
	env, ok := s.world.Environment(slot.Env)
	if !ok {
		return slot.Targets // a mistake in the platform repo changes nothing
	}
	return slot.Within(env, s.world.Clusters())
}

// sloPlaces is where services run outside of releases.
func (s *server) sloPlaces(ctx context.Context) ([]slo.Place, error) {
	slots, err := s.book.Slots(ctx)
	var out []slo.Place
	for _, slot := range slots {
		if slot.Current == nil {
			continue
		}
		owner, _ := s.world.ProjectOfTeam(slot.Service.Team())
		for cluster := range s.targets(slot) {
			out = append(out, slo.Place{Service: slot.Service, Env: slot.Env, Cluster: cluster, Project: owner.Meta.Name,
				Busy: slot.Occupant != "", Since: slot.Current.At})
		}
	}
	return out, err
}

// experimentPlaces is where experiments may run, and why not now: a run that is under way ends
// for the same reasons.
func (s *server) experimentPlaces(ctx context.Context) ([]schedule.Place, error) {
	slots, err := s.book.Slots(ctx)
	var out []schedule.Place
	for _, slot := range slots {
		owner, _ := s.world.ProjectOfTeam(slot.Service.Team())
		env, _ := s.world.Environment(slot.Env)
		busy, _ := faults.Frozen(env.Spec.Chaos, time.Now())
		if slot.Occupant != "" {
			busy = fmt.Sprintf("release %s is in %s", slot.Occupant, slot.Env)
		}
		for cluster, revision := range s.targets(slot) {
			out = append(out, schedule.Place{Service: slot.Service, Env: slot.Env, Cluster: cluster, Project: owner.Meta.Name, Revision: revision, Busy: busy})
		}
	}
	return out, err
}

// healed tells that somebody's change on a cluster was undone.
func (s *server) healed(ctx context.Context, h deployer.Healed) {
	if h.Err != nil {
		s.log.Warn("heal", "service", h.Service, "cluster", h.Cluster, "error", h.Err)
		return
	}
	owner, _ := s.world.ProjectOfTeam(h.Service.Team())
	e := release.Event{ID: fmt.Sprintf("drift.%s.%s.%d", h.Service, h.Cluster, h.At.UnixNano()), Kind: release.EventDrift, At: h.At,
		Service: h.Service, Project: owner.Meta.Name, Env: h.Env,
		About: h.Cluster, Subject: fmt.Sprintf("%s on %s was changed by hand and returned to %s", h.Service, h.Cluster, h.Revision.Short()),
		Reason: fmt.Sprint(h.Objects)}
	if err := s.book.Tell(ctx, e); err != nil {
		s.log.Warn("tell", "event", e.ID, "error", err)
	}
}

// moved saves where a service is after a cluster joined or left its environment, or came back.
func (s *server) moved(ctx context.Context, slot release.Slot, m deployer.Moved) error {
	owner, _ := s.world.ProjectOfTeam(m.Service.Team())
	e := release.Event{ID: fmt.Sprintf("moved.%s.%s.%d", m.Service, m.Cluster, m.At.UnixNano()), Kind: release.EventCaughtUp, At: m.At,
		Service: m.Service, Project: owner.Meta.Name, Env: m.Env, About: m.Cluster, Subject: fmt.Sprintf("%s is on %s now, as verified in %s", m.Service, m.Cluster, m.Env)}
	if m.Revision == "" {
		e.Kind, e.Subject = release.EventWithdrawn, fmt.Sprintf("%s was withdrawn from %s, which %s does not select any more", m.Service, m.Cluster, m.Env)
	}
	return s.book.Place(ctx, slot, e)
}

// covered are the roles that a role stands for.
func covered(role auth.Role) (out []string) {
	for _, r := range []auth.Role{auth.Viewer, auth.Operator, auth.Admin} {
		if role.Covers(r) {
			out = append(out, string(r))
		}
	}
	return out
}

// groups are a person's groups: with local accounts, the roles.
func (s *server) groups(ctx context.Context, person string) ([]string, error) {
	users, err := s.web.Guard().Users(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range users {
		if u.Name == person {
			return covered(u.Role), nil
		}
	}
	return nil, nil
}

// votes keeps what people say about experiments.
func (s *server) votes() consents.Votes {
	tokens := func(ctx context.Context) ([]auth.Token, error) { return s.web.Guard().Tokens(ctx) }
	return consents.Votes{KV: s.db, Groups: s.groups, Tokens: tokens, Now: time.Now}
}
