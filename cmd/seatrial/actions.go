package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/chaos/trial"
	"github.com/seatrial/seatrial/cmd/seatrial/registries"
	"github.com/seatrial/seatrial/cmd/seatrial/rendering"
	"github.com/seatrial/seatrial/deployer/desired"
	"github.com/seatrial/seatrial/deployer/progressive"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// unrenderable is content that cannot become objects: trying again does not help.
type unrenderable struct{ error }

func (u unrenderable) Unwrap() error { return u.error }

// content renders a release for an environment, or reads what a person pushed there.
func (s *server) content(ctx context.Context, r release.Release, env release.Environment) (render.Rendered, error) {
	project, err := s.world.ProjectFor(r)
	if err != nil {
		return render.Rendered{}, err
	}
	if r.Origin == release.FromDesiredState {
		return s.pushedContent(ctx, r, env)
	}
	p, err := s.sources.Pipeline(ctx, r)
	if err != nil {
		return render.Rendered{}, err
	}
	tree, err := s.repos.Tree(ctx, s.settings.RepoURL(r.Repo), r.Ref, r.Commit, "", git.Limits{Files: 20000, Bytes: 64 << 20})
	if errors.Is(err, git.ErrUnfit) || errors.Is(err, git.ErrTooBig) {
		err = unrenderable{err}
	}
	if err != nil {
		return render.Rendered{}, err
	}
	o := render.Options{Path: p.Spec.Deploy.Manifests, Env: release.Env(env.Meta.Name), Service: r.Service, Params: env.Spec.Params,
		Charts: registries.Charts(s.registry, registries.Of(project, s.settings.Registry.Host))}
	if len(project.Spec.Namespaces) > 0 {
		o.Namespace = project.Spec.Namespaces[0]
	}
	if r.Artifact != nil {
		o.Image = r.Artifact.Reference()
	}
	out, err := s.renderer.RenderAll(ctx, tree, o, env.Spec)
	if err != nil && ctx.Err() == nil && !errors.Is(err, render.ErrUnable) {
		err = unrenderable{err}
	}
	return out, err
}

func (s *server) pushedContent(ctx context.Context, r release.Release, env release.Environment) (render.Rendered, error) {
	c, err := s.desired.Read(ctx, env.Spec.DesiredState, r.Service, r.Commit)
	if u, ok := errors.AsType[desired.Unreadable](err); ok {
		return render.Rendered{}, unrenderable{u}
	}
	if err != nil {
		return render.Rendered{}, err
	}
	return c.Rendered, nil
}

// strategy is how a release takes over inside of a cluster: what the application's file
// says or, for a person's push, what the pushed record says.
func (s *server) strategy(ctx context.Context, r release.Release, env release.Environment) (*release.Strategy, error) {
	if r.Origin == release.FromDesiredState {
		c, err := s.desired.Read(ctx, env.Spec.DesiredState, r.Service, r.Commit)
		return c.Record.Strategy, err
	}
	p, err := s.sources.Pipeline(ctx, r)
	return p.Spec.Deploy.Strategy, err
}

// check is the action of Checking: every environment's policies over what would be
// applied there, before anything is.
func (s *server) check(ctx context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
	facts := release.Facts{Manifests: map[release.Env]release.Digest{}}
	passed := release.Pass()
	asked := map[release.Env]release.Digest{}
	for _, stage := range r.Stages {
		digest, verdict, err := s.checkIn(ctx, r, stage.Env)
		if err != nil {
			return release.Facts{}, release.Verdict{}, err
		}
		if verdict.Outcome() != release.Passed {
			return release.Facts{}, verdict, nil
		}
		if asked[stage.Env], err = s.askedIn(r, stage.Env); err != nil {
			return release.Facts{}, release.Verdict{}, err
		}
		facts.Manifests[stage.Env] = digest
		passed = passed.With(verdict.Evidence()...)
	}
	if r.Artifact == nil {
		return facts, passed, nil
	}
	return s.summarize(ctx, r, asked, facts, passed)
}

// askedIn is the digest of the policies that an environment asks.
func (s *server) askedIn(r release.Release, name release.Env) (release.Digest, error) {
	env, err := s.world.Must(name)
	if err != nil {
		return "", err
	}
	project, err := s.world.ProjectFor(r)
	if err != nil {
		return "", err
	}
	return s.gate.Digest(env, project, s.world.Now().Policies), nil
}

// summarize attaches what the gate said to the artifact that it said it of.
func (s *server) summarize(ctx context.Context, r release.Release, asked map[release.Env]release.Digest, facts release.Facts, passed release.Verdict) (release.Facts, release.Verdict, error) {
	gate := signing.Gate{ID: s.settings.ExternalURL + "/gate", Policies: asked, Level: "SLSA_BUILD_LEVEL_2"}
	attached, verdict, err := s.signer.Summarize(ctx, r, gate)
	if err != nil || verdict.Outcome() != release.Passed {
		return release.Facts{}, verdict, err
	}
	artifact := *r.Artifact
	if !slices.Contains(artifact.Signed, attached) {
		artifact.Signed = append(slices.Clone(artifact.Signed), attached)
	}
	facts.Artifact = &artifact
	return facts, passed.With(verdict.Evidence()...), nil
}

