package spec

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// maxEntries bounds every list and map of a pipeline.
const maxEntries = 50

// maxTimeout is the longest build that may be asked for.
const maxTimeout = 6 * time.Hour

// platforms are those that BuildKit and Go both know; a release is an index of some.
func platforms() []string {
	return []string{"linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x", "linux/riscv64", "linux/arm/v7", "linux/386"}
}

var (
	argName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	wordSplit = regexp.MustCompile(`([a-z0-9])([A-Z])`)
	keyName   = regexp.MustCompile(`(^|_)(API|PRIVATE|ACCESS|SIGNING|SSH|DEPLOY|ENCRYPTION|LICENSE)_?KEY(_|$)`)
	// The forms of tokens and keys that are handed out by well-known services.
	secretValue = regexp.MustCompile(`-----BEGIN |^(ghp_|gho_|ghs_|github_pat_|glpat-|xox[abp]-|AKIA[0-9A-Z]{16}|eyJ[A-Za-z0-9_-]+\.)`)
)

// checker collects what is wrong with a pipeline.
type checker struct{ strict.Issues }

func validate(p release.Pipeline) []strict.Issue {
	var c checker
	c.name(p.Meta.Name, "metadata", "name")
	c.name(p.Meta.Team, "metadata", "team")
	c.triggers(p.Spec.On)
	c.build(p.Spec.Build)
	c.deploy(p.Spec.Deploy)
	return c.Issues
}

func (c *checker) name(s string, path ...any) {
	if s == "" {
		c.Add(fmt.Sprintf("%q is missing", path[len(path)-1]), path[:len(path)-1]...)
	} else if !release.ValidName(s) {
		c.Add(fmt.Sprintf("%q: want lower-case letters, digits and dashes, at most 63", s), path...)
	}
}

func (c *checker) triggers(on release.Triggers) {
	c.globs(on.Push.Branches, "push", "branches")
	c.globs(on.Push.Paths, "push", "paths")
	if on.PullRequest != nil {
		c.globs(on.PullRequest.Branches, "pullRequest", "branches")
	}
}

func (c *checker) globs(globs []string, on, what string) {
	c.AtMost(maxEntries, len(globs), "spec", "on", on, what)
	for i, g := range globs {
		if err := validGlob(strings.TrimPrefix(g, "!")); err != nil {
			c.Add(err.Error(), "spec", "on", on, what, i)
		}
	}
}

func (c *checker) build(b release.BuildSpec) {
	c.path(b.Context, "spec", "build", "context")
	c.path(b.Dockerfile, "spec", "build", "dockerfile")
	if b.Plan != nil {
		c.plan(*b.Plan, b.Dockerfile)
	}
	c.AtMost(maxEntries, len(b.Args), "spec", "build", "args")
	for _, name := range slices.Sorted(maps.Keys(b.Args)) {
		c.arg(name, []string{b.Args[name]}, "spec", "build", "args", name)
	}
	c.AtMost(maxEntries, len(b.Platforms), "spec", "build", "platforms")
	for i, p := range b.Platforms {
		c.OneOf("platform", p, platforms(), "spec", "build", "platforms", i)
	}
	c.Once(b.Platforms, "spec", "build", "platforms")
	c.secrets(b.Secrets)
	c.contexts(b.Contexts)
	c.AtMost(maxEntries, len(b.Checks), "spec", "build", "checks")
	names := make([]string, len(b.Checks))
	for i, check := range b.Checks {
		names[i] = check.Name
		c.name(check.Name, "spec", "build", "checks", i, "name")
		if check.Target == "" {
			c.Add("want the name of a target of the Dockerfile, or of a stage of the plan", "spec", "build", "checks", i, "target")
		}
		c.matrix(check.Matrix, "spec", "build", "checks", i, "matrix")
	}
	c.Once(names, "spec", "build", "checks")
	if t := b.Timeout.Std(); t != 0 && (t < time.Second || t > maxTimeout) {
		c.Add(fmt.Sprintf("want between 1s and %v, got %v", maxTimeout, t), "spec", "build", "timeout")
	}
}

func (c *checker) arg(name string, values []string, at ...any) {
	switch {
	case !argName.MatchString(name):
		c.AddKey("want letters, digits and underscores", at...)
	case looksSecret(name) || slices.ContainsFunc(values, secretValue.MatchString):
		c.AddKey("looks like a secret: build arguments end up in the image's history; use a secret mount in the Dockerfile", at...)
	}
}

// maxRuns is how often one check may run.
const maxRuns = 20

func (c *checker) matrix(m map[string][]string, at ...any) {
	runs := 1
	for _, name := range slices.Sorted(maps.Keys(m)) {
		values, here := m[name], append(at[:len(at):len(at)], name)
		c.arg(name, values, here...)
		if len(values) == 0 {
			c.Add("want at least one value", here...)
		}
		c.Once(values, here...)
		runs = min(runs*len(values), maxRuns+1)
	}
	if runs > maxRuns {
		c.Add(fmt.Sprintf("gives more than %d combinations", maxRuns), at...)
	}
}

// looksSecret goes by the words of a name, so TOKENIZER_PATH is fine and NPM_TOKEN is not.
func looksSecret(name string) bool {
	upper := strings.ToUpper(wordSplit.ReplaceAllString(name, "${1}_${2}"))
	for word := range strings.SplitSeq(upper, "_") {
		switch word {
		case "PASSWORD", "PASSWD", "PASSPHRASE", "PWD", "SECRET", "SECRETS", "TOKEN", "CREDENTIAL", "CREDENTIALS", "APIKEY":
			return true
		}
	}
	return keyName.MatchString(upper)
}

func (c *checker) deploy(d release.DeploySpec) {
	if d.Manifests == "" {
		c.Add("want the folder of the manifests", "spec", "deploy", "manifests")
	}
	c.path(d.Manifests, "spec", "deploy", "manifests")
	c.AtMost(maxEntries, len(d.Environments), "spec", "deploy", "environments")
	if len(d.Environments) == 0 {
		c.Add("want at least one environment", "spec", "deploy", "environments")
	}
	names := make([]string, len(d.Environments))
	for i, e := range d.Environments {
		names[i] = string(e)
	}
	c.Once(names, "spec", "deploy", "environments")
	if d.Strategy != nil {
		c.strategy(*d.Strategy)
	}
}

// path refuses what could lead out of the repo. Symbolic links are the reader's matter.
func (c *checker) path(p string, at ...any) {
	switch {
	case p == "":
	case strings.ContainsAny(p, "\\\x00"):
		c.Add(fmt.Sprintf("%q: want a path with forward slashes", p), at...)
	case path.IsAbs(p), strings.HasPrefix(p, "~"):
		c.Add(fmt.Sprintf("%q: want a path inside the repo, relative to its root", p), at...)
	case slices.Contains(strings.Split(p, "/"), ".."):
		c.Add(fmt.Sprintf(`%q: want a path inside the repo, without ".."`, p), at...)
	}
}
