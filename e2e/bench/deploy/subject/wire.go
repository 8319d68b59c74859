package subject

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/deployer"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/presence"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
)

// subject is the server's parts that are measured.
type subject struct {
	set     Setup
	db      *bolt.DB
	book    *store.Book
	desired *desired.Store
	live    *live.Clusters
	fleet   *deployer.Fleet
	runner  *pipeline.Runner
	rollout *deployer.Rollout
	watch   *presence.Watch

	seen release.Commit // how far the branch was dealt with
}

func wire(set Setup) (*subject, error) {
	s := &subject{set: set}
	var err error
	if s.db, err = bolt.Open(filepath.Join(set.Dir, "store.db")); err != nil {
		return nil, err
	}
	s.book = store.NewBook(s.db)
	repos, err := git.Open(git.Config{Dir: filepath.Join(set.Dir, "git")})
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	s.desired = desired.New(repos, func(repo string) string { return repo })
	s.live = live.New(kube.Open(set.Credentials), live.Config{})
	locks := &deployer.Locks{}
	s.watch = &presence.Watch{Clusters: s.Clusters, Reach: s.live.Reach, Now: time.Now}
	s.rollout = &deployer.Rollout{Content: s.content, Platform: s, Slot: s.book.Slot, Desired: s.desired, Live: s.live, Locks: locks, Presence: s.watch, Now: time.Now}
	s.fleet = &deployer.Fleet{Platform: s, Slots: s.book.Slots, Slot: s.book.Slot, Release: s.book.Release, Desired: s.desired, Live: s.live, Locks: locks, Presence: s.watch,
		Report: func(context.Context, deployer.Healed) {}, Place: func(ctx context.Context, slot release.Slot, _ deployer.Moved) error { return s.book.Place(ctx, slot) },
		Every: 24 * time.Hour, Now: time.Now} // it looks at everything when it is told to
	s.runner = &pipeline.Runner{Book: s.book, Active: s.book.Active, ActiveOf: s.book.ActiveOf, Now: time.Now, Log: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Actions: map[release.Phase]pipeline.Action{
			release.Checking: s.check, release.Approving: s.approve, release.Deploying: s.deploy, release.Trying: pass, release.RollingBack: s.rollout.Return,
		}}
	return s, nil
}

func (s *subject) close() {
	s.live.Close()
	_ = s.db.Close() // everything that was answered for is on disk
}

// Environment, Project and Clusters are the platform as configured.
func (s *subject) Environment(name release.Env) (release.Environment, bool) {
	return release.Environment{Meta: release.Meta{Name: Env}, Spec: release.EnvironmentSpec{
		DesiredState: release.DesiredState{Repo: s.set.Repo, Branch: Branch}, Waves: s.set.Waves}}, name == Env
}

// Project is the team's.
func (s *subject) Project(string) (release.Project, bool) {
	return release.Project{Meta: release.Meta{Name: Team}, Spec: release.ProjectSpec{Team: Team, Namespaces: []string{Team}}}, true
}

// Clusters are all there are.
func (s *subject) Clusters() []release.Cluster { return s.set.Clusters }

func pass(context.Context, string, release.Release) (release.Facts, release.Verdict, error) {
	return release.Facts{}, release.Pass(), nil
}

func (s *subject) content(ctx context.Context, r release.Release, env release.Environment) (render.Rendered, error) {
	c, err := s.desired.Read(ctx, env.Spec.DesiredState, r.Service, r.Commit)
	return c.Rendered, err
}

// check reads the content, as the server does before it asks the policies.
func (s *subject) check(ctx context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
	env, _ := s.Environment(r.Env())
	rendered, err := s.content(ctx, r, env)
	return release.Facts{Manifests: map[release.Env]release.Digest{Env: rendered.Digest}}, release.Pass(), err
}

// approve reads it once more, as the server does, and plans the waves.
func (s *subject) approve(ctx context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
	env, _ := s.Environment(r.Env())
	rendered, err := s.content(ctx, r, env)
	if err == nil && rendered.Digest != r.Now().Manifests {
		return release.Facts{}, release.Refuse("the manifests are not those that were checked", ""), nil
	}
	return release.Facts{Waves: release.Plan(env, s.set.Clusters)}, release.Pass(), err
}

