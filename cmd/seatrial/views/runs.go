package views

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/runs"
)

// Experiments reads and starts experiments.
type Experiments struct {
	Scheduler *schedule.Scheduler
	History   schedule.Runs
}

// Experiments lists every experiment with its schedule and its last runs.
func (v Experiments) Experiments(ctx context.Context) ([]web.Experiment, error) {
	items, err := v.Scheduler.Items(ctx)
	out := make([]web.Experiment, 0, len(items))
	for _, i := range items {
		e := web.Experiment{Name: i.Name, Spec: i.Spec, Next: i.Next, Last: runsOf(i.Last)}
		if i.Running != nil {
			now := run(*i.Running)
			e.Running = &now
		}
		out = append(out, e)
	}
	if err != nil {
		err = as{err, web.ErrRefused}
	}
	return out, err
}

// Runs returns a page of runs, newest first.
func (v Experiments) Runs(ctx context.Context, f web.RunFilter) (web.RunPage, error) {
	list, err := v.History.List(ctx, f.Name, f.After, f.Limit)
	page := web.RunPage{Items: runsOf(list)}
	if len(list) == f.Limit && f.Limit > 0 {
		page.Next = list[len(list)-1].ID
	}
	return page, known(err)
}

// Start runs an experiment once.
func (v Experiments) Start(ctx context.Context, s web.Start) (web.Run, error) {
	r, err := v.Scheduler.Start(ctx, s.Experiment, s.Env, s.Service, s.By)
	switch {
	case errors.Is(err, schedule.ErrUnknownExperiment):
		err = as{err, web.ErrNotFound}
	case errors.Is(err, schedule.ErrBusy), isUnapproved(err):
		err = as{err, web.ErrRefused}
	}
	return run(r), err
}

func isUnapproved(err error) bool {
	_, ok := errors.AsType[*schedule.Unapproved](err)
	return ok
}

// Plan says what a run would hit now.
func (v Experiments) Plan(ctx context.Context, q runs.Question, by string) (runs.Plan, error) {
	p, err := v.Scheduler.Plan(ctx, q.Name, q.Env, q.Service, by)
	if errors.Is(err, schedule.ErrUnknownExperiment) {
		err = as{err, web.ErrNotFound}
	}
	out := runs.Plan{Experiment: q.Name, Cluster: p.Place.Cluster, Matching: []string{}, Targets: append([]string{}, p.Aims.Fault.Targets...), Refused: p.Why, Code: p.Code, Hint: p.Hint}
	for _, pod := range p.Aims.Pods {
		out.Matching = append(out.Matching, pod.ID())
	}
	return out, err
}

// Abort reverts the fault and ends the run.
func (v Experiments) Abort(ctx context.Context, id, by, reason string) (web.Run, error) {
	r, err := v.Scheduler.Abort(ctx, id, fmt.Sprintf("aborted by %s: %s", by, reason))
	if errors.Is(err, schedule.ErrUnknownRun) {
		err = as{err, web.ErrNotFound}
	}
	return run(r), err
}

func decodeRun(e store.Entry) (web.Run, error) {
	var r schedule.Run
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return web.Run{}, fmt.Errorf("read %s: %w", e.Key, err)
	}
	return run(r), nil
}

func runsOf(list []schedule.Run) []web.Run {
	out := make([]web.Run, 0, len(list))
	for _, r := range list {
		out = append(out, run(r))
	}
	return out
}

func run(r schedule.Run) web.Run {
	return web.Run{ID: r.ID, Experiment: r.Experiment, Service: r.Service, Env: r.Env, Cluster: r.Cluster, Trigger: r.Trigger, By: r.By,
		State: r.State, Scheduled: r.Scheduled, Started: r.Started, Ended: r.Ended, Fault: r.Fault, Verdict: r.Verdict, Message: r.Message}
}
