// Package preview says what a pull request would do on each cluster, in one comment on it.
//
// Start at Preview.Tell. It changes nothing on a cluster, says nothing to a stranger's fork,
// and is repeated until the comment is there: the same comment is edited, never a second
// one written.
package preview

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

// Preview asks everybody who knows something of a change.
type Preview struct {
	Release  func(context.Context, release.ID) (release.Release, error)
	Pipeline func(context.Context, release.Release) (release.Pipeline, error)
	Slot     func(context.Context, release.Service, release.Env) (release.Slot, error)
	Content  func(context.Context, release.Release, release.Environment) (render.Rendered, error)
	Judge    func(context.Context, policies.Input) (release.Verdict, error)
	Diff     func(ctx context.Context, cluster string, w live.Want) ([]live.ObjectDiff, error)
	Keep     func(ctx context.Context, repo string, number int, marker, body string) error
	Tree     func() platform.Tree
	Console  string // address of the console
}

// Wanted: the project wants it, and the change is of somebody who may see what runs.
func Wanted(r release.Release, project release.Project) bool {
	rules := project.Spec.PullRequests
	if r.Pull == nil || rules.Preview == release.PreviewNone {
		return false
	}
	return !r.Pull.Fork || slices.Contains(rules.Trusted, r.Pull.Author)
}

// Tell comments on the pull request of a release that was built.
func (p *Preview) Tell(ctx context.Context, id release.ID) error {
	r, err := p.Release(ctx, id)
	if err != nil {
		return err
	}
	tree := p.Tree()
	project, ok := tree.Projects[r.Project]
	if !ok || !Wanted(r, project) {
		return nil
	}
	pipe, err := p.Pipeline(ctx, r)
	if err != nil {
		return fmt.Errorf("read the pipeline file of %s: %w", id, err)
	}
	report := Report{Service: r.Service, Commit: r.Commit, Link: p.Console + "/releases/" + string(r.ID)}
	for _, name := range pipe.Spec.Deploy.Environments {
		if env, ok := tree.Environment(name); ok {
			report.Environments = append(report.Environments, p.in(ctx, r, tree, env, project))
		}
	}
	return p.Keep(ctx, r.Repo, r.Pull.Number, Marker(r.Service), Text(report))
}

// in is what would happen in one environment. What cannot be said is said so.
func (p *Preview) in(ctx context.Context, r release.Release, tree platform.Tree, env release.Environment, project release.Project) Environment {
	out := Environment{Name: release.Env(env.Meta.Name)}
	slot, err := p.Slot(ctx, r.Service, out.Name)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	image := release.Artifact{Repository: repositoryOf(slot, r.Service), Digest: placeholder}
	built := r
	built.Artifact = &image
	rendered, err := p.Content(ctx, built, env)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	out.Refused = p.refused(ctx, policies.Input{Release: r, Environment: env, Project: project, Policies: tree.Policies, Unbuilt: image.Reference()}, rendered)
	out.Targets = p.targets(ctx, env, tree.Clusters, p.wants(r, env, project, rendered))
	return out
}

// repositoryOf is where the service's images are, as far as something of it runs.
func repositoryOf(slot release.Slot, s release.Service) string {
	if slot.Current != nil {
		if repository, _, ok := strings.Cut(slot.Current.Image, "@"); ok {
			return repository
		}
	}
	return string(s)
}

func (p *Preview) refused(ctx context.Context, in policies.Input, all render.Rendered) string {
	refused := ""
	err := all.Each(func(_ string, only render.Rendered) error {
		in.Manifests = nil
		for _, o := range only.Objects {
			in.Manifests = append(in.Manifests, o.Object)
		}
		v, err := p.Judge(ctx, in)
		if err == nil && v.Outcome() != release.Passed && refused == "" {
			refused = v.Reason()
		}
		return err
	})
	if err != nil {
		return err.Error()
	}
	return refused
}

// wants is what a cluster would be asked to hold.
func (p *Preview) wants(r release.Release, env release.Environment, project release.Project, all render.Rendered) func(release.Cluster) live.Want {
	namespace := ""
	if len(project.Spec.Namespaces) > 0 {
		namespace = project.Spec.Namespaces[0]
	}
	return func(c release.Cluster) live.Want {
		return live.Want{Service: r.Service, Revision: r.Commit, Namespace: namespace, Objects: all.For(c.Meta.Labels), Prune: env.Spec.Prune, Rules: env.Spec.Sync}
	}
}

const atOnce = 8 // clusters that are asked

func (p *Preview) targets(ctx context.Context, env release.Environment, clusters map[string]release.Cluster, want func(release.Cluster) live.Want) []Target {
	var out []Target
	for _, w := range release.Plan(env, slices.Collect(maps.Values(clusters))) {
		for _, t := range w.Targets {
			out = append(out, Target{Cluster: t.Cluster})
		}
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range out {
		g.Go(func() error {
			objects, err := p.Diff(ctx, out[i].Cluster, want(clusters[out[i].Cluster]))
			if err != nil {
				out[i].Problem = err.Error()
			}
			out[i].Objects = objects
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
	return out
}
