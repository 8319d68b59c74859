// Package world is what the platform repo says now: it follows the repo and answers who
// owns what, which environments and clusters there are, and what is promised.
//
// Start at World.Run. A commit that does not pass its checks is never taken over: the
// last good one stays, and Ready says what is wrong.
package world

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/policies/library"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/analysis"
	"github.com/seatrial/seatrial/slo/openslo"
)

// World is what the platform repo says now. A commit that does not pass its checks is
// not taken over: the last good one stays, and the trouble is shown.
type World struct {
	repos  *git.Repos
	url    string
	branch string
	log    *slog.Logger

	last  string        // file that names the newest good commit
	known chan struct{} // closed when the first commit was taken over

	mu      sync.RWMutex // guards tree, slos and trouble
	tree    platform.Tree
	slos    []openslo.SLO // of tree
	trouble error
}

// New follows a branch of the platform repo; last is the file that remembers the newest
// good commit.
func New(repos *git.Repos, url, branch, last string, log *slog.Logger) *World {
	return &World{repos: repos, url: url, branch: branch, last: last, log: log, known: make(chan struct{})}
}

// worldEvery is how often the platform repo is asked for a new head.
const worldEvery = 5 * time.Second

// Load reads the newest commit; unchanged says that it is the one we have.
func (w *World) Load(ctx context.Context) error {
	head, err := w.repos.Head(ctx, w.url, "refs/heads/"+w.branch)
	if err != nil {
		return fmt.Errorf("read platform repo: %w", err)
	}
	if head == w.Now().Commit {
		return nil
	}
	return w.take(ctx, head)
}

