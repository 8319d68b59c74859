package schedule

import (
	"context"
	"errors"
	"fmt"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/consent"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Plan is a run that is only thought through: where it would be, and what it would hit.
type Plan struct {
	Place Place
	Aims  chaos.Aims
	Why   string // it would not be run now; what it would hit is known all the same, unless that is why
	Code  string // of Why in one word, where it has one
	Hint  string // what to do about Why, where that is known
}

// Plan asks the cluster what a run would hit now, and breaks nothing. The targets of a
// real run are chosen anew. by is who would start it.
func (s *Scheduler) Plan(ctx context.Context, name string, env release.Env, service release.Service, by string) (Plan, error) {
	p, run, err := s.wanted(ctx, name, env, service)
	if err != nil {
		return Plan{}, err
	}
	var out Plan
	if out.Place, out.Why, err = s.place(ctx, p, run); err != nil || out.Place.Cluster == "" {
		return out, err
	}
	run.Cluster, run.Trigger, run.By = out.Place.Cluster, consent.ByPerson, by
	v, _, err := s.agreed(ctx, s.terms(p, run, out.Place.Project), run, false, s.Engine.Now())
	if err != nil {
		return out, err
	}
	if v.Outcome() != release.Passed {
		out.Why, out.Code, out.Hint = v.Reason(), v.Code(), v.Hint()
	}
	subject, _, err := s.subject(ctx, run)
	if err != nil {
		return out, err
	}
	out.Aims, err = s.Engine.Aim(ctx, subject)
	if why := chaos.Stopped(s.StopFile); why != "" {
		out.Why, out.Code, out.Hint = why, "", ""
	}
	if x, ok := errors.AsType[*chaos.Exceeds](err); ok {
		out.Why, out.Code, out.Hint, err = x.Reason, "", "", nil
	}
	if c, ok := errors.AsType[*chaos.CannotInject](err); ok {
		out.Why, out.Code, out.Hint, err = c.Error(), "", "", nil
	}
	return out, err
}

// wanted is the run that somebody asks for.
func (s *Scheduler) wanted(ctx context.Context, name string, env release.Env, service release.Service) (chaos.Platform, Run, error) {
	p, err := s.Platform(ctx)
	if err != nil {
		return p, Run{}, fmt.Errorf("read the platform: %w", err)
	}
	x, ok := p.Experiments[name]
	if !ok {
		return p, Run{}, fmt.Errorf("run experiment %q: %w", name, ErrUnknownExperiment)
	}
	if service == "" {
		service = x.Spec.Service
	}
	if service == "" {
		return p, Run{}, hint.Add(fmt.Errorf("run experiment %s: it names no service", name), "say which service it is to be run against")
	}
	return p, Run{Experiment: name, Service: service, Env: env}, nil
}
