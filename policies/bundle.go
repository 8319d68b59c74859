package policies

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/policies/library"
	"github.com/seatrial/seatrial/release"
)

// checkNames refuses files of the platform repo that a built-in policy would hide.
func checkNames(files map[string]string) []result {
	var out []result
	for _, file := range keys(files) {
		switch name := strings.TrimSuffix(path.Base(file), ".rego"); name {
		case SignedImages, NoBarePods, PodSecurityBaseline, PodSecurityRestricted:
			out = append(out, result{policy: name, claim: "no file of the platform repo has the name of a built-in policy",
				problems: []Problem{{Policy: name, Object: file, Why: "it has the name of a built-in policy and would never be asked", Fix: "rename " + file}}})
		}
	}
	return out
}

// Digest names everything that decides but the release itself: the rules of the
// platform repo and of the library, which of them the environment and the server ask
// for, and what the project may do. Approvals are bound to it.
func (g *Gate) Digest(env release.Environment, project release.Project, files map[string]string) release.Digest {
	rules, err := json.Marshal(struct {
		Env       release.Env
		Asked     []string
		Reviewed  []string
		Approvals release.Approvals
		Prune     release.Prune
		Project   release.ProjectSpec
		Keys      []string
	}{release.Env(env.Meta.Name), g.asked(env), reviewedKinds(env), env.Spec.Approvals, env.Spec.Prune, project.Spec, g.config.Keys})
	if err != nil { // plain strings and numbers always encode
		return ""
	}
	parts := []string{"policies", string(rules)}
	for _, set := range []map[string]string{files, library.Policies(), library.Helpers()} {
		parts = append(parts, fmt.Sprint(len(set)))
		for _, file := range keys(set) {
			parts = append(parts, file, set[file])
		}
	}
	return digestOf(parts...)
}

// asked lists the policies of an environment, each once.
func (g *Gate) asked(env release.Environment) []string {
	var out []string
	for _, name := range slices.Concat(g.config.Always, env.Spec.Policies) {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func reviewedKinds(env release.Environment) []string {
	return strings.FieldsFunc(env.Meta.Annotations[ReviewedKinds], func(r rune) bool { return r == ',' || r == ' ' })
}
