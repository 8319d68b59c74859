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

// Push is a forge's word that a ref moved. It is a hint only: the ref is read again from
// the repo that the platform knows.
type Push struct {
	Delivery string    `json:"delivery"` // "gitea-7f0c…", unique per delivery
	Repo     string    `json:"repo"`     // "shop/web" on the forge
	Ref      string    `json:"ref"`      // "refs/heads/main"
	Pusher   string    `json:"pusher,omitempty"`
	At       time.Time `json:"at"`

	// Pull is the number of the pull request that Ref is the head of; 0: a branch's push.
	Pull int `json:"pull,omitempty"`
	// Comment is the id of a comment that says /ok-to-test; 0: there is none.
	Comment int64 `json:"comment,omitempty"`
	// Named is the commit that the comment is about, or that the ref has moved to.
	Named release.Commit `json:"named,omitempty"`
}

// Source is what a commit says about itself.
type Source struct {
	Commit   release.Commit
	Message  string // first line
	Author   string
	Set      string // what the commit's trailer SetTrailer says
	Pipeline []byte // .seatrial.yaml; nil when the commit has none
	Changed  []string

	Pull       *PullRequest   // whose head it is; nil: a branch's
	PipelineAt release.Commit // of the base branch, when Pipeline was read there
}

// Spec is what the intake needs of a pipeline file.
type Spec struct {
	Service      release.Service
	Environments []release.Env // in the platform's order
	Wanted       bool          // the push's branch and paths, or the pull request's base, start a release
}

// Intake turns pushes into releases. A push is kept until its release is saved.
type Intake struct {
	Queue  Queue
	Submit func(ctx context.Context, r release.Release, done ...string) error
	// Project finds the project that owns a repo; false: not ours.
	Project func(repo string) (release.Project, bool)
	// Read reads the newest commit of a ref from the configured remote.
	Read func(ctx context.Context, repo, ref string) (Source, error)
	// Parse reads .seatrial.yaml; its errors name file, line and column.
	Parse func(p release.Project, ref string, s Source) (Spec, error)
	Pulls Pulls
	Road  Road
	Log   *slog.Logger
	Now   func() time.Time

	turns turns // of pull requests
}

// Queue keeps pushes on disk.
type Queue interface {
	// Pushes calls fn with every push that waits and then with every new one. The key
	// is deleted together with the save of the release, or by Drop.
	Pushes(ctx context.Context, fn func(key string, p Push)) error
	Drop(ctx context.Context, key string) error
}

// pushTimeout bounds one attempt to read a push from its forge.
const pushTimeout = time.Minute

// readers is how many pushes are read from their forges at the same time.
const readers = 4

// Run works through the queue until ctx ends. A push that cannot be read yet waits for
// its next try beside the others, not in front of them.
func (in *Intake) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	places := make(chan struct{}, readers)
	return in.Queue.Pushes(ctx, func(key string, p Push) {
		running.Go(func() { in.keepTrying(ctx, places, key, p) })
	})
}

func (in *Intake) keepTrying(ctx context.Context, places chan struct{}, key string, p Push) {
	for pause := firstRetry; ctx.Err() == nil; pause = min(2*pause, lastRetry) {
		places <- struct{}{}
		err := in.take(ctx, key, p)
		<-places
		if err == nil || ctx.Err() != nil {
			return
		}
		in.Log.Warn("read push", "repo", p.Repo, "ref", p.Ref, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// take makes one push a release, or drops it with a reason in the log.
func (in *Intake) take(ctx context.Context, key string, p Push) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	project, ours := in.Project(p.Repo)
	if !ours {
		return in.drop(ctx, key, p, "no project has this repo")
	}
	if p.Pull != 0 {
		return in.takePull(ctx, key, project, p)
	}
	source, err := in.Read(ctx, p.Repo, p.Ref)
	if errors.Is(err, release.ErrNotFound) {
		return in.drop(ctx, key, p, "the ref is gone")
	}
	if err != nil {
		return err
	}
	if source.Pipeline == nil {
		return in.drop(ctx, key, p, "no .seatrial.yaml at this commit")
	}
	spec, err := in.Parse(project, p.Ref, source)
	if err == nil && !spec.Wanted {
		return in.drop(ctx, key, p, "its branch or paths start no release")
	}
	err = in.Submit(ctx, begin(project, p, source, spec, err, in.Now()), key)
	if errors.Is(err, release.ErrStale) {
		return in.drop(ctx, key, p, "its release exists already")
	}
	return err
}

func (in *Intake) drop(ctx context.Context, key string, p Push, why string) error {
	in.Log.Info("push dropped", "repo", p.Repo, "ref", p.Ref, "comment", p.Comment, "reason", why)
	return in.Queue.Drop(ctx, key)
}

// begin is the new release; one whose pipeline file is wrong has failed already.
func begin(project release.Project, p Push, s Source, spec Spec, wrong error, now time.Time) release.Release {
	r := release.Release{
		Service: spec.Service, Project: project.Meta.Name, Repo: p.Repo, Ref: p.Ref, Commit: s.Commit,
		Message: s.Message, Author: s.Author, Pusher: p.Pusher, Origin: release.FromPush, Created: now, Updated: now, Due: now,
	}
	if r.Service == "" {
		r.Service = release.Service(p.Repo)
	}
	r.ID, r.Reason = release.NewID(r.Service, r.Commit), fmt.Sprintf("pushed to %s", p.Ref)
	if s.Pull != nil {
		r = ofPull(r, p, s, project.Spec.PullRequests, now)
	} else {
		r.Set = s.Set
		for _, env := range spec.Environments {
			r.Stages = append(r.Stages, release.Stage{Env: env})
		}
	}
	if wrong == nil && r.Set != "" && !release.ValidName(r.Set) {
		wrong = hint.Add(fmt.Errorf("%s: %q: want lower-case letters, digits and dashes, at most 63", SetTrailer, r.Set), "correct the trailer of the commit's message and push again")
	}
	if wrong != nil {
		r.Reason, r.Hint = wrong.Error(), hint.Of(wrong)
		return arrive(release.Release{}, r, release.Failed, Seatrial, now)
	}
	return arrive(release.Release{}, r, release.Building, Seatrial, now)
}

// ByHand is the release of a person's push to a desired-state branch: git has changed
// already, so a refusal returns the branch.
func ByHand(r release.Release, env release.Env, now time.Time) release.Release {
	r.ID = release.NewID(r.Service, r.Commit)
	r.Created, r.Updated = now, now
	r.Stages = []release.Stage{{Env: env, Desired: r.Commit, Live: true, Started: now}}
	r.Reason = fmt.Sprintf("pushed to %s by %s", r.Ref, r.Author)
	return arrive(release.Release{}, r, release.Checking, Seatrial, now)
}
