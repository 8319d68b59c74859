package spec

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

var (
	secretID    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)
	secretName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}$`)
	contextName = regexp.MustCompile(`^[a-z0-9]+([._-][a-z0-9]+)*$`)
	pinnedImage = regexp.MustCompile(`^docker-image://[a-z0-9][A-Za-z0-9._:/-]{0,254}@sha256:[0-9a-f]{64}$`)
)

// secrets checks the words; whether the project has such secrets is said by checkSecrets.
func (c *checker) secrets(list []release.BuildSecret) {
	c.AtMost(maxEntries, len(list), "spec", "build", "secrets")
	ids := make([]string, len(list))
	for i, s := range list {
		ids[i] = s.ID
		if !secretID.MatchString(s.ID) {
			c.Add(fmt.Sprintf("%q: want an id like npmrc, as in RUN --mount=type=secret,id=npmrc", s.ID), "spec", "build", "secrets", i, "id")
		}
		if !secretName.MatchString(s.Name) {
			c.Add("want the name of one of the project's secrets, never the secret itself", "spec", "build", "secrets", i, "name")
		}
	}
	c.Once(ids, "spec", "build", "secrets")
}

func (f File) checkSecrets(project release.Project) []strict.Issue {
	var issues []strict.Issue
	for i, s := range f.Pipeline.Spec.Build.Secrets {
		if known := project.Spec.Secrets; !slices.Contains(known, s.Name) {
			message := fmt.Sprintf("project %s has no secret %q%s: operators add it to the project in the platform repo", project.Meta.Name, s.Name, strict.Suggest(s.Name, known))
			issues = append(issues, strict.At(message, "spec", "build", "secrets", i, "name"))
		}
	}
	return issues
}

// contexts checks what a Dockerfile can copy from beside its own context.
func (c *checker) contexts(named map[string]string) {
	c.AtMost(maxEntries, len(named), "spec", "build", "contexts")
	for _, name := range slices.Sorted(maps.Keys(named)) {
		from, at := named[name], []any{"spec", "build", "contexts", name}
		if !contextName.MatchString(name) || len(name) > 63 {
			c.AddKey("want lower-case letters and digits, with dots, dashes and underscores between them", at...)
		}
		switch {
		case strings.HasPrefix(from, "docker-image:"):
			if !pinnedImage.MatchString(from) {
				c.Add(fmt.Sprintf("%q: want an image by digest: docker-image://NAME@sha256:…", from), at...)
			}
		case from == "" || strings.Contains(from, "://") || strings.HasPrefix(from, "git@"):
			c.Add(fmt.Sprintf("%q: want a folder of the repo, or docker-image://NAME@sha256:…", from), at...)
		default:
			c.path(from, at...)
		}
	}
}
