package consents

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/chaos/consent"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/runs"
)

// Desk lets people agree to experiments.
type Desk struct {
	Votes Votes
	Terms func(ctx context.Context, name string, env release.Env, service release.Service, trigger string) (schedule.Terms, error)
}

// Approvals is what was said about an experiment as it is now.
func (d Desk) Approvals(ctx context.Context, q runs.Question, scheduled bool) (runs.Approvals, error) {
	t, err := d.terms(ctx, q, scheduled)
	if err != nil {
		return runs.Approvals{}, err
	}
	return d.read(ctx, t)
}

func (d Desk) terms(ctx context.Context, q runs.Question, scheduled bool) (schedule.Terms, error) {
	trigger := consent.ByPerson
	if scheduled {
		trigger = consent.BySchedule
	}
	t, err := d.Terms(ctx, q.Name, q.Env, q.Service, trigger)
	if errors.Is(err, schedule.ErrUnknownExperiment) || errors.Is(err, schedule.ErrUnknownPlace) {
		err = fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	if err != nil {
		return t, err
	}
	if s := t.Content.Spec.Schedule; scheduled && (s == nil || !slices.Contains(s.Environments, q.Env)) {
		return t, hint.Add(fmt.Errorf("experiment %s has no schedule in %s: %w", q.Name, q.Env, web.ErrRefused), "leave --schedule out for one run by hand")
	}
	return t, nil
}

func (d Desk) read(ctx context.Context, t schedule.Terms) (runs.Approvals, error) {
	c := t.Content
	votes, err := d.Votes.Given(ctx, c.Experiment, c.Env)
	if err != nil {
		return runs.Approvals{}, err
	}
	ask, now := consent.Ask{Content: c}, d.Votes.Now()
	out := runs.Approvals{Experiment: c.Experiment, Env: c.Env, Service: c.Service, Schedule: c.Trigger == consent.BySchedule, Required: t.Rule.Required,
		Groups: append([]string{}, t.Rule.Groups...), ValidFor: consent.ValidFor(t.Rule).String(), Digest: c.Digest(), Spec: c.Spec, Said: []runs.Said{}}
	out.Verdict, _ = consent.Decide(t.Rule, votes, ask, now)
	for _, j := range consent.Judge(t.Rule, votes, ask, now) {
		out.Said = append(out.Said, runs.Said{By: j.By, At: j.At, Until: j.Until, State: string(j.State), Reason: j.Reason, Run: j.Run})
	}
	return out, nil
}

// Approve keeps that a person agrees, unless that could never count.
func (d Desk) Approve(ctx context.Context, w runs.Word) (runs.Approvals, error) {
	out, err := d.say(ctx, w, consent.Approve)
	if err != nil {
		err = fmt.Errorf("approve experiment %s in %s: %w", w.Name, w.Env, err)
	}
	return out, err
}

// Withdraw keeps that a person does not agree any more.
func (d Desk) Withdraw(ctx context.Context, w runs.Word) (runs.Approvals, error) {
	out, err := d.say(ctx, w, consent.Withdraw)
	if err != nil {
		err = fmt.Errorf("withdraw from experiment %s in %s: %w", w.Name, w.Env, err)
	}
	return out, err
}

func (d Desk) say(ctx context.Context, w runs.Word, decision consent.Decision) (runs.Approvals, error) {
	t, err := d.terms(ctx, w.Question, w.Schedule)
	if err != nil {
		return runs.Approvals{}, err
	}
	groups, err := d.Votes.Groups(ctx, w.By)
	if err != nil {
		return runs.Approvals{}, err
	}
	if err := mayCount(w, t, groups, decision); err != nil {
		return runs.Approvals{}, err
	}
	c := t.Content
	vote := consent.Vote{Experiment: c.Experiment, Env: c.Env, Service: c.Service, Trigger: c.Trigger, By: w.By, Groups: groups,
		Digest: c.Digest(), At: d.Votes.Now().UTC(), Decision: decision, Reason: w.Reason}
	if err := d.Votes.Add(ctx, vote); errors.Is(err, release.ErrStale) { // said twice in one moment
		return runs.Approvals{}, fmt.Errorf("%w: %w", web.ErrStale, err)
	} else if err != nil {
		return runs.Approvals{}, err
	}
	return d.read(ctx, t)
}

// mayCount refuses what could never count, whoever starts the run.
func mayCount(w runs.Word, t schedule.Terms, groups []string, decision consent.Decision) error {
	refuse := func(next, format string, args ...any) error {
		return hint.Add(fmt.Errorf("%w: "+format, append([]any{web.ErrRefused}, args...)...), next)
	}
	switch {
	case strings.HasPrefix(w.By, consent.Robot) || len(groups) == 0:
		return refuse("sign in as yourself: on the console's page of experiments, or with --user NAME", "%s is no person", w.By)
	case decision == consent.Withdraw:
		return nil
	case t.Rule.Required <= 0:
		return refuse("run it: nobody has to agree", "%s asks for no approvals", w.Env)
	case !consent.Member(t.Rule, groups):
		return refuse("ask somebody of those groups", "%s is in none of %s", w.By, strings.Join(t.Rule.Groups, ", "))
	case w.Digest != "" && w.Digest != t.Content.Digest():
		return hint.Add(fmt.Errorf("the experiment is not what was shown: %w", web.ErrStale), "look at it again, then approve what it is now")
	}
	return nil
}