func (s *subject) deploy(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	switch r.Step {
	case release.StepSync:
		return s.rollout.Sync(ctx, key, r)
	case release.StepHealth:
		return s.rollout.Health(ctx, key, r)
	}
	return pass(ctx, key, r)
}

// follow makes a release of every service that the push changed, as the server does, and
// waits until all have come to their end.
func (s *subject) follow(ctx context.Context) (Answer, error) {
	at := release.DesiredState{Repo: s.set.Repo, Branch: Branch}
	head, err := s.desired.Head(ctx, at)
	if err != nil {
		return Answer{}, err
	}
	if s.seen == "" {
		s.seen = head // what was there before us is nobody's push
		return Answer{}, nil
	}
	pushes, err := s.desired.Foreign(ctx, at, s.seen, head)
	if err != nil {
		return Answer{}, err
	}
	var made []release.ID
	var all []release.Release
	for _, p := range pushes {
		r := pipeline.ByHand(release.Release{Service: p.Service, Project: Team, Repo: at.Repo, Ref: "refs/heads/" + at.Branch, Commit: p.Commit,
			Message: p.Subject, Author: p.Author, Origin: release.FromDesiredState}, Env, time.Now().UTC())
		made, all = append(made, r.ID), append(all, r)
	}
	g, some := errgroup.WithContext(ctx)
	g.SetLimit(64)
	for _, r := range all {
		g.Go(func() error { return s.runner.Submit(some, r) })
	}
	if err := g.Wait(); err != nil {
		return Answer{}, err
	}
	s.seen = head
	return s.ends(ctx, made)
}

// ends waits for releases and says how they ended.
func (s *subject) ends(ctx context.Context, ids []release.ID) (Answer, error) {
	a := Answer{Releases: len(ids), Lacking: map[string]time.Duration{}, Waited: map[string]time.Duration{}}
	began, dead := time.Now(), map[string]absence{}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	looked := began
	for active := ids; len(active) > 0; {
		r, err := s.book.Release(ctx, active[0]) // and no others: a server that is told of ends asks for none
		if err != nil {
			return a, err
		}
		if r.Phase.Final() {
			active = active[1:]
			continue
		}
		if len(s.set.Clusters) > 1 && time.Since(looked) > deadLook { // of one there is nobody to go on without
			looked = time.Now()
			if err := s.noteDead(ctx, active, began, dead); err != nil {
				return a, err
			}
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-tick.C:
		}
	}
	for _, id := range ids {
		r, err := s.book.Release(ctx, id)
		if err != nil {
			return a, err
		}
		if r.Phase != release.Done && len(a.Failed) < 5 {
			a.Failed = append(a.Failed, fmt.Sprintf("%s is %s: %s", id, r.Phase, r.Reason))
		}
	}
	if err := s.noteDead(ctx, ids, began, dead); err != nil {
		return a, err
	}
	for key, seen := range dead {
		if cluster, _, _ := strings.Cut(key, " "); seen.quarantined > 0 {
			a.Lacking[cluster] = max(a.Lacking[cluster], seen.quarantined)
			a.Waited[cluster] = max(a.Waited[cluster], seen.quarantined-seen.away)
		}
	}
	return a, nil
}

// deadLook is how often all releases are read for who is dead: it costs what is measured.
const deadLook = 250 * time.Millisecond

// absence is when, after the push, a release was first seen without a cluster.
type absence struct{ away, quarantined time.Duration }

// noteDead notes when each release was first seen to have found each cluster away, and to
// have put it into quarantine.
func (s *subject) noteDead(ctx context.Context, ids []release.ID, began time.Time, dead map[string]absence) error {
	for _, id := range ids {
		r, err := s.book.Release(ctx, id)
		if err != nil {
			return err
		}
		for _, w := range r.Now().Waves {
			for _, t := range w.Targets {
				key, now := t.Cluster+" "+string(id), time.Since(began)
				switch seen := dead[key]; {
				case t.State == "Unreachable" && seen.away == 0:
					dead[key] = absence{away: now}
				case t.State == deployer.Quarantined && seen.quarantined == 0:
					if seen.away == 0 { // at the first look: it was known to be away
						seen.away = now
					}
					dead[key] = absence{away: seen.away, quarantined: now}
				}
			}
		}
	}
	return nil
}
