// Package spec reads .seatrial.yaml, the file in which an application says what to
// build and where to deploy.
//
// Start at Read. What the file alone can get wrong is found there; what depends on the
// platform (its environments, the team's project) by File.Check. Both point at the line.
// The package never decides whether a release may go on: an application's file can add
// to the platform's gates, not weaken them.
package spec

import (
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// Name is what the file is called, at the root of the application's repo.
const Name = ".seatrial.yaml"

// Kind is the kind of its one document.
const Kind = "Pipeline"

// What a file that leaves it out gets.
const (
	defaultBranch   = "main"
	defaultPlatform = "linux/amd64"
	defaultTimeout  = 30 * time.Minute
)

// File is a pipeline together with the places its values stand at.
type File struct {
	Pipeline release.Pipeline // valid by itself, defaults filled in, paths clean
	doc      strict.Document
}

// Parse is Read for callers that need no Check.
func Parse(file string, data []byte) (release.Pipeline, error) {
	f, err := Read(file, data)
	return f.Pipeline, err
}

// Read reads and validates a pipeline. The error is a *strict.Error with every problem.
func Read(file string, data []byte) (File, error) {
	doc, err := strict.Parse(file, data, strict.Limits{})
	if err != nil {
		return File{}, err
	}
	if issues := checkKind(doc); len(issues) > 0 {
		return File{}, strict.Join(doc.Problems(issues...))
	}
	var p release.Pipeline
	problems := strict.ProblemsOf(file, doc.Decode(&p))
	problems = append(problems, doc.Problems(doc.Missing(&p)...)...)
	if len(problems) == 0 {
		problems = doc.Problems(validate(p)...)
	}
	if err := strict.Join(problems); err != nil {
		return File{}, err
	}
	return File{Pipeline: withDefaults(p), doc: doc}, nil
}

func checkKind(doc strict.Document) []strict.Issue {
	var issues []strict.Issue
	if doc.APIVersion != release.APIVersion {
		issues = append(issues, strict.At(fmt.Sprintf("want %q, got %q", release.APIVersion, doc.APIVersion), "apiVersion"))
	}
	if doc.Kind != Kind {
		issues = append(issues, strict.At(fmt.Sprintf("want %q, got %q", Kind, doc.Kind), "kind"))
	}
	return issues
}

func withDefaults(p release.Pipeline) release.Pipeline {
	push, build, deploy := &p.Spec.On.Push, &p.Spec.Build, &p.Spec.Deploy
	if len(push.Branches) == 0 {
		push.Branches = []string{defaultBranch}
	}
	build.Context = path.Clean(orDefault(build.Context, "."))
	if build.Dockerfile != "" { // else the builder looks for one, or plans the build
		build.Dockerfile = path.Clean(build.Dockerfile)
	}
	if len(build.Platforms) == 0 {
		build.Platforms = []string{defaultPlatform}
	}
	if build.Timeout == 0 {
		build.Timeout = release.Duration(defaultTimeout)
	}
	deploy.Manifests = path.Clean(deploy.Manifests)
	return p
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Service is the service the pipeline releases.
func (f File) Service() release.Service { return Service(f.Pipeline) }

// Service is the service a valid pipeline releases.
func Service(p release.Pipeline) release.Service {
	return release.Service(p.Meta.Team + "/" + p.Meta.Name)
}

// Check finds what does not fit the platform: environments that do not exist, that the
// project may not use or whose predecessor is left out, secrets that are not the
// project's, and a team that is not. The error is a *strict.Error.
func (f File) Check(environments []release.Environment, project release.Project) error {
	var issues []strict.Issue
	if team := project.Spec.Team; f.Pipeline.Meta.Team != team {
		issues = append(issues, strict.At(fmt.Sprintf("team %q is not the team of project %s, %q", f.Pipeline.Meta.Team, project.Meta.Name, team), "metadata", "team"))
	}
	after := make(map[release.Env]release.Env, len(environments))
	var known []string
	for _, e := range environments {
		name := release.Env(e.Meta.Name)
		after[name] = e.Spec.After
		if len(project.Spec.Environments) == 0 || slices.Contains(project.Spec.Environments, name) {
			known = append(known, string(name))
		}
	}
	listed := f.Pipeline.Spec.Deploy.Environments
	for i, env := range listed {
		if message := checkEnvironment(env, listed[:i], after, known, project); message != "" {
			issues = append(issues, strict.At(message, "spec", "deploy", "environments", i))
		}
	}
	return strict.Join(f.doc.Problems(append(issues, f.checkSecrets(project)...)...))
}

// checkEnvironment says what is wrong with one entry of the list, given those before it.
func checkEnvironment(env release.Env, before []release.Env, after map[release.Env]release.Env, known []string, project release.Project) string {
	previous, exists := after[env]
	switch {
	case !exists:
		return fmt.Sprintf("unknown environment %q%s", env, strict.Suggest(string(env), known))
	case !slices.Contains(known, string(env)):
		return fmt.Sprintf("project %s may not deploy to %q%s", project.Meta.Name, env, strict.Suggest("", known))
	case previous != "" && !slices.Contains(before, previous):
		return fmt.Sprintf("%s comes after %s: list %s before it", env, previous, previous)
	}
	return ""
}
