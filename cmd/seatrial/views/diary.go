package views

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/faults"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/calendar"
)

const (
	mostTimes   = 100 // of one schedule in a calendar
	mostEntries = 1000
)

// Diary reads when things are broken on purpose.
type Diary struct {
	Platform func(context.Context) (chaos.Platform, error)
	Runs     shelf.Runs
	Stopped  func(context.Context) string
	Now      func() time.Time
}

// Run is one run of an experiment.
func (v Diary) Run(ctx context.Context, id string) (web.Run, error) {
	r, err := v.Runs.Run(ctx, id)
	return run(r), known(hint.Add(err, "list them: GET /api/v1/experiments/runs"))
}

// Calendar is what happens, happened and may not happen between two moments.
func (v Diary) Calendar(ctx context.Context, q calendar.Question) (calendar.Calendar, error) {
	p, err := v.Platform(ctx)
	if err != nil {
		return calendar.Calendar{}, fmt.Errorf("read the platform: %w", err)
	}
	c := calendar.Calendar{From: q.From, To: q.To, Planned: []calendar.Planned{}, Often: []calendar.Often{}, Closed: []calendar.Span{}, Open: []calendar.Span{},
		Runs: []calendar.Entry{}, Stopped: v.Stopped(ctx)}
	for _, env := range p.Environments {
		if err := spans(&c, env); err != nil {
			return c, err
		}
	}
	if err := v.plan(ctx, &c, p); err != nil {
		return c, err
	}
	runs, more, err := v.Runs.Between(ctx, q.From, q.To, mostEntries)
	c.LeftOff = more
	for _, r := range slices.Backward(runs) {
		c.Runs = append(c.Runs, entry(r))
	}
	return c, err
}

func entry(r schedule.Run) calendar.Entry {
	e := calendar.Entry{ID: r.ID, Experiment: r.Experiment, Service: r.Service, Env: r.Env, Cluster: r.Cluster, Trigger: r.Trigger, State: r.State,
		Started: r.Started, Ended: r.Ended, Reason: r.Message}
	if r.Verdict != nil && r.Verdict.Reason() != "" {
		e.Reason = r.Verdict.Reason()
	}
	return e
}

// plan adds the times of every schedule from now on.
func (v Diary) plan(ctx context.Context, c *calendar.Calendar, p chaos.Platform) error {
	rules := map[release.Env]release.ChaosRules{}
	for _, e := range p.Environments {
		rules[release.Env(e.Meta.Name)] = e.Spec.Chaos
	}
	from := c.From.Add(-time.Nanosecond)
	if now := v.Now(); now.After(from) {
		from = now
	}
	for _, name := range slices.Sorted(maps.Keys(p.Experiments)) {
		x := p.Experiments[name].Spec
		if x.Schedule == nil {
			continue
		}
		s, err := schedule.ParseSchedule(*x.Schedule)
		if err != nil {
			return fmt.Errorf("experiment %s: %w", name, err)
		}
		for _, env := range x.Schedule.Environments {
			begin, err := v.counted(ctx, name, env, *x.Schedule, s, from)
			if err != nil {
				return err
			}
			times, all := Times(s.For(name, env), begin, c.To)
			zone := zoneOf(*x.Schedule)
			if !all {
				c.Often = append(c.Often, calendar.Often{Experiment: name, Service: x.Service, Env: env, Cron: x.Schedule.Cron, TimeZone: zone.String()})
				continue
			}
			for _, at := range times {
				verdict, err := faults.Admitted(rules[env], at)
				if err != nil {
					return fmt.Errorf("environment %s: %w", env, err)
				}
				c.Planned = append(c.Planned, calendar.Planned{At: at.In(zone), TimeZone: zone.String(), Experiment: name, Service: x.Service, Env: env, Closed: verdict.Reason()})
			}
		}
	}
	slices.SortStableFunc(c.Planned, func(a, b calendar.Planned) int { return a.At.Compare(b.At) })
	return nil
}

// counted is from where the times of a schedule are counted: "@every" goes by the run before.
func (v Diary) counted(ctx context.Context, name string, env release.Env, spec release.ScheduleSpec, s schedule.Schedule, from time.Time) (time.Time, error) {
	if !strings.HasPrefix(spec.Cron, "@every") {
		return from, nil
	}
	runs, err := v.Runs.List(ctx, name, "", 100)
	if err != nil {
		return from, err
	}
	for _, r := range runs {
		if r.Env != env || r.Scheduled.IsZero() {
			continue
		}
		if due := s.For(name, env).Due(r.Scheduled, from); !due.IsZero() {
			return due, nil
		}
		return r.Scheduled, nil
	}
	return from, nil
}

func zoneOf(spec release.ScheduleSpec) *time.Location {
	if zone, err := time.LoadLocation(spec.TimeZone); err == nil { // ParseSchedule has read it
		return zone
	}
	return time.UTC
}

// Times are those of a schedule after from and before to; not all when there are more than
// a calendar lists.
func Times(s schedule.Schedule, from, to time.Time) (times []time.Time, all bool) {
	for at := s.Next(from, from); !at.IsZero() && at.Before(to); at = s.Next(at, at) {
		if len(times) == mostTimes {
			return nil, false
		}
		times = append(times, at)
	}
	return times, true
}

// spans adds when an environment's rules let nothing be broken, and its windows.
func spans(c *calendar.Calendar, env release.Environment) error {
	name, rules := release.Env(env.Meta.Name), env.Spec.Chaos
	for _, f := range rules.Freezes {
		if f.From.Before(c.To) && f.Until.After(c.From) {
			c.Closed = append(c.Closed, calendar.Span{Env: name, From: f.From, To: f.Until, Reason: f.Reason})
		}
	}
	if len(rules.Windows) == 0 {
		return nil
	}
	for at := c.From; at.Before(c.To); {
		open, next, err := policies.Open(rules.Windows, at)
		if err != nil {
			return fmt.Errorf("environment %s: %w", name, err)
		}
		if next.IsZero() { // it does not close within a week
			next = at.AddDate(0, 0, 7)
		}
		if next.After(c.To) {
			next = c.To
		}
		if last := len(c.Open) - 1; open && last >= 0 && c.Open[last].Env == name && c.Open[last].To.Equal(at) {
			c.Open[last].To = next
		} else if open {
			c.Open = append(c.Open, calendar.Span{Env: name, From: at, To: next})
		}
		at = next
	}
	return nil
}
