package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/release"
)

// PullRequest is what the forge says of a pull request when it is asked.
type PullRequest struct {
	Author string // the account that opened it
	Owner  string // whose repo the head is in; empty when that repo is gone
	Base   string // the branch that it is to be merged into
	Open   bool

	Head release.Commit // its newest commit, of an open one
	Fork bool           // Head is not what a branch of the base's repo is at
}

// Pulls asks the forge about pull requests. What is not there is release.ErrNotFound.
type Pulls interface {
	Pull(ctx context.Context, repo string, number int) (PullRequest, error)
	// Comment is who wrote a comment, and the commit that it says /ok-to-test to; none
	// when it says nothing of the kind.
	Comment(ctx context.Context, repo string, id int64) (by string, c release.Commit, err error)
	// Source reads the head of a pull request: a fork's with the pipeline file of the base
	// branch, any other's with its own.
	Source(ctx context.Context, repo string, number int, pr PullRequest) (Source, error)
}

// Road is what the intake does to releases that are on their way; the Runner does it.
type Road interface {
	Do(ctx context.Context, id release.ID, version release.Revision, act func(release.Release, time.Time) (release.Release, error)) (release.Release, error)
	EndPull(ctx context.Context, repo string, number int, but release.ID, reason string) error
}

// settling is how long the forge's git may be behind what its webhook says.
const settling = 30 * time.Second

// takePull looks at a pull request as it is now: its head becomes a release, and of one
// that is closed everything under way ends. A comment may free what waits for it.
func (in *Intake) takePull(ctx context.Context, key string, project release.Project, p Push) error {
	defer in.turns.take(p)()
	pr, err := in.Pulls.Pull(ctx, p.Repo, p.Pull)
	switch {
	case errors.Is(err, release.ErrNotFound):
		return in.drop(ctx, key, p, "there is no such pull request")
	case err != nil:
		return err
	case !pr.Open:
		err = in.Road.EndPull(ctx, p.Repo, p.Pull, "", fmt.Sprintf("pull request %d was closed", p.Pull))
		if err != nil {
			return err
		}
		return in.drop(ctx, key, p, "the pull request is closed")
	case p.Comment == 0 && p.Named != pr.Head && in.Now().Sub(p.At) < settling:
		return fmt.Errorf("the head of pull request %d is %s, and the webhook told of %s", p.Pull, pr.Head.Short(), p.Named.Short())
	case pr.Fork && project.Spec.PullRequests.Forks == release.ForksRefuse:
		return in.drop(ctx, key, p, "the project builds no forks")
	}
	r, why, err := in.headOf(ctx, project, p, pr)
	if err != nil {
		return err
	}
	if why == "" {
		err = in.submitPull(ctx, r)
	}
	if err == nil && why == "" && p.Comment != 0 {
		why, err = in.heed(ctx, project, p, r)
	}
	if err != nil {
		return err
	}
	if why != "" {
		return in.drop(ctx, key, p, why)
	}
	return in.Queue.Drop(ctx, key)
}

// headOf is the release of a pull request's newest commit, or why there is none.
func (in *Intake) headOf(ctx context.Context, project release.Project, p Push, pr PullRequest) (r release.Release, why string, err error) {
	source, err := in.Pulls.Source(ctx, p.Repo, p.Pull, pr)
	if errors.Is(err, release.ErrNotFound) {
		return r, "the ref is gone", nil
	}
	if err != nil {
		return r, "", err
	}
	if source.Pipeline == nil {
		return r, "no .seatrial.yaml where it counts", nil
	}
	source.Pull = &pr
	spec, err := in.Parse(project, p.Ref, source)
	if err == nil && !spec.Wanted {
		return r, "the pipeline does not build pull requests into " + pr.Base, nil
	}
	return begin(project, p, source, spec, err, in.Now()), "", nil
}