// take reads a commit and goes by it from now on.
func (w *World) take(ctx context.Context, head release.Commit) error {
	root, err := w.repos.Tree(ctx, w.url, "refs/heads/"+w.branch, head, "", git.Limits{Files: 5000, Bytes: 32 << 20})
	if err != nil {
		return fmt.Errorf("read platform repo: %w", err)
	}
	tree, err := Check(root)
	if err != nil {
		return hint.Add(fmt.Errorf("platform repo at %s: %w", head.Short(), err), "seatrial config validate DIR finds this before the push")
	}
	tree.Commit = head
	slos, err := openslo.Read(tree.SLOs) // Check has compared them with the channels
	if err != nil {
		return fmt.Errorf("platform repo at %s: %w", head.Short(), err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tree.Commit == "" {
		close(w.known)
	}
	w.tree, w.slos = tree, slos
	if err := os.WriteFile(w.last, []byte(head), 0o600); err != nil {
		w.log.Warn("platform", "act", "remember", "error", err)
	}
	w.log.Info("platform", "commit", head.Short(), "environments", len(tree.Environments), "clusters", len(tree.Clusters), "projects", len(tree.Projects))
	return nil
}

// Known waits until there is a platform to go by.
func (w *World) Known(ctx context.Context) error {
	select {
	case <-w.known:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// resume goes by the commit of the process before, so that what is under way does not
// need the forge; the mirror has it.
func (w *World) resume(ctx context.Context) {
	if head, err := os.ReadFile(w.last); err == nil && release.Commit(head).Valid() {
		if err := w.take(ctx, release.Commit(head)); err != nil {
			w.log.Warn("platform", "act", "resume", "error", err)
		}
	}
}

// Run follows the platform repo.
func (w *World) Run(ctx context.Context) error {
	w.resume(ctx)
	tick := time.NewTicker(worldEvery)
	defer tick.Stop()
	for {
		w.note(ctx, w.Load(ctx))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// note keeps the trouble for readiness and logs it once.
func (w *World) note(ctx context.Context, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.trouble != nil && err != nil && w.trouble.Error() == err.Error()
	w.trouble = err
	if err != nil && !known && ctx.Err() == nil {
		w.log.Warn("platform", "error", err)
	}
}

func (w *World) Now() platform.Tree {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.tree
}

// Ready is nil once a platform commit was read and nothing newer is wrong.
func (w *World) Ready() error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.trouble == nil && w.tree.Commit == "" {
		return fmt.Errorf("the platform repo %s has not been read yet", w.url)
	}
	return w.trouble
}

// Environment finds an environment.
func (w *World) Environment(name release.Env) (release.Environment, bool) {
	return w.Now().Environment(name)
}

// Keeps reports whether an environment keeps what a gate refuses.
func (w *World) Keeps(name release.Env) bool {
	env, ok := w.Environment(name)
	return ok && env.Spec.OnFailure == release.FailureHolds
}

// Project finds a project by its name.
func (w *World) Project(name string) (release.Project, bool) {
	p, ok := w.Now().Projects[name]
	return p, ok
}

// ProjectOf finds the project that owns a repo.
func (w *World) ProjectOf(repo string) (release.Project, bool) { return w.Now().ProjectOf(repo) }

// ProjectOfTeam finds the project of a team.
func (w *World) ProjectOfTeam(team string) (release.Project, bool) {
	for _, p := range w.Now().Projects {
		if p.Spec.Team == team {
			return p, true
		}
	}
	return release.Project{}, false
}

// ProjectName is the name of a service's project; empty when it has none any more.
func (w *World) ProjectName(service release.Service) string {
	owner, _ := w.ProjectOfTeam(service.Team())
	return owner.Meta.Name
}

// ProjectFor is the project of a release; one that the platform dropped is an error, so
// that the release waits and says so.
func (w *World) ProjectFor(r release.Release) (release.Project, error) {
	p, ok := w.Project(r.Project)
	if !ok {
		return p, hint.Add(fmt.Errorf("project %q of %s is not in the platform repo", r.Project, r.Service), "bring it back, or hold the release")
	}
	return p, nil
}

// Knows reports whether webhooks of a repo are wanted: a project's, the platform's own
// or a desired-state repo.
func (w *World) Knows(repo string) bool {
	tree := w.Now()
	if _, ok := tree.ProjectOf(repo); ok {
		return true
	}
	return slices.ContainsFunc(tree.Environments, func(e release.Environment) bool { return e.Spec.DesiredState.Repo == repo })
}

// Channels are all channels by name, for notify.
func (w *World) Channels() map[string]release.Channel { return w.Now().Channels }

// Routes are a team's, for notify.
func (w *World) Routes(team string) []release.Route { return w.Now().Teams[team].Spec.Routes }

// SLOs are the platform's objectives. They are read once, with their commit: every look of
// every gate asks for them.
func (w *World) SLOs() []openslo.SLO {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return slices.Clone(w.slos)
}

// Analyses reads the platform's AnalysisTemplates.
func (w *World) Analyses() (map[string]analysis.Template, error) {
	out := map[string]analysis.Template{}
	for _, doc := range w.Now().Analyses {
		t, err := analysis.Parse(doc)
		if err != nil {
			return nil, err
		}
		out[t.Name] = t
	}
	return out, nil
}

// Scripts are the platform's health scripts, and the commit that has them.
func (w *World) Scripts() (release.Commit, map[string]string) {
	t := w.Now()
	return t.Commit, t.Scripts
}

// Chaos is the part of the platform that experiments need.
func (w *World) Chaos(context.Context) (chaos.Platform, error) {
	t := w.Now()
	if t.Commit == "" {
		return chaos.Platform{}, w.Ready()
	}
	return chaos.Platform{Clusters: t.Clusters, Environments: t.Environments, Projects: t.Projects, Experiments: t.Experiments}, nil
}

// Clusters lists every cluster by name.
func (w *World) Clusters() []release.Cluster {
	all := w.Now().Clusters
	out := make([]release.Cluster, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[name])
	}
	return out
}

// Access is how a cluster is reached.
func (w *World) Access(cluster string) kube.Entry {
	s := w.Now().Clusters[cluster].Spec
	return kube.Entry{Credentials: s.Credentials, Server: s.Server, CA: s.CA, Plugins: s.Plugins}
}

// Agent reports whether a cluster has an agent.
func (w *World) Agent(cluster string) bool { return w.Now().Clusters[cluster].Spec.Agent }

// Must is the environment of a release; one that the platform dropped is an error, so
// that the release waits and says so.
func (w *World) Must(env release.Env) (release.Environment, error) {
	e, ok := w.Environment(env)
	if !ok {
		return e, hint.Add(fmt.Errorf("environment %q is not in the platform repo any more", env), "bring it back, or hold the release")
	}
	return e, nil
}

// Check reads a platform repo and everything in it that has a reader of its own.
func Check(root fs.FS) (platform.Tree, error) {
	tree, err := platform.Load(root, slices.Collect(maps.Keys(library.Policies()))...)
	if err != nil {
		return tree, err
	}
	var all []error
	if _, err := openslo.ReadFor(tree.SLOs, targets(tree.Channels)); err != nil {
		all = append(all, err)
	}
	templates := map[string]analysis.Template{}
	for _, doc := range tree.Analyses {
		t, err := analysis.Parse(doc)
		if err != nil {
			all = append(all, err)
			continue
		}
		templates[t.Name] = t
	}
	for _, env := range tree.Environments {
		for _, use := range env.Spec.SLO.Analysis {
			if t, ok := templates[use.Template]; ok {
				if _, err := t.With(use.Args); err != nil {
					all = append(all, fmt.Errorf("environment %s: spec.slo: %w", env.Meta.Name, err))
				}
			}
		}
		if err := live.CheckRules(env.Spec.Sync); err != nil {
			all = append(all, fmt.Errorf("environment %s: spec.sync.%w", env.Meta.Name, err))
		}
	}
	return tree, errors.Join(append(all, live.CheckScripts(tree.Scripts))...)
}

// targets says what is wrong with a channel that an SLO's alert is to go to.
func targets(channels map[string]release.Channel) func(string) error {
	return func(name string) error {
		c, ok := channels[name]
		switch {
		case !ok:
			return fmt.Errorf("there is no channel %q%s: name the target as one, or say which in the annotation %s", name, strict.Suggest(name, slices.Collect(maps.Keys(channels))), openslo.AnnotationChannel)
		case !slices.Contains(c.Spec.Events, release.EventBreach):
			return fmt.Errorf("the channel %q never tells of %s: add it to its events", name, release.EventBreach)
		}
		return nil
	}
}
