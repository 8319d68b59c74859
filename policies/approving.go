package policies

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Rules are what the platform repo says about one release in its current environment,
// read when asked.
type Rules struct {
	Environment release.Environment
	Policies    release.Digest // Gate.Digest
	Excluded    []string       // who has a hand in the change besides its author and pusher: committers, co-authors
}

// ReadRules reads the rules for a release's current environment.
type ReadRules func(ctx context.Context, r release.Release) (Rules, error)

// Recheck runs the policies again over what is about to be deployed.
type Recheck func(ctx context.Context, r release.Release) (release.Verdict, error)

// Groups are a person's groups now.
type Groups func(ctx context.Context, person string) ([]string, error)

// Approving is the action of that phase: approvals, windows, and the policies again. All
// fields are needed but Groups, without which the groups at the time of approval count,
// and Now.
type Approving struct {
	Rules     ReadRules
	Recheck   Recheck
	Approvals Approvals
	Groups    Groups
	Now       func() time.Time // default time.Now
}

// Approve says whether the release may enter its environment now. It changes nothing,
// so asking twice with one key is harmless.
func (a *Approving) Approve(ctx context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
	verdict, err := a.approve(ctx, r)
	if err != nil {
		return release.Facts{}, release.Verdict{}, fmt.Errorf("approve %s for %s: %w", r.ID, r.Env(), err)
	}
	return release.Facts{}, verdict, nil
}

func (a *Approving) approve(ctx context.Context, r release.Release) (release.Verdict, error) {
	if a.Rules == nil || a.Recheck == nil || a.Approvals == nil {
		return release.Refuse("approvals, rules or policies are not configured, so nothing may pass", "this is a mistake in the server's wiring: tell its operator"), nil
	}
	rules, err := a.Rules(ctx, r)
	if err != nil {
		return release.Verdict{}, err
	}
	people, err := a.people(ctx, r, rules)
	if err != nil {
		return release.Verdict{}, err
	}
	hours, err := a.hours(rules.Environment)
	if err != nil {
		return release.Verdict{}, err
	}
	evidence := slices.Concat(people.Evidence(), hours.Evidence())
	switch {
	case people.Outcome() == release.Waiting && hours.Outcome() == release.Waiting:
		return release.Wait(people.Reason()+"; "+hours.Reason(), min(people.After(), hours.After())).With(evidence...), nil
	case people.Outcome() != release.Passed:
		return people.With(hours.Evidence()...), nil
	case hours.Outcome() != release.Passed:
		return hours.With(people.Evidence()...), nil
	}
	// The policies come last, so that nothing has changed between them and the deployment.
	again, err := a.Recheck(ctx, r)
	if err != nil {
		return release.Verdict{}, err
	}
	return again.With(evidence...), nil
}

func (a *Approving) hours(env release.Environment) (release.Verdict, error) {
	now := a.now()
	open, next, err := Open(env.Spec.Windows, now)
	if err != nil {
		return release.Verdict{}, err
	}
	if len(env.Spec.Windows) == 0 {
		return release.Pass(), nil
	}
	evidence := release.Evidence{Gate: "window", Claim: "now is inside " + describe(env.Spec.Windows), Holds: open, To: now}
	if !open {
		return release.Wait(outside(env.Spec.Windows, next), next.Sub(now)).With(evidence), nil
	}
	return release.Pass(evidence), nil
}

func (a *Approving) people(ctx context.Context, r release.Release, rules Rules) (release.Verdict, error) {
	given, err := a.Approvals.Approvals(ctx, r.ID, r.Env())
	if err != nil {
		return release.Verdict{}, fmt.Errorf("read approvals: %w", err)
	}
	if len(given) == 0 && rules.Environment.Spec.Approvals.Required == 0 {
		return release.Pass(), nil
	}
	bound := content(r, rules)
	if bound.Manifests == "" || bound.Policies == "" {
		return release.Refuse("there is nothing to bind an approval to: the manifests or the policies have no digest", "retry the release, so that it is checked again"), nil
	}
	// A vote of another release or environment must not count, whatever the store does.
	given = slices.DeleteFunc(slices.Clone(given), func(v Approval) bool { return v.Release != r.ID || v.Env != r.Env() })
	for i := range given {
		if given[i].Groups, err = a.groups(ctx, given[i]); err != nil {
			return release.Verdict{}, err
		}
	}
	return Decide(rules.Environment.Spec.Approvals, given, bound.Digest(), excluded(r, rules)), nil
}

// groups are those a person had when approving and still has.
func (a *Approving) groups(ctx context.Context, said Approval) ([]string, error) {
	if a.Groups == nil {
		return said.Groups, nil
	}
	now, err := a.Groups(ctx, said.By)
	if err != nil {
		return nil, fmt.Errorf("read groups of %s: %w", said.By, err)
	}
	return slices.DeleteFunc(slices.Clone(said.Groups), func(g string) bool { return !slices.Contains(now, g) }), nil
}

// Content is what an approval of this release in its current environment is bound to,
// for showing to whoever approves.
func (a *Approving) Content(ctx context.Context, r release.Release) (Content, error) {
	rules, err := a.Rules(ctx, r)
	if err != nil {
		return Content{}, fmt.Errorf("content of %s for %s: %w", r.ID, r.Env(), err)
	}
	return content(r, rules), nil
}

func content(r release.Release, rules Rules) Content {
	c := Content{Release: r.ID, Env: r.Env(), Manifests: r.Now().Manifests, Policies: rules.Policies}
	if r.Artifact != nil {
		c.Artifact = r.Artifact.Digest
	}
	return c
}

func excluded(r release.Release, rules Rules) []string {
	return append([]string{r.Author, r.Pusher}, rules.Excluded...)
}

// Say records what a person said about the release in its current environment. It
// refuses an approval that could never count: by an excluded person, by one of another
// group, or of a content that has changed since it was shown.
func (a *Approving) Say(ctx context.Context, r release.Release, said Approval) error {
	rules, err := a.Rules(ctx, r)
	if err != nil {
		return fmt.Errorf("%s %s for %s: %w", said.Decision, r.ID, r.Env(), err)
	}
	if err := a.mayCount(r, rules, said); err != nil {
		return fmt.Errorf("%s %s for %s: %w", said.Decision, r.ID, r.Env(), err)
	}
	said.Release, said.Env, said.At = r.ID, r.Env(), a.now()
	if err := a.Approvals.Approve(ctx, said); err != nil {
		return fmt.Errorf("%s %s for %s: %w", said.Decision, r.ID, r.Env(), err)
	}
	return nil
}

func (a *Approving) mayCount(r release.Release, rules Rules, said Approval) error {
	required := rules.Environment.Spec.Approvals
	switch {
	case fold(said.By) == "":
		return fmt.Errorf("nobody is named")
	case said.Decision == Reject || said.Decision == Withdraw:
		return nil
	case said.Decision != Approve:
		return fmt.Errorf("decision %q is none of approve, reject, withdraw", said.Decision)
	case excludes(excluded(r, rules), said):
		return hint.Add(fmt.Errorf("%s has a hand in the change", said.By), "ask somebody who neither wrote nor pushed it")
	case !inGroups(required.Groups, said.Groups):
		return hint.Add(fmt.Errorf("%s is not in %v", said.By, required.Groups), "ask somebody of those groups")
	case said.Digest != content(r, rules).Digest():
		return hint.Add(fmt.Errorf("the content has changed since it was shown"), "look at the release again, then approve what it is now")
	}
	return nil
}

func (a *Approving) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}