// submitPull begins the build of a pull request's head and ends those before it. A head
// that was built before, and given up for another, is taken up again.
func (in *Intake) submitPull(ctx context.Context, r release.Release) error {
	err := in.Submit(ctx, r)
	before := errors.Is(err, release.ErrStale)
	if err != nil && !before {
		return err
	}
	if err := in.Road.EndPull(ctx, r.Repo, r.Pull.Number, r.ID, "a newer commit came: "+string(r.ID)); err != nil || !before {
		return err
	}
	_, err = in.Road.Do(ctx, r.ID, 0, func(old release.Release, now time.Time) (release.Release, error) {
		if old.Phase != release.Superseded {
			return old, errUnchanged
		}
		old.Pull = r.Pull // the base may have moved on
		return Retry(old, Seatrial, "it is the pull request's head again", now)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// heed frees a fork's commit when somebody whom the platform trusts says so, and for
// exactly the commit that is named; else it says why not.
func (in *Intake) heed(ctx context.Context, project release.Project, p Push, r release.Release) (why string, err error) {
	by, named, err := in.Pulls.Comment(ctx, p.Repo, p.Comment)
	switch {
	case errors.Is(err, release.ErrNotFound):
		return "the comment is gone", nil
	case err != nil:
		return "", err
	case !trusts(project.Spec.PullRequests, by):
		return fmt.Sprintf("project %s does not trust %q", project.Meta.Name, by), nil
	case named != r.Commit || p.Named != r.Commit:
		return fmt.Sprintf("it names %q, and the head is %s", named, r.Commit), nil
	}
	_, err = in.Road.Do(ctx, r.ID, 0, func(old release.Release, now time.Time) (release.Release, error) {
		if old.Commit != named || !untested(old) {
			return old, errUnchanged
		}
		return Free(old, by, now)
	})
	if errors.Is(err, errUnchanged) {
		return "nothing waits for it", nil
	}
	return "", err
}

func trusts(rules release.PullRules, who string) bool {
	return who != "" && slices.ContainsFunc(rules.Trusted, func(name string) bool { return strings.EqualFold(name, who) })
}

// ofPull makes a release one of a pull request. A fork's waits for /ok-to-test, unless it
// comes out of a repo of somebody trusted: into another's fork others may push.
func ofPull(r release.Release, p Push, s Source, rules release.PullRules, now time.Time) release.Release {
	pr := *s.Pull
	r.ID, r.Origin, r.Pusher = release.NewPullID(r.Service, p.Pull, r.Commit), release.FromPull, pr.Author
	r.Pull = &release.Pull{Number: p.Pull, Author: pr.Author, Base: pr.Base, Fork: pr.Fork, Pipeline: s.PipelineAt}
	r.Reason = fmt.Sprintf("pull request %d of %s into %s", p.Pull, pr.Author, pr.Base)
	if pr.Fork && !(trusts(rules, pr.Author) && strings.EqualFold(pr.Owner, pr.Author)) {
		r.Reason = fmt.Sprintf("a fork's commit waits for /ok-to-test %s", r.Commit)
		r.Hold = &release.Hold{By: Seatrial, Reason: r.Reason, At: now}
	}
	return r
}

// untested: it is a fork's, and nobody has said /ok-to-test to it. Nothing but a fork of
// a pull request's releases is ever held by us.
func untested(r release.Release) bool {
	return r.Pull != nil && r.Pull.Fork && r.Hold != nil && r.Hold.By == Seatrial
}

// Cancel ends the build of a pull request; false when it has ended.
func Cancel(r release.Release, reason string, now time.Time) (release.Release, bool) {
	if r.Pull == nil || r.Phase.Final() {
		return r, false
	}
	next := r.Clone()
	next.Reason, next.Hint = reason, ""
	return arrive(r, next, release.Superseded, Seatrial, now), true
}

// EndPull ends what is under way of a pull request, but for one release.
func (r *Runner) EndPull(ctx context.Context, repo string, number int, but release.ID, reason string) error {
	return r.end(ctx, r.Active, func(old release.Release, now time.Time) (release.Release, bool) {
		if old.ID == but || old.Pull == nil || old.Pull.Number != number || !strings.EqualFold(old.Repo, repo) {
			return old, false
		}
		return Cancel(old, reason, now)
	})
}

// turns let what is told of one pull request be dealt with in order: each look at the
// forge begins when the one before has been saved. Its zero value is ready.
type turns [16]sync.Mutex

// take waits for the turn of p's pull request; what it returns ends it.
func (t *turns) take(p Push) (done func()) {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s#%d", strings.ToLower(p.Repo), p.Pull)
	turn := &t[h.Sum32()%uint32(len(t))]
	turn.Lock()
	return turn.Unlock
}