// checkIn judges a release for one environment.
func (s *server) checkIn(ctx context.Context, r release.Release, name release.Env) (release.Digest, release.Verdict, error) {
	env, err := s.world.Must(name)
	if err != nil {
		return "", release.Verdict{}, err
	}
	project, err := s.world.ProjectFor(r)
	if err != nil {
		return "", release.Verdict{}, err
	}
	rendered, err := s.content(ctx, r, env)
	if u, ok := err.(unrenderable); ok {
		return "", release.Refuse(fmt.Sprintf("render for %s: %v", name, u.error), hint.Of(u.error)), nil
	}
	if err != nil {
		return "", release.Verdict{}, err
	}
	strategy, err := s.strategy(ctx, r, env)
	if err != nil {
		return "", release.Verdict{}, err
	}
	scopes := s.scopes()
	if unknown := rendering.Unknown(rendered, scopes.Reached(ctx, env), scopes.Of); len(unknown) > 0 {
		return "", release.Refuse(strings.Join(unknown, "; "), "install the kind's CustomResourceDefinition on the clusters first, or take the object out"), nil
	}
	passed := release.Pass()
	for _, note := range rendered.Notes {
		passed = passed.With(release.Evidence{Gate: "render", Claim: note, Holds: true})
	}
	in := policies.Input{Release: r, Environment: env, Project: project, Policies: s.world.Now().Policies}
	verdict, err := rendering.Judge(rendered, passed, func(objects []*unstructured.Unstructured) (release.Verdict, error) {
		if err := progressive.Check(strategy, objects); err != nil {
			return release.Refuse(fmt.Sprintf("%s: %v", name, err), hint.Of(err)), nil
		}
		in.Manifests = bodies(objects)
		return s.gate.Check(ctx, in)
	})
	return rendered.Digest, verdict, err
}

func bodies(objects []*unstructured.Unstructured) []map[string]any {
	out := make([]map[string]any, 0, len(objects))
	for _, o := range objects {
		out = append(out, o.Object)
	}
	return out
}

// recheck judges again, just before the environment changes.
func (s *server) recheck(ctx context.Context, r release.Release) (release.Verdict, error) {
	digest, verdict, err := s.checkIn(ctx, r, r.Env())
	if err == nil && verdict.Outcome() == release.Passed && digest != r.Now().Manifests {
		return release.Refuse(fmt.Sprintf("the manifests for %s are not those that were checked", r.Env()), "retry the release from its check"), nil
	}
	return verdict, err
}

// handsIn lists who has a hand in a commit besides its author: none of them may approve it.
func (s *server) handsIn(ctx context.Context, r release.Release) ([]string, error) {
	info, err := s.repos.Info(ctx, s.settings.RepoURL(r.Repo), r.Ref, r.Commit)
	if err != nil {
		return nil, err
	}
	people := []string{info.Email}
	for _, line := range strings.Split(info.Message, "\n") {
		key, who, _ := strings.Cut(line, ":")
		if strings.EqualFold(strings.TrimSpace(key), "Co-authored-by") {
			people = append(people, strings.TrimSpace(who))
		}
	}
	return people, nil
}

// rules is what the platform repo says about a release where it is now.
func (s *server) rules(ctx context.Context, r release.Release) (policies.Rules, error) {
	env, err := s.world.Must(r.Env())
	if err != nil {
		return policies.Rules{}, err
	}
	project, err := s.world.ProjectFor(r)
	if err != nil {
		return policies.Rules{}, err
	}
	rules := policies.Rules{Environment: env, Policies: s.gate.Digest(env, project, s.world.Now().Policies)}
	if env.Spec.Approvals.Required > 0 {
		rules.Excluded, err = s.handsIn(ctx, r)
	}
	return rules, err
}

// approve is the action of Approving; a pass plans the waves and their shifts.
func (s *server) approve(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	facts, verdict, err := s.approving.Approve(ctx, key, r)
	if err != nil || verdict.Outcome() != release.Passed {
		return facts, verdict, err
	}
	env, err := s.world.Must(r.Env())
	if err != nil {
		return facts, release.Verdict{}, err
	}
	strategy, err := s.strategy(ctx, r, env)
	if err != nil {
		return facts, release.Verdict{}, err
	}
	facts.Waves = release.Plan(env, s.world.Clusters())
	for i := range facts.Waves {
		facts.Waves[i].Shifts = progressive.Shifts(strategy)
	}
	if len(facts.Waves) == 0 {
		return facts, release.Refuse(fmt.Sprintf("no cluster matches a wave of %s", r.Env()), "label a Cluster in the platform repo, or correct the waves' selectors"), nil
	}
	return facts, verdict, nil
}

