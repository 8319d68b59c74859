package chaos

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/release"
)

// Aims is what an experiment would hit now: the dry run is this and nothing more.
type Aims struct {
	Pods    []Pod // that the selector matches
	Targets []Pod // of them, those that would be hit; none when all of them share what breaks
	Fault   release.FaultRecord
}

// Aim asks the cluster what an experiment would hit, within its limits. *Exceeds: not
// within the limits now. *CannotInject: never as things are.
func (e *Engine) Aim(ctx context.Context, s Subject) (Aims, error) {
	f := s.Experiment.Spec.Fault
	if err := Check(s.Experiment.Spec, s.Namespaces); err != nil {
		return Aims{}, &Exceeds{Reason: err.Error(), Final: true}
	}
	labels, err := e.Finder.Namespace(ctx, s.Cluster, f.Namespace)
	if err != nil {
		return Aims{}, err
	}
	if err := Consents(f.Namespace, labels, s.OptIn); err != nil {
		return Aims{}, err
	}
	pods, err := e.Finder.Pods(ctx, s.Cluster, f.Namespace, f.Selector.MatchLabels)
	if err != nil {
		return Aims{}, err
	}
	name := e.name(s.Experiment.Meta.Name)
	targets, err := Choose(s.Experiment.Spec, pods, name)
	a := Aims{Pods: pods, Targets: targets, Fault: *planned(s, name, targets)}
	if err != nil {
		return a, err
	}
	if p, ok := e.Provider.(Preparer); ok {
		a.Fault, err = p.Prepare(ctx, Order{Fault: a.Fault, Container: f.Container, Duration: f.Duration.Std(), Release: s.Release})
	}
	return a, err
}

// admitted asks whether anything may be broken now; nil when it may. A release waits until
// it may, a run that nobody waits for ends.
func (e *Engine) admitted(ctx context.Context, s Subject) (*release.Verdict, error) {
	if e.Admit == nil {
		return nil, nil
	}
	v, err := e.Admit(ctx, s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask whether anything may be broken: %w", err)
	case v.Outcome() == release.Passed:
		return nil, nil
	case v.Outcome() == release.Waiting && s.Release == "":
		v = release.Inconclusive(v.Reason(), "run it again then")
	}
	return &v, nil
}

// plan chooses the targets, and notes what is about to be broken as it is.
func (e *Engine) plan(ctx context.Context, s Subject, t release.Trial) (release.Trial, release.Verdict, error) {
	f, now := s.Experiment.Spec.Fault, e.Now()
	a, err := e.Aim(ctx, s)
	if x, ok := errors.AsType[*Exceeds](err); ok {
		if x.Final || now.Sub(t.Since) > readyLimit+s.Observe {
			return e.end(t, s, evidence.Limits, x.Reason)
		}
		return t, release.Wait(x.Reason, waitForLimits), nil
	}
	if c, ok := errors.AsType[*CannotInject](err); ok {
		return e.end(t, s, evidence.Injected, c.Cause)
	}
	if err != nil {
		return t, release.Verdict{}, err
	}
	t.Fault = &a.Fault
	t = note(t, s.Experiment.Meta.Name, evidence.Targets, describe(a.Pods, a.Targets, f))
	return move(t, stepPlanned, now), release.Wait(fmt.Sprintf("%s %s is about to hit %s", f.Kind, f.Action, strings.Join(t.Fault.Targets, ", ")), 0), nil
}

func planned(s Subject, name string, targets []Pod) *release.FaultRecord {
	f := s.Experiment.Spec.Fault
	record := &release.FaultRecord{
		Experiment: s.Experiment.Meta.Name, Kind: f.Kind, Action: f.Action, With: maps.Clone(f.With), Name: name, Namespace: f.Namespace, Cluster: s.Cluster,
	}
	for _, p := range targets {
		record.Targets = append(record.Targets, p.ID())
	}
	return record
}
