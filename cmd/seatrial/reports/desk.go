// Package reports makes reports of what the server keeps, for the API, for the command line
// and, once a week, for those who are told.
//
// Start at Desk; Weekly tells by itself, New is the command. It never judges: package
// chaos/report writes down what was recorded.
package reports

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/seatrial/seatrial/chaos/evidence"
	"github.com/seatrial/seatrial/chaos/report"
	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/reports"
)

// Runs is the history of runs.
type Runs interface {
	List(ctx context.Context, experiment, after string, limit int) ([]schedule.Run, error)
	Run(ctx context.Context, id string) (schedule.Run, error)
}

// Desk makes reports for the API.
type Desk struct {
	Release func(ctx context.Context, id release.ID) (release.Release, error)
	Runs    Runs
	Now     func() time.Time
}

// Trial is of a release's trial.
func (d Desk) Trial(ctx context.Context, id release.ID, env release.Env, form reports.Form) (reports.Document, error) {
	r, err := d.Release(ctx, id)
	if err != nil {
		return reports.Document{}, known(err)
	}
	page, err := report.OfTrial(r, env, slo.Rejudge)
	if err != nil {
		return reports.Document{}, known(err)
	}
	return document(page, form)
}

// Run is of a run outside of releases.
func (d Desk) Run(ctx context.Context, id string, form reports.Form) (reports.Document, error) {
	r, err := d.Runs.Run(ctx, id)
	if err != nil {
		return reports.Document{}, known(fmt.Errorf("run %s: %w", id, err))
	}
	return document(report.OfRun(r, slo.Rejudge), form)
}

// Summary counts the runs that ended since then.
func (d Desk) Summary(ctx context.Context, since time.Duration, form reports.Form) (reports.Document, error) {
	to := d.Now()
	runs, err := ended(ctx, d.Runs, to.Add(-since))
	if err != nil {
		return reports.Document{}, err
	}
	return document(report.Summarise(runs, to.Add(-since), to, nil), form)
}

func known(err error) error {
	if errors.Is(err, release.ErrNotFound) || errors.Is(err, store.ErrNotFound) || errors.Is(err, report.ErrNone) {
		return missing{err}
	}
	return err
}

// missing is an error in its own words that is web.ErrNotFound.
type missing struct{ error }

func (missing) Unwrap() error { return web.ErrNotFound }

func document(page interface {
	Write(w io.Writer, format string, in report.Language) error
}, form reports.Form) (reports.Document, error) {
	var b bytes.Buffer
	err := page.Write(&b, form.Format, report.LanguageOf(form.Language))
	d := reports.Document{Body: b.Bytes()}
	if form.Format == report.HTML {
		d.Style = report.StyleHash()
	}
	return d, err
}

const (
	pageSize = 200
	slack    = 7 * 24 * time.Hour // a run that a server left unfinished may end as much later
)

// ended are the runs that ended after a time, with no more than is counted of each.
func ended(ctx context.Context, runs Runs, from time.Time) ([]schedule.Run, error) {
	var out []schedule.Run
	for after := ""; ; {
		page, err := runs.List(ctx, "", after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		for _, r := range page {
			if r.Ended.After(from) {
				out = append(out, slim(r))
			}
		}
		if len(page) < pageSize || page[len(page)-1].Started.Before(from.Add(-slack)) {
			return out, nil
		}
		after = page[len(page)-1].ID
	}
}

func slim(r schedule.Run) schedule.Run {
	r.Fault, r.Verdict = nil, nil
	if r.Trial == nil {
		return r
	}
	var t release.Trial
	for _, ev := range r.Trial.Evidence {
		facts := map[string]string{}
		for _, k := range []string{evidence.FactExperiment, evidence.FactAttempt, evidence.FactAbout} {
			facts[k] = ev.Facts[k]
		}
		t.Evidence = append(t.Evidence, release.Evidence{Holds: ev.Holds, Measured: ev.Measured, Facts: facts})
	}
	r.Trial = &t
	return r
}
