package reports

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/report"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

// week is what a weekly summary counts.
const week = 7 * 24 * time.Hour

// Weekly tells every project what its experiments of the last seven days have shown.
type Weekly struct {
	When     *schedule.Schedule // nil: never
	Runs     Runs
	Platform func(context.Context) (chaos.Platform, error)
	Project  func(release.Service) string // that a service belongs to; empty: none
	Tell     func(ctx context.Context, events ...release.Event) error
	Notes    Notes
	Now      func() time.Time
	Every    time.Duration // how often the time is looked at; default a minute
	Log      *slog.Logger
}

// Notes remembers one document in the store; store.Book does.
type Notes interface {
	Get(ctx context.Context, key string, doc any) (release.Revision, error)
	Put(ctx context.Context, key string, doc any, version release.Revision) (release.Revision, error)
}

// noteKey holds the last time that was told.
const noteKey = "summary/told"

type told struct {
	At time.Time `json:"at"`
}

// Run tells when it is time, until ctx ends. Of the times that were missed the latest is
// made up for.
func (w Weekly) Run(ctx context.Context) error {
	if w.When == nil {
		return nil
	}
	every := w.Every
	if every == 0 {
		every = time.Minute
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := ""
	for {
		text := ""
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			text = err.Error()
		}
		if text != "" && text != failing {
			w.Log.Warn("weekly summary", "error", text)
		}
		failing = text
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// look tells first and notes it then: an event that comes twice has the same ID and is
// delivered once, one that never comes would be lost.
func (w Weekly) look(ctx context.Context) error {
	var last told
	version, err := w.Notes.Get(ctx, noteKey, &last)
	if err != nil && !errors.Is(err, release.ErrNotFound) {
		return err
	}
	if version == 0 { // the first start of all: what was before is nobody's week
		_, err = w.Notes.Put(ctx, noteKey, told{w.Now().UTC()}, 0)
		return err
	}
	due := w.When.Due(last.At, w.Now())
	if due.IsZero() {
		return nil
	}
	events, err := w.events(ctx, due.UTC())
	if err != nil {
		return err
	}
	if err := w.Tell(ctx, events...); err != nil {
		return err
	}
	_, err = w.Notes.Put(ctx, noteKey, told{due.UTC()}, version)
	return err
}

// events are one for each project that has experiments or had runs: a schedule that died
// without a word is seen by the runs that are missing.
func (w Weekly) events(ctx context.Context, due time.Time) ([]release.Event, error) {
	p, err := w.Platform(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the platform: %w", err)
	}
	from := due.Add(-week)
	runs, err := ended(ctx, w.Runs, from)
	if err != nil {
		return nil, err
	}
	var projects []string
	add := func(s release.Service) {
		if name := w.Project(s); name != "" && !slices.Contains(projects, name) {
			projects = append(projects, name)
		}
	}
	for _, x := range p.Experiments {
		if x.Spec.Schedule != nil {
			add(x.Spec.Service)
		}
	}
	for _, r := range runs {
		add(r.Service)
	}
	slices.Sort(projects)
	var out []release.Event
	for _, name := range projects {
		s := report.Summarise(runs, from, due, func(service release.Service) bool { return w.Project(service) == name })
		out = append(out, release.Event{
			ID: "experiment-summary/" + name + "/" + due.Format("20060102T150405Z"), Kind: release.EventSummary, At: w.Now().UTC(), Project: name,
			Subject: fmt.Sprintf("%s, 7 days to %s: %s", name, due.Format(time.DateOnly), s.Line(report.English)), Reason: s.Services(),
			Hint: "each experiment: seatrial trial summary --since 7d",
		})
	}
	return out, nil
}
