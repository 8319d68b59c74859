// Package platform reads the platform repo: the clusters, environments, projects,
// channels, experiments, SLOs, policies and health scripts that its operators own.
//
// Start at Load. Everything wrong is reported at once, each at its file, line and
// column: what one object gets wrong by itself (check.go and its neighbours) and what
// does not fit together (references.go). A Tree that Load returned is complete and
// consistent. The package never follows a link out of the repo and never decides which
// clusters exist for real.
package platform

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// Tree is the platform repo at one commit, defaults filled in.
type Tree struct {
	Clusters     map[string]release.Cluster
	Environments []release.Environment // each after the one it comes after
	Projects     map[string]release.Project
	Channels     map[string]release.Channel
	Teams        map[string]release.Team
	Experiments  map[string]release.Experiment
	SLOs         []strict.Document // openslo/v1, and Sloth's; package slo reads them
	Analyses     []strict.Document // Argo Rollouts' AnalysisTemplates; package slo/analysis reads them
	Policies     map[string]string // rego sources by their path below policies/: "no-latest.rego"
	Scripts      map[string]string // health scripts by their path below health/: "cert-manager.io/Certificate/health.lua"
	Commit       release.Commit    // set by whoever fetched the repo
}

// Environment finds an environment by name.
func (t Tree) Environment(name release.Env) (release.Environment, bool) {
	for _, e := range t.Environments {
		if release.Env(e.Meta.Name) == name {
			return e, true
		}
	}
	return release.Environment{}, false
}

// ProjectOf finds the project that a repo of the forge belongs to.
func (t Tree) ProjectOf(repo string) (release.Project, bool) {
	for _, p := range t.Projects {
		for _, r := range p.Spec.Repos {
			if strings.EqualFold(r, repo) {
				return p, true
			}
		}
	}
	return release.Project{}, false
}

