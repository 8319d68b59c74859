package arrivals

import (
	"context"
	"errors"

	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
)

// Pull is a pull request as the forge and its git say now. Its head counts as the repo's
// own only while a branch of the repo is at the same commit: a head can be in the base's
// repo without anybody who may push to it (Gitea's refs/for).
func (f Forge) Pull(ctx context.Context, repo string, number int) (pipeline.PullRequest, error) {
	said, err := f.API.Pull(ctx, repo, number)
	if err != nil || !said.Open {
		return pipeline.PullRequest{}, err
	}
	pr := pipeline.PullRequest{Author: said.Author, Owner: said.Owner, Base: said.Base, Open: true, Fork: said.Fork}
	if pr.Head, err = f.head(ctx, repo, forge.PullRef(number)); err != nil || pr.Fork {
		return pr, err
	}
	branch, err := f.head(ctx, repo, branchRef(said.Branch))
	if err != nil && !errors.Is(err, release.ErrNotFound) {
		return pr, err
	}
	pr.Fork = branch != pr.Head
	return pr, nil
}

// Comment is who wrote a comment, and the commit that it says /ok-to-test to.
func (f Forge) Comment(ctx context.Context, repo string, id int64) (by string, c release.Commit, err error) {
	said, err := f.API.Comment(ctx, repo, id)
	if err != nil {
		return "", "", err
	}
	c, _ = said.OKToTest()
	return said.Author, c, nil
}

// Source reads the head of a pull request. What a fork says in its own .seatrial.yaml is
// not even looked at.
func (f Forge) Source(ctx context.Context, repo string, number int, pr pipeline.PullRequest) (pipeline.Source, error) {
	url, ref := f.URL(repo), forge.PullRef(number)
	info, err := f.Repos.Info(ctx, url, ref, pr.Head)
	if err != nil {
		return pipeline.Source{}, err
	}
	out := pipeline.Source{Commit: pr.Head, Message: info.Subject, Author: info.Author}
	if !pr.Fork {
		out.Pipeline, err = f.file(ctx, url, ref, pr.Head)
		return out, err
	}
	if out.PipelineAt, err = f.head(ctx, repo, branchRef(pr.Base)); err != nil {
		return out, err
	}
	out.Pipeline, err = f.file(ctx, url, branchRef(pr.Base), out.PipelineAt)
	return out, err
}

func branchRef(name string) string { return "refs/heads/" + name }
