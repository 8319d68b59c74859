package platform

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// checkReferences finds names that nothing has, and things that cannot both be. It is
// only asked when every document was read.
func (l *loader) checkReferences() {
	environments, experiments := l.names("Environment"), l.names("Experiment")
	policies := l.policyNames()
	for _, o := range l.environments {
		var c checker
		s := o.T.Spec
		if s.After != "" {
			c.OneOf("environment", string(s.After), environments, "spec", "after")
		}
		for i, p := range s.Policies {
			c.OneOf("policy", p, policies, "spec", "policies", i)
		}
		for i, use := range s.SLO.Analysis {
			c.OneOf("AnalysisTemplate", use.Template, l.names(analysisTemplate), "spec", "slo", "analysis", i, "template")
		}
		for i, e := range s.Trial.Experiments {
			c.OneOf("experiment", e, experiments, "spec", "trial", "experiments", i)
		}
		l.report(o.doc, c.Issues...)
	}
	l.checkCycles()
	l.checkBranches()
	l.checkProjects(environments)
	l.checkTeams()
	l.checkExperiments(environments)
}

// policyNames are the built-in policies and the repo's own at the top of policies/.
func (l *loader) policyNames() []string {
	all := slices.Clone(l.library)
	for file := range l.policies {
		name := strings.TrimSuffix(file, ".rego")
		if !strings.Contains(name, "/") && !strings.HasSuffix(name, "_test") {
			all = append(all, name)
		}
	}
	return slices.Compact(sorted(all))
}

func (l *loader) checkCycles() {
	after := map[release.Env]release.Env{}
	for _, o := range l.environments {
		after[release.Env(o.T.Meta.Name)] = o.T.Spec.After
	}
	for _, o := range l.environments {
		start := release.Env(o.T.Meta.Name)
		way := []string{string(start)}
		for e := after[start]; e != "" && len(way) <= len(after); e = after[e] {
			way = append(way, string(e))
			if e == start {
				l.report(o.doc, strict.At("comes after itself: "+strings.Join(way, " after "), "spec", "after"))
				break
			}
		}
	}
}

// checkBranches refuses two environments on one branch: each would undo the other.
func (l *loader) checkBranches() {
	first := map[release.DesiredState]string{}
	for _, o := range l.environments {
		d := o.T.Spec.DesiredState
		if other, taken := first[d]; taken {
			l.report(o.doc, strict.At(fmt.Sprintf("branch %s of %s is already environment %s's", d.Branch, d.Repo, other), "spec", "desiredState", "branch"))
			continue
		}
		first[d] = o.T.Meta.Name
	}
}

func (l *loader) checkProjects(environments []string) {
	channels := l.names("Channel")
	owner := map[string]string{} // of each repo, in lower case as forges compare
	for _, o := range l.projects {
		var c checker
		for i, e := range o.T.Spec.Environments {
			c.OneOf("environment", string(e), environments, "spec", "environments", i)
		}
		for i, ch := range o.T.Spec.Channels {
			c.OneOf("channel", ch, channels, "spec", "channels", i)
		}
		for i, r := range o.T.Spec.Repos {
			key := strings.ToLower(r)
			if other, taken := owner[key]; taken && other != o.T.Meta.Name {
				c.Add(fmt.Sprintf("repo %s is already project %s's", r, other), "spec", "repos", i)
			}
			owner[key] = o.T.Meta.Name
		}
		l.report(o.doc, c.Issues...)
	}
}

func (l *loader) checkExperiments(environments []string) {
	slos := l.names("SLO")
	for _, o := range l.experiments {
		var c checker
		s := o.T.Spec
		for i, h := range s.Hypothesis {
			c.OneOf("SLO", h, slos, "spec", "hypothesis", i)
		}
		if s.Schedule != nil {
			for i, e := range s.Schedule.Environments {
				c.OneOf("environment", string(e), environments, "spec", "schedule", "environments", i)
			}
		}
		l.checkNamespace(&c, s)
		l.report(o.doc, c.Issues...)
	}
}

// checkNamespace lets a fault be injected only where a project is at home: that of the
// experiment's service when it names one.
func (l *loader) checkNamespace(c *checker, s release.ExperimentSpec) {
	var allowed []string
	for _, p := range l.projects {
		if s.Service == "" || p.T.Spec.Team == s.Service.Team() {
			allowed = append(allowed, p.T.Spec.Namespaces...)
		}
	}
	if s.Fault.Namespace != "" && len(l.projects) == len(l.names("Project")) {
		c.OneOf("namespace of a project", s.Fault.Namespace, allowed, "spec", "fault", "namespace")
	}
}

// inOrder sorts environments so that each stands after the one it comes after, and by
// name among equals. There are no cycles any more.
func inOrder(list []object[release.Environment]) []release.Environment {
	pending := slices.Clone(list)
	slices.SortFunc(pending, func(a, b object[release.Environment]) int { return cmp.Compare(a.T.Meta.Name, b.T.Meta.Name) })
	done := map[release.Env]bool{"": true}
	ordered := make([]release.Environment, 0, len(list))
	for len(pending) > 0 {
		next := slices.IndexFunc(pending, func(o object[release.Environment]) bool { return done[o.T.Spec.After] })
		e := *pending[next].T
		ordered, done[release.Env(e.Meta.Name)] = append(ordered, e), true
		pending = slices.Delete(pending, next, next+1)
	}
	return ordered
}

func hasPassword(rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil || u.User == nil {
		return false
	}
	_, has := u.User.Password()
	return has
}
