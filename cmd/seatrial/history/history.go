// Package history deletes the records of experiments' runs that nobody needs any more.
//
// Start at Plan, which decides; Sweeper acts on it. It never deletes a run that has not
// ended, nor one that a report of the last days may still count.
package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/release"
)

// What is kept when nothing is said, and the least that can be: schedules look at the newest
// hundred runs of their experiment, and a report of a week may be made a week late.
const (
	keep      = 200
	olderThan = 90 * 24 * time.Hour
	leastKeep = 100
	leastAge  = 15 * 24 * time.Hour
)

const (
	first = time.Minute // after the start: what is under way goes on before
	every = time.Hour
)

// Rule says which runs are kept.
type Rule struct {
	Keep      int              `json:"keep,omitempty"`      // the newest of every experiment; default 200
	OlderThan release.Duration `json:"olderThan,omitempty"` // of the others those that ended later than so long ago; default 2160h
}

// Validate reports the first setting that cannot be meant.
func (r Rule) Validate() error {
	if r.Keep != 0 && r.Keep < leastKeep {
		return fmt.Errorf("keep: want at least %d: schedules look that far back", leastKeep)
	}
	if r.OlderThan != 0 && r.OlderThan.Std() < leastAge {
		return fmt.Errorf("olderThan: want at least %s: reports of a week count what is younger", leastAge)
	}
	return nil
}

func (r Rule) withDefaults() Rule {
	return Rule{cmp.Or(r.Keep, keep), cmp.Or(r.OlderThan, release.Duration(olderThan))}
}

// Entry is a run as the lists know it.
type Entry struct {
	Experiment, ID string
	Started        time.Time
}

// Plan are those of the runs that may go when they have ended: entries come experiment by
// experiment, of each the newest first.
func Plan(rule Rule, entries iter.Seq2[Entry, error], now time.Time) (old []Entry, err error) {
	rule = rule.withDefaults()
	before, experiment, n := now.Add(-rule.OlderThan.Std()), "", 0
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		if e.Experiment != experiment {
			experiment, n = e.Experiment, 0
		}
		if n++; n > rule.Keep && e.Started.Before(before) {
			old = append(old, e)
		}
	}
	return old, nil
}

// Runs are the records.
type Runs interface {
	// Entries goes through all of them as Plan wants it.
	Entries(ctx context.Context) iter.Seq2[Entry, error]
	Run(ctx context.Context, id string) (schedule.Run, error)
	// Drop deletes a run that is still as it was read, or answers release.ErrStale.
	Drop(ctx context.Context, r schedule.Run) error
}

// Sweeper deletes what Plan says.
type Sweeper struct {
	Rule Rule
	Runs Runs
	Now  func() time.Time
	Log  *slog.Logger
}

// Run sweeps once an hour until ctx ends.
func (s Sweeper) Run(ctx context.Context) error {
	next := time.NewTimer(first)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		}
		n, err := s.Sweep(ctx)
		if n > 0 {
			s.Log.Info("old runs of experiments deleted", "runs", n)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Warn("delete old runs of experiments", "error", err)
		}
		next.Reset(every)
	}
}

// Sweep goes through all runs once and says how many it has deleted.
func (s Sweeper) Sweep(ctx context.Context) (deleted int, err error) {
	now := s.Now()
	old, err := Plan(s.Rule, s.Runs.Entries(ctx), now)
	if err != nil {
		return 0, err
	}
	before := now.Add(-s.Rule.withDefaults().OlderThan.Std())
	for _, e := range old {
		run, err := s.Runs.Run(ctx, e.ID)
		if err == nil && (!run.Over() || !run.Ended.Before(before)) {
			continue
		}
		if err == nil {
			err = s.Runs.Drop(ctx, run)
		}
		if errors.Is(err, release.ErrStale) {
			continue // it has changed just now: another time
		}
		if err != nil {
			return deleted, fmt.Errorf("delete run %s: %w", e.ID, err)
		}
		deleted++
	}
	return deleted, nil
}
