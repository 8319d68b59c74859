package schedule

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/consent"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Votes keeps what people said about experiments.
type Votes interface {
	// Given lists what was said about an experiment in an environment, with the groups that
	// people had then and still have.
	Given(ctx context.Context, experiment string, env release.Env) ([]consent.Vote, error)
	// Names are all names of whoever starts a run: of a token also who made it, by however many tokens.
	Names(ctx context.Context, by string) ([]string, error)
	// Use marks approvals as used by a run, all or none: release.ErrStale when one has
	// changed since it was read.
	Use(ctx context.Context, votes []consent.Vote, run string) error
}

// Unapproved is why a run may not begin: too few people have agreed.
type Unapproved struct{ Verdict release.Verdict }

// Error is the reason.
func (u *Unapproved) Error() string { return u.Verdict.Reason() }

// Code is the reason in one word.
func (u *Unapproved) Code() string { return u.Verdict.Code() }

// Hint is what to do about it.
func (u *Unapproved) Hint() string { return u.Verdict.Hint() }

// Terms is what people would agree to, and how many have to.
type Terms struct {
	Content consent.Content
	Rule    release.Consent
}

// Terms says what an approval of an experiment would be bound to now. trigger is what
// starts it: consent.BySchedule or consent.ByPerson.
func (s *Scheduler) Terms(ctx context.Context, name string, env release.Env, service release.Service, trigger string) (Terms, error) {
	p, run, err := s.wanted(ctx, name, env, service)
	if err != nil {
		return Terms{}, err
	}
	run.Trigger = trigger
	places, err := s.Places(ctx)
	if err != nil {
		return Terms{}, fmt.Errorf("read where %s is: %w", run.Service, err)
	}
	for _, place := range places {
		if place.Service == run.Service && place.Env == env {
			return s.terms(p, run, place.Project), nil
		}
	}
	return Terms{}, hint.Add(fmt.Errorf("experiment %s: %s is not in %s: %w", name, run.Service, env, ErrUnknownPlace), "see where it is: seatrial status")
}

func (s *Scheduler) terms(p chaos.Platform, run Run, project string) Terms {
	x := chaos.Aim(p.Experiments[run.Experiment], run.Service, p.Projects[project].Spec.Namespaces)
	t := Terms{Content: consent.Content{Experiment: run.Experiment, Env: run.Env, Service: run.Service, Trigger: run.Trigger, Spec: x.Spec}}
	for _, env := range p.Environments {
		if env.Meta.Name == string(run.Env) {
			t.Rule = env.Spec.Chaos.Approvals
		}
	}
	return t
}

// agreed says whether enough people have agreed to a run that begins at a moment, and who.
// used: only the approvals that it has used count.
func (s *Scheduler) agreed(ctx context.Context, t Terms, run Run, used bool, now time.Time) (release.Verdict, []consent.Vote, error) {
	if t.Rule.Required <= 0 {
		return release.Pass(), nil, nil
	}
	if s.Votes == nil {
		return release.Refuse("approvals are not configured, so nothing may begin that needs some", "this is a mistake in the server's wiring: tell its operator").Coded(consent.Code), nil, nil
	}
	votes, err := s.Votes.Given(ctx, run.Experiment, run.Env)
	if err != nil {
		return release.Verdict{}, nil, fmt.Errorf("read approvals of %s: %w", run.Experiment, err)
	}
	ask := consent.Ask{Content: t.Content}
	switch {
	case run.Trigger != consent.ByPerson:
	case used:
		ask.Run = run.ID // whoever started it was looked up then
	default:
		if ask.Starters, err = s.Votes.Names(ctx, run.By); err != nil {
			return release.Verdict{}, nil, fmt.Errorf("read who %s is: %w", run.By, err)
		}
	}
	v, counted := consent.Decide(t.Rule, votes, ask, now)
	return v, counted, nil
}

// consented uses up approvals of a run by hand that is about to be saved; *Unapproved when
// there are too few. Of two runs that want the same approvals one gets them.
func (s *Scheduler) consented(ctx context.Context, p chaos.Platform, run Run, project string) error {
	for {
		v, votes, err := s.agreed(ctx, s.terms(p, run, project), run, false, run.Started)
		switch {
		case err != nil:
			return err
		case v.Outcome() != release.Passed:
			return &Unapproved{v}
		case len(votes) == 0:
			return nil
		}
		if err := s.Votes.Use(ctx, votes, run.ID); !errors.Is(err, release.ErrStale) {
			return err
		}
	}
}

// revoked is why a run that has broken nothing yet may not any more: the experiment, the
// rule or what people say is not what it began with. Empty: it still may.
func (s *Scheduler) revoked(ctx context.Context, p chaos.Platform, run Run, project string) (string, error) {
	if run.Trial != nil {
		if r := chaos.Progress(*run.Trial); r.State != Planned && !r.Ready {
			return "", nil // what is broken is put back without asking anybody
		}
	}
	v, _, err := s.agreed(ctx, s.terms(p, run, project), run, true, run.Started)
	if err != nil || v.Outcome() == release.Passed {
		return "", err
	}
	return v.Reason(), nil
}

// unapproved tells of a time of a schedule that lacks approvals, unless the time before it
// lacked the same. It is told before it is saved, and is the same event when that fails.
func (s *Scheduler) unapproved(ctx context.Context, run Run) error {
	runs, err := s.Runs.List(ctx, run.Experiment, "", 100)
	if err != nil {
		return fmt.Errorf("list runs of %s: %w", run.Experiment, err)
	}
	for _, before := range runs {
		if before.Env == run.Env && before.Trigger == consent.BySchedule && before.ID != run.ID {
			if before.Message == run.Message {
				return nil
			}
			break
		}
	}
	err = s.Announce(ctx, release.Event{
		ID: "experiment-unapproved/" + run.ID, Kind: release.EventUnapproved, At: run.Started, Service: run.Service, Env: run.Env, About: run.Experiment, Result: run.State,
		Subject: fmt.Sprintf("experiment %s on %s in %s is not run: it needs approvals", run.Experiment, run.Service, run.Env), Reason: run.Verdict.Reason(), Hint: run.Verdict.Hint(),
	})
	if err != nil {
		return fmt.Errorf("tell of run %s: %w", run.ID, err)
	}
	return nil
}