// deploy is the action of Deploying: one step of one wave.
func (s *server) deploy(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	switch r.Step {
	case release.StepSync:
		if r.Origin == release.FromDesiredState && r.Wave == 0 {
			if moved, err := s.overtaken(ctx, r); err != nil || moved.Outcome() != release.NoOutcome {
				return release.Facts{}, moved, err
			}
		}
		if run := s.scheduler.Breaking(r.Service, r.Env()); run != "" {
			return release.Facts{}, release.Wait("experiment "+run+" gives way: its fault is being reverted", time.Second), nil
		}
		if wait, err := s.between(ctx, r); err != nil || wait.Outcome() != release.Passed {
			return release.Facts{}, wait, err
		}
		return s.rollout.Sync(ctx, key, r)
	case release.StepHealth:
		return s.rollout.Health(ctx, key, r)
	case release.StepSLO:
		return s.sloGate.Check(ctx, key, r)
	}
	return release.Facts{}, release.Verdict{}, fmt.Errorf("deploy %s: no step %q", r.ID, r.Step)
}

// between asks whether the next wave may begin.
func (s *server) between(ctx context.Context, r release.Release) (release.Verdict, error) {
	if !policies.Begins(r) {
		return release.Pass(), nil
	}
	env, err := s.world.Must(r.Env())
	if err != nil {
		return release.Verdict{}, err
	}
	slot, err := s.book.Slot(ctx, r.Service, r.Env())
	if err != nil {
		return release.Verdict{}, err
	}
	return s.approving.Proceed(r, env, slot)
}

// overtaken keeps a person's push from being deployed when the branch says something else
// by now: clusters would run what git does not have. The zero verdict says that it is not.
func (s *server) overtaken(ctx context.Context, r release.Release) (release.Verdict, error) {
	env, err := s.world.Must(r.Env())
	if err != nil {
		return release.Verdict{}, err
	}
	head, err := s.desired.Head(ctx, env.Spec.DesiredState)
	if err != nil || head == r.Commit {
		return release.Verdict{}, err
	}
	now, err := s.desired.Read(ctx, env.Spec.DesiredState, r.Service, head)
	if _, unreadable := errors.AsType[desired.Unreadable](err); err != nil && !unreadable {
		return release.Verdict{}, err
	}
	if now.Rendered.Digest == r.Now().Manifests {
		return release.Verdict{}, nil
	}
	return release.Inconclusive(fmt.Sprintf("%s has other content for %s by now, at %s", r.Ref, r.Service, head.Short()),
		"push the wanted content once more, on top of the branch"), nil
}

// rollBack reverts every fault of the release, then returns the environment.
func (s *server) rollBack(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	if r.Origin == release.FromDesiredState && len(r.Now().Waves) == 0 {
		return s.undoPush(ctx, key, r)
	}
	if at := trial.Clusters(r.Now().Trial); len(at) > 0 {
		if err := s.trial.RevertAll(ctx, r.ID, at...); err != nil {
			return release.Facts{}, release.Verdict{}, err
		}
	}
	return s.rollout.Return(ctx, key, r)
}

// undoPush returns a branch to what it had before a person's push that was refused
// before any cluster saw it.
func (s *server) undoPush(ctx context.Context, key string, r release.Release) (release.Facts, release.Verdict, error) {
	env, err := s.world.Must(r.Env())
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	slot, err := s.book.Slot(ctx, r.Service, r.Env())
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	before, err := s.before(ctx, r, slot)
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	commit, err := s.desired.Revert(ctx, env.Spec.DesiredState, r.Service, before, r.Reason, key)
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	return release.Facts{Return: commit}, release.Pass().Because("the branch is as it was before the push"), nil
}

// before is the commit that held what a person's push replaced: what the slot says, or
// the push's parent where nothing was ever verified; none when the push began the branch.
func (s *server) before(ctx context.Context, r release.Release, slot release.Slot) (release.Commit, error) {
	if slot.Current != nil {
		return slot.Current.Desired, nil
	}
	info, err := s.repos.Info(ctx, s.settings.RepoURL(r.Repo), r.Ref, r.Commit)
	if err != nil || len(info.Parents) == 0 {
		return "", err
	}
	return info.Parents[0], nil
}

// verifyImage lets the policies ask what is attached to an image.
func (s *server) verifyImage(ctx context.Context, ref string, want policies.Expect) (policies.ImageReport, error) {
	expect := signing.Expect{Builder: s.builderID(), Source: want.Source, Commit: want.Commit, Service: want.Service}
	for _, p := range want.Platforms {
		expect.Platforms = append(expect.Platforms, p.Name)
	}
	report, err := s.verifier.Verify(ctx, ref, expect)
	if err != nil {
		return policies.ImageReport{}, err
	}
	out := policies.ImageReport{Repository: report.Repository, Digest: report.Digest, Platforms: report.Platforms, Problems: report.Refusals()}
	types := map[string]string{"signature": policies.PredicateSignature, "sbom": policies.PredicateSBOM, "provenance": policies.PredicateProvenance}
	for _, c := range report.Checks {
		if t := types[c.Name]; t != "" && c.OK {
			out.Attached = append(out.Attached, policies.Attested{PredicateType: t, Subject: c.Subject, Key: c.Key})
		}
	}
	return out, nil
}
