package builder

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session/auth"

	"github.com/seatrial/seatrial/builder/daemons"
	"github.com/seatrial/seatrial/builder/inputs"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/watch"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Followed is what a build that BuildKit tells of so keeps of its steps.
func Followed(log *logs.Log, solves ...[]*client.SolveStatus) (steps []Step, leftOut int) {
	var rec record
	for _, told := range solves {
		w := watch.New(log)
		for _, s := range told {
			w.See(s)
		}
		rec.add(w.Report())
	}
	return rec.Steps, rec.LeftOut
}

// Explained is what a solve that ends with an error says to people.
func Explained(log *logs.Log, err error, told ...*client.SolveStatus) (reason, next string) {
	w := watch.New(log)
	for _, s := range told {
		w.See(s)
	}
	var no *refusal
	if err = explain(&daemons.Daemon{Address: "unix:///run/buildkitd.sock"}, err, request{command: "docker buildx build ."}, w, log.Mask); errors.As(err, &no) {
		return no.reason, no.hint
	}
	return err.Error(), hint.Of(err)
}

// Goals are the runs of a pipeline's checks: their names, and how a person repeats them.
func Goals(r release.Release, p release.Pipeline) (names, commands []string, err error) {
	plan, err := newPlan(r, p, Config{})
	for _, g := range plan.goals() {
		names, commands = append(names, g.name), append(commands, g.plan.command(g.target))
	}
	return names, commands, err
}

// Remember keeps the record of a build that made an artifact.
func (b *Builder) Remember(r release.Release, key, made string, steps []Step) error {
	return b.remember(record{Key: key, Release: r.ID, Repository: r.Artifact.Repository, Tag: r.Artifact.Tag, Digest: r.Artifact.Digest, Steps: steps, Plan: Plan{Service: r.Service},
		Inputs: inputs.Set{{Name: "argument GREETING", Value: "correct-horse"}}, Changed: []inputs.Change{{Name: "argument GREETING", Before: "hello", After: "correct-horse"}}, Made: made,
		Bases: []base{{Name: "docker.io/library/golang:1.26", Digest: r.Artifact.Digest}}})
}

// Caches is whose cache mounts the build of a release uses.
func (b *Builder) Caches(r release.Release) (string, error) {
	p, err := newPlan(r, release.Pipeline{}, b.cfg)
	return p.caches(), err
}

// Handed is what BuildKit gets for the build of a release: the user that it would log in
// to a registry as, and how many images it is to push.
func (b *Builder) Handed(ctx context.Context, r release.Release, host string) (user string, pushes int, err error) {
	p, err := newPlan(r, release.Pipeline{}, b.cfg)
	if err != nil {
		return "", 0, err
	}
	opt := b.solveOpt(&record{Plan: p}, true)
	login, err := opt.Session[0].(auth.AuthServer).Credentials(ctx, &auth.CredentialsRequest{Host: host})
	return login.GetUsername() + login.GetSecret(), len(opt.Exports), err
}

// RememberPull keeps the record of a build for a pull request.
func (b *Builder) RememberPull(r release.Release, key string) error {
	p, err := newPlan(r, release.Pipeline{}, b.cfg)
	if err != nil {
		return err
	}
	return b.remember(record{Key: key, Release: r.ID, Repository: b.repository(r), Plan: p, Why: "built for pull request 7"})
}

// Tag is the tag of what a key builds.
func Tag(c release.Commit, key string) string { return tag(c, key) }

// Sent is what BuildKit gets of a tree: the name it is sent under, and the time of its files.
func (b *Builder) Sent(ctx context.Context, r release.Release, pipeline release.Pipeline, tree fs.FS, committed time.Time) (name string, when time.Time, err error) {
	p, err := newPlan(r, pipeline, b.cfg)
	if err != nil {
		return "", when, err
	}
	src, err := openSource(ctx, tree, committed, p, b.cfg)
	if err != nil {
		return "", when, err
	}
	err = src.context.Walk(ctx, "/", func(_ string, e fs.DirEntry, err error) error {
		if info, ierr := e.Info(); ierr == nil {
			when = info.ModTime()
		}
		return err
	})
	return p.sent(), when, err
}
