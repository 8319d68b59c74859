package spec

import (
	"fmt"
	"path"
	"strings"

	"github.com/seatrial/seatrial/release"
)

const maxGlob = 256 // bytes

// Matches reports whether a push to branch that changed those paths starts a release.
// No changed paths means that they are not known (a new branch, a forced push): then
// only the branch decides, since building once too often loses nothing.
func Matches(p release.Pipeline, branch string, changed []string) bool {
	push := p.Spec.On.Push
	if !matchAny(push.Branches, branch) {
		return false
	}
	if len(push.Paths) == 0 || len(changed) == 0 {
		return true
	}
	for _, file := range changed {
		if matchAny(push.Paths, file) {
			return true
		}
	}
	return false
}

// MatchesPull reports whether pull requests that are to be merged into base are built.
func MatchesPull(p release.Pipeline, base string) bool {
	on := p.Spec.On.PullRequest
	return on != nil && (len(on.Branches) == 0 || matchAny(on.Branches, base))
}

// matchAny reads patterns in order: a later one beats an earlier one, "!" excludes, and
// a list that begins with an exclusion begins with everything.
func matchAny(patterns []string, name string) bool {
	matched := len(patterns) > 0 && strings.HasPrefix(patterns[0], "!")
	for _, p := range patterns {
		glob, exclude := strings.CutPrefix(p, "!")
		if match(glob, name) {
			matched = !exclude
		}
	}
	return matched
}

// match compares segment by segment: "**" stands for any number of segments, and "*",
// "?" and "[…]" for characters within one.
func match(glob, name string) bool {
	segments := strings.Split(name, "/")
	// reach[i]: the pattern so far can have consumed the first i segments.
	reach := make([]bool, len(segments)+1)
	reach[0] = true
	for part := range strings.SplitSeq(glob, "/") {
		next := make([]bool, len(segments)+1)
		for i := range reach {
			if part == "**" {
				next[i] = reach[i] || i > 0 && next[i-1]
			} else if i > 0 && reach[i-1] {
				next[i], _ = path.Match(part, segments[i-1])
			}
		}
		reach = next
	}
	return reach[len(segments)]
}

func validGlob(glob string) error {
	switch _, err := path.Match(glob, ""); {
	case glob == "":
		return fmt.Errorf("is empty")
	case len(glob) > maxGlob:
		return fmt.Errorf("is longer than %d bytes", maxGlob)
	case err != nil:
		return fmt.Errorf("%q is not a pattern: a bracket is not closed or an escape ends it", glob)
	case strings.HasPrefix(glob, "/"):
		return fmt.Errorf("%q: patterns are relative to the repo, without a leading slash", glob)
	}
	for part := range strings.SplitSeq(glob, "/") {
		if strings.Contains(part, "**") && part != "**" {
			return fmt.Errorf("%q: ** has to stand alone between slashes", glob)
		}
	}
	return nil
}
