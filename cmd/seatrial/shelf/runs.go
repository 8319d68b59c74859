package shelf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/history"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

// Runs keeps the history of experiments, newest first.
type Runs struct{ KV store.KV }

const (
	runPrefix     = "run/"
	runIndex      = "runs/"
	runByTime     = runIndex + "all/"
	runExperiment = runIndex + "of/"
	runActive     = runIndex + "active/" // it has not ended
	runsIndexed   = runIndex + "indexed" // the runs from before there was runActive are in it, too
)

// Save stores a run that is still at its revision, with its place in the lists.
func (r Runs) Save(ctx context.Context, run schedule.Run) (release.Revision, error) {
	value, err := json.Marshal(run)
	if err != nil {
		return 0, err
	}
	t := store.Txn{If: []store.Condition{{Key: runPrefix + run.ID, Modified: run.Revision}}, Put: []store.Put{{Key: runPrefix + run.ID, Value: value}}}
	for _, key := range listed(run) {
		t.Put = append(t.Put, store.Put{Key: key})
	}
	if run.Over() {
		t.Delete = []string{runActive + run.ID}
	} else {
		t.Put = append(t.Put, store.Put{Key: runActive + run.ID})
	}
	return r.KV.Commit(ctx, t)
}

// listed are the keys of a run in the lists of all runs.
func listed(run schedule.Run) []string {
	name := store.TimeKey(run.Started, run.ID)
	return []string{runByTime + name, runExperiment + run.Experiment + "/" + name}
}

// Drop deletes a run that is still at its revision.
func (r Runs) Drop(ctx context.Context, run schedule.Run) error {
	_, err := r.KV.Commit(ctx, store.Txn{
		If:     []store.Condition{{Key: runPrefix + run.ID, Modified: run.Revision}},
		Delete: append(listed(run), runPrefix+run.ID, runActive+run.ID),
	})
	return err
}

// Active are the runs that have not ended, however many others there are.
func (r Runs) Active(ctx context.Context) ([]schedule.Run, error) {
	if err := r.index(ctx); err != nil {
		return nil, err
	}
	var out []schedule.Run
	for e, err := range store.Scan(ctx, r.KV, runActive) {
		if err != nil {
			return nil, err
		}
		run, err := r.Run(ctx, strings.TrimPrefix(e.Key, runActive))
		if err != nil {
			return nil, err
		}
		out = append(out, run)
	}
	return out, nil
}

// index looks once through all runs for those that have not ended.
func (r Runs) index(ctx context.Context) error {
	if _, err := r.KV.Get(ctx, runsIndexed); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for e, err := range store.Scan(ctx, r.KV, runPrefix) {
		if err != nil {
			return err
		}
		var run schedule.Run
		if err := json.Unmarshal(e.Value, &run); err != nil {
			return fmt.Errorf("read %s: %w", e.Key, err)
		}
		if run.Over() {
			continue
		}
		_, err := r.KV.Commit(ctx, store.Txn{If: []store.Condition{{Key: e.Key, Modified: e.Modified}}, Put: []store.Put{{Key: runActive + run.ID}}})
		if err != nil && !errors.Is(err, store.ErrStale) { // who has saved it meanwhile has put it there
			return err
		}
	}
	_, err := r.KV.Commit(ctx, store.Txn{Put: []store.Put{{Key: runsIndexed}}})
	return err
}

// Entries are all runs as the lists know them: experiment by experiment, newest first.
func (r Runs) Entries(ctx context.Context) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		for e, err := range store.Scan(ctx, r.KV, runExperiment) {
			var at history.Entry
			if err == nil {
				at, err = entryOf(e.Key)
			}
			if !yield(at, err) || err != nil {
				return
			}
		}
	}
}

func entryOf(key string) (history.Entry, error) {
	experiment, name, _ := strings.Cut(strings.TrimPrefix(key, runExperiment), "/")
	at, id, ok := strings.Cut(name, "-")
	left, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return history.Entry{}, fmt.Errorf("read %s: want EXPERIMENT/TIME-ID", key)
	}
	return history.Entry{Experiment: experiment, ID: id, Started: time.Unix(0, math.MaxInt64-left)}, nil
}

// List is newest first.
func (r Runs) List(ctx context.Context, experiment, after string, limit int) ([]schedule.Run, error) {
	prefix := runByTime
	if experiment != "" {
		prefix = runExperiment + experiment + "/"
	}
	if after != "" {
		run, err := r.Run(ctx, after)
		if err != nil {
			return nil, err
		}
		after = prefix + store.TimeKey(run.Started, run.ID)
	}
	keys, err := r.KV.List(ctx, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	out := make([]schedule.Run, 0, len(keys))
	for _, k := range keys {
		_, id, _ := strings.Cut(strings.TrimPrefix(k.Key, prefix), "-")
		run, err := r.Run(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, run)
	}
	return out, nil
}

// Between is the runs that began from one moment on and before another, newest first, and
// whether there are more than limit.
func (r Runs) Between(ctx context.Context, from, to time.Time, limit int) (out []schedule.Run, more bool, err error) {
	keys, err := r.KV.List(ctx, runByTime, runByTime+store.TimeKey(to, "")+"\xff", limit+1)
	if err != nil {
		return nil, false, err
	}
	for _, k := range keys {
		_, id, _ := strings.Cut(strings.TrimPrefix(k.Key, runByTime), "-")
		run, err := r.Run(ctx, id)
		if err != nil {
			return nil, false, err
		}
		if run.Started.Before(from) {
			break
		}
		if len(out) == limit {
			return out, true, nil
		}
		out = append(out, run)
	}
	return out, false, nil
}

// Run reads one run.
func (r Runs) Run(ctx context.Context, id string) (run schedule.Run, err error) {
	e, err := r.KV.Get(ctx, runPrefix+id)
	if err != nil {
		return run, err
	}
	err = json.Unmarshal(e.Value, &run)
	run.Revision = e.Modified
	return run, err
}