// SecretVariable is the environment variable in which the server looks for a named
// secret: "wecom-ops" is SEATRIAL_SECRET_WECOM_OPS.
func SecretVariable(name string) string {
	return "SEATRIAL_SECRET_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// Secrets names every secret that the repo refers to, sorted.
func (t Tree) Secrets() []string {
	names := map[string]bool{}
	for _, p := range t.Projects {
		for _, name := range p.Spec.Secrets {
			names[name] = true
		}
		for _, l := range p.Spec.Registries {
			names[l.Secret] = true
		}
	}
	for _, c := range t.Channels {
		names[c.Spec.URLSecret] = true
	}
	for _, x := range t.Experiments {
		if name, ok := x.Spec.Fault.With["dsnSecret"].(string); ok {
			names[name] = true
		}
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}

// builtin are the policies that exist without a rego file.
func builtin() []string {
	return []string{"signed-images", "no-bare-pods", "pod-security-baseline", "pod-security-restricted"}
}

// Load reads a platform repo. More policies than the four built-in ones and the repo's
// own may be named: those of the library the server ships. The error is a *strict.Error.
func Load(fsys fs.FS, library ...string) (Tree, error) {
	l := loader{places: map[string]strict.Document{}, policies: map[string]string{}, scripts: map[string]string{}, library: append(builtin(), library...)}
	l.read(fsys)
	for _, doc := range l.documents {
		l.decode(doc)
	}
	l.checkEach()
	if l.complete {
		l.checkReferences()
	}
	if err := strict.Join(l.problems); err != nil {
		return Tree{}, err
	}
	return l.tree(), nil
}

// LoadDir reads a platform repo from a folder. Nothing outside it can be reached.
func LoadDir(dir string, library ...string) (Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Tree{}, fmt.Errorf("open platform repo: %w", err)
	}
	defer root.Close()
	return Load(root.FS(), library...)
}

// object is a decoded document and where it stands.
type object[T any] struct {
	doc strict.Document
	T   *T
}

type loader struct {
	documents []strict.Document
	complete  bool                       // every document was read: what is not found does not exist
	places    map[string]strict.Document // by kind and name
	policies  map[string]string
	scripts   map[string]string
	library   []string
	problems  []strict.Problem

	clusters     []object[release.Cluster]
	environments []object[release.Environment]
	projects     []object[release.Project]
	channels     []object[release.Channel]
	teams        []object[release.Team]
	experiments  []object[release.Experiment]
	slos         []strict.Document
	analyses     []strict.Document
}

func (l *loader) report(doc strict.Document, issues ...strict.Issue) {
	l.problems = append(l.problems, doc.Problems(issues...)...)
}

// decode reads one document into its kind's list.
func (l *loader) decode(doc strict.Document) {
	if doc.APIVersion == openSLO || doc.APIVersion == slothObject || doc.APIVersion == "" && doc.Text("version") == slothSpec {
		if l.claim(doc) {
			l.slos = append(l.slos, doc)
		}
		return
	}
	if doc.APIVersion == argo {
		l.analysis(doc)
		return
	}
	if doc.APIVersion != release.APIVersion {
		l.report(doc, strict.At(fmt.Sprintf("want %q or %q, got %q", release.APIVersion, openSLO, doc.APIVersion), "apiVersion"))
		l.complete = false
		return
	}
	switch doc.Kind {
	case "Cluster":
		l.clusters = decodeInto(l, doc, l.clusters)
	case "Environment":
		l.environments = decodeInto(l, doc, l.environments)
	case "Project":
		l.projects = decodeInto(l, doc, l.projects)
	case "Channel":
		l.channels = decodeInto(l, doc, l.channels)
	case "Team":
		l.teams = decodeInto(l, doc, l.teams)
	case "Experiment":
		l.experiments = decodeInto(l, doc, l.experiments)
	default:
		l.report(doc, strict.At(fmt.Sprintf("unknown kind %q%s", doc.Kind, strict.Suggest(doc.Kind, Kinds())), "kind"))
		l.complete = false
	}
}

// Documents of others that are read as they are.
const (
	openSLO     = "openslo/v1"
	slothSpec   = "prometheus/v1" // its version, instead of an apiVersion
	slothObject = "sloth.slok.dev/v1"
	argo        = "argoproj.io/v1alpha1"
)

const (
	analysisTemplate = "AnalysisTemplate"
	analysisCluster  = "ClusterAnalysisTemplate"
)

// analysis takes an AnalysisTemplate of either kind; they share their names.
func (l *loader) analysis(doc strict.Document) {
	known := []string{analysisTemplate, analysisCluster}
	if !slices.Contains(known, doc.Kind) {
		l.report(doc, strict.At(fmt.Sprintf("unknown kind %q%s", doc.Kind, strict.Suggest(doc.Kind, known)), "kind"))
		l.complete = false
		return
	}
	named := doc
	named.Kind = analysisTemplate
	if l.claim(named) {
		l.analyses = append(l.analyses, doc)
	}
}

// Kinds are the kinds of ours that a platform repo may hold.
func Kinds() []string {
	return []string{"Cluster", "Environment", "Project", "Channel", "Team", "Experiment"}
}

// decodeInto appends the document's object. One that does not decode keeps its name, so
// that those who refer to it are not blamed as well.
func decodeInto[T any](l *loader, doc strict.Document, list []object[T]) []object[T] {
	claimed := l.claim(doc)
	v := new(T)
	problems := strict.ProblemsOf(doc.File, doc.Decode(v))
	problems = append(problems, doc.Problems(doc.Missing(v)...)...)
	if len(problems) > 0 {
		l.problems = append(l.problems, problems...)
		return list
	}
	if !claimed {
		return list
	}
	return append(list, object[T]{doc: doc, T: v})
}

// claim notes who has the name; the second to ask is refused.
func (l *loader) claim(doc strict.Document) bool {
	key := doc.Kind + "/" + doc.Name
	if first, taken := l.places[key]; taken && doc.Name != "" {
		l.report(doc, strict.At(fmt.Sprintf("%s %q is already in %s:%d", doc.Kind, doc.Name, first.File, first.Line), "metadata", "name"))
		return false
	}
	l.places[key] = doc
	return true
}

// names lists the objects of a kind, those that did not decode included.
func (l *loader) names(kind string) []string {
	var all []string
	for key := range l.places {
		if name, ok := strings.CutPrefix(key, kind+"/"); ok {
			all = append(all, name)
		}
	}
	return sorted(all)
}

func (l *loader) tree() Tree {
	return Tree{
		Clusters:     byName(l.clusters, func(c *release.Cluster) string { return c.Meta.Name }),
		Environments: inOrder(l.environments),
		Projects:     byName(l.projects, func(p *release.Project) string { return p.Meta.Name }),
		Channels:     byName(l.channels, func(c *release.Channel) string { return c.Meta.Name }),
		Teams:        byName(l.teams, func(t *release.Team) string { return t.Meta.Name }),
		Experiments:  byName(l.experiments, func(e *release.Experiment) string { return e.Meta.Name }),
		SLOs:         l.slos,
		Analyses:     l.analyses,
		Policies:     l.policies,
		Scripts:      l.scripts,
	}
}

func byName[T any](list []object[T], name func(*T) string) map[string]T {
	m := make(map[string]T, len(list))
	for _, o := range list {
		m[name(o.T)] = *o.T
	}
	return m
}
