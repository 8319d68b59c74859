package views

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/drift"
)

// Detailed asks a cluster about one object of what a service is to have there.
func Detailed(want func(ctx context.Context, s release.Slot, cluster string, to release.Commit) (live.Want, error), ask func(context.Context, string, live.Want, details.Ref) (details.Details, error)) func(context.Context, release.Slot, string, release.Commit, details.Ref) (details.Details, error) {
	return func(ctx context.Context, s release.Slot, cluster string, to release.Commit, at details.Ref) (details.Details, error) {
		return Wanted(want, func(ctx context.Context, cluster string, w live.Want) (details.Details, error) {
			return ask(ctx, cluster, w, at)
		})(ctx, s, cluster, to)
	}
}

// Object is what explains the state of one object of a service's tree. Why a cluster could not
// be asked is part of the answer.
func (v Fleet) Object(ctx context.Context, q drift.ObjectQuestion) (drift.Object, error) {
	slot, revision, err := v.on(ctx, q.Spot)
	if err != nil {
		return drift.Object{}, err
	}
	d, err := v.Detail(ctx, slot, q.Cluster, revision, details.Ref{Group: q.Group, Kind: q.Kind, Namespace: q.Namespace, Name: q.Name})
	if err != nil {
		d = details.Details{Problem: err.Error(), Hint: hint.Of(err)}
	}
	if d.Missing {
		return drift.Object{}, hint.Add(fmt.Errorf("%s/%s is not among the objects of %s on cluster %s: %w", q.Kind, q.Name, q.Service, q.Cluster, web.ErrNotFound),
			"see what is there: seatrial tree "+string(q.Service)+" --env "+string(q.Env)+" --cluster "+q.Cluster)
	}
	return explained(d), nil
}

func explained(d details.Details) drift.Object {
	out := drift.Object{Phase: d.Phase, Reason: d.Reason, Message: d.Message, Deleting: when(d.Deleting), Finalizers: d.Finalizers,
		Conditions: []drift.ObjectCondition{}, Events: []drift.ObjectEvent{}, Left: d.Left, Problem: d.Problem, Hint: d.Hint}
	for _, c := range d.Conditions {
		out.Conditions = append(out.Conditions, drift.ObjectCondition{Type: c.Type, Status: c.Status, Reason: c.Reason, Message: c.Message, Since: when(c.Since)})
	}
	for _, c := range d.Containers {
		one := drift.ObjectContainer{Role: string(c.Role), Name: c.Name, State: c.State, Reason: c.Reason, Message: c.Message,
			Exit: c.Exit, Since: when(c.Since), Ready: c.Ready, Restarts: c.Restarts}
		if l := c.Last; l != nil {
			one.Last = &drift.ObjectEnding{Exit: l.Exit, Signal: l.Signal, Reason: l.Reason, Message: l.Message, At: when(l.At)}
		}
		out.Containers = append(out.Containers, one)
	}
	for _, e := range d.Events {
		out.Events = append(out.Events, drift.ObjectEvent{Type: e.Type, Reason: e.Reason, Message: e.Message, From: e.From, Count: e.Count, First: when(e.First), Last: when(e.Last)})
	}
	return out
}

// when leaves out a time that nobody knows.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
