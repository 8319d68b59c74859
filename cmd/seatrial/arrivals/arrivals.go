// Package arrivals reads what a push or a pull request has brought: the commit from the
// forge, and what the .seatrial.yaml that counts asks for, held to the platform.
//
// Start at Forge.Read and Forge.Pull. It never goes by a webhook's payload, and it never decides whether
// anything is built: package pipeline does.
package arrivals

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/builds"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/pipeline/spec"
	"github.com/seatrial/seatrial/release"
)

// Forge is where the applications' repos are.
type Forge struct {
	API    *forge.Client
	Repos  *git.Repos
	URL    func(repo string) string // where a repo is cloned from
	Tree   func() platform.Tree     // what the platform repo says now
	Pushes shelf.PushQueue
}

// Read reads the newest commit of a ref: the payload of a webhook is a hint only.
func (f Forge) Read(ctx context.Context, repo, ref string) (pipeline.Source, error) {
	url := f.URL(repo)
	head, err := f.head(ctx, repo, ref)
	if err != nil {
		return pipeline.Source{}, err
	}
	info, err := f.Repos.Info(ctx, url, ref, head)
	if err != nil {
		return pipeline.Source{}, err
	}
	source := pipeline.Source{Commit: head, Message: info.Subject, Author: info.Author, Set: info.Trailer(pipeline.SetTrailer)}
	if source.Pipeline, err = f.file(ctx, url, ref, head); err != nil {
		return pipeline.Source{}, err
	}
	if len(info.Parents) > 0 {
		if source.Changed, err = f.Repos.Changed(ctx, url, ref, info.Parents[0], head); err != nil {
			source.Changed = nil // a shallow or rewritten history: every path may have changed
		}
	}
	return source, nil
}

// head is where a ref of a repo stands; release.ErrNotFound when there is none.
func (f Forge) head(ctx context.Context, repo, ref string) (release.Commit, error) {
	head, err := f.Repos.Head(ctx, f.URL(repo), ref)
	if errors.Is(err, git.ErrNoRef) {
		return "", fmt.Errorf("%s of %s: %w", ref, repo, release.ErrNotFound)
	}
	return head, err
}

// file is .seatrial.yaml as it is in a commit; nil when the commit has none.
func (f Forge) file(ctx context.Context, url, ref string, c release.Commit) ([]byte, error) {
	file, err := f.Repos.ReadFile(ctx, url, ref, c, spec.Name, builds.MaxPipeline)
	if errors.Is(err, git.ErrTooBig) {
		return make([]byte, builds.MaxPipeline), nil // the parser says so
	}
	if errors.Is(err, git.ErrNoFile) {
		return nil, nil
	}
	return file, err
}

// Parse reads the pipeline file of a commit and checks it against the platform.
func (f Forge) Parse(p release.Project, ref string, source pipeline.Source) (pipeline.Spec, error) {
	file, err := spec.Read(spec.Name, source.Pipeline)
	if err != nil {
		return pipeline.Spec{}, err
	}
	tree := f.Tree()
	out := pipeline.Spec{Service: file.Service(), Wanted: true}
	if pr := source.Pull; pr != nil {
		if out.Wanted = spec.MatchesPull(file.Pipeline, pr.Base); !out.Wanted {
			return out, nil
		}
		return out, file.Check(tree.Environments, p)
	}
	if err := file.Check(tree.Environments, p); err != nil {
		return out, err
	}
	for _, e := range tree.Environments {
		for _, wanted := range file.Pipeline.Spec.Deploy.Environments {
			if release.Env(e.Meta.Name) == wanted {
				out.Environments = append(out.Environments, wanted)
			}
		}
	}
	out.Wanted = spec.Matches(file.Pipeline, strings.TrimPrefix(ref, "refs/heads/"), source.Changed)
	return out, nil
}

// pollEvery is how often branches are asked for pushes that no webhook told us of:
// the forge may have been down, or we.
const pollEvery = 30 * time.Second

// Poll finds pushes that no webhook told us of. A head whose release exists costs one
// question to the forge.
func (f Forge) Poll(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	seen := map[string]release.Commit{}
	for {
		for _, p := range f.Tree().Projects {
			for _, repo := range p.Spec.Repos {
				f.pollRepo(ctx, repo, seen)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

const mainRef = "refs/heads/main"

func (f Forge) pollRepo(ctx context.Context, repo string, seen map[string]release.Commit) {
	head, err := f.Repos.Head(ctx, f.URL(repo), mainRef)
	if err != nil || head == seen[repo] {
		return
	}
	push := pipeline.Push{Delivery: "poll-" + repo + "-" + string(head), Repo: repo, Ref: mainRef, At: time.Now()}
	if _, err := f.Pushes.Add(ctx, push); err == nil {
		seen[repo] = head
	}
}
