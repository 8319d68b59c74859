// Package presence knows which clusters answer, whether or not anybody has work for them.
//
// Start at Watch.Run. It never decides what becomes of a cluster that does not answer, and
// never says that one is away before it was asked.
package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/release"
)

const (
	defaultEvery = 3 * time.Second
	atOnce       = 32 // clusters that are asked at the same time
)

// Patience is how long a cluster may be silent before others go on without it.
const Patience = 10 * time.Second

// ErrAway is why the context of work ends, see Watch.During.
var ErrAway = errors.New("the cluster has not answered for too long")

// Watch asks every cluster, again and again, whether it answers. Its fields are not changed
// once Run has begun.
type Watch struct {
	Clusters func() []release.Cluster
	Reach    func(ctx context.Context, cluster string) (state, message string) // "Ready": it answers
	Log      *slog.Logger                                                      // default: nowhere
	Every    time.Duration                                                     // default 3s
	Now      func() time.Time

	mu   sync.Mutex // guards what follows
	away map[string]time.Time
	work map[string]map[*context.CancelCauseFunc]struct{} // by cluster
}

// Run asks until ctx ends. No cluster waits for another one's answer for longer than a
// question may take.
func (w *Watch) Run(ctx context.Context) error {
	if w.Every == 0 {
		w.Every = defaultEvery
	}
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		w.look(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// look asks every cluster once.
func (w *Watch) look(ctx context.Context) {
	all := w.Clusters()
	w.keep(all)
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, c := range all {
		name := c.Meta.Name
		g.Go(func() error {
			state, message := w.Reach(ctx, name)
			if ctx.Err() == nil {
				w.note(name, state == "Ready", message)
			}
			return nil
		})
	}
	_ = g.Wait() // none of them returns an error
}

// note keeps what a cluster said, and ends work with one that has been silent for too long.
func (w *Watch) note(name string, answers bool, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, since := w.Now(), w.away[name]
	switch {
	case answers && !since.IsZero():
		delete(w.away, name)
		w.Log.Info("cluster answers again", "cluster", name, "after", now.Sub(since).Round(time.Second).String())
	case !answers && since.IsZero():
		if w.away == nil {
			w.away = map[string]time.Time{}
		}
		w.away[name] = now
		w.Log.Warn("cluster does not answer", "cluster", name, "why", message)
	case !answers && now.Sub(since) >= Patience:
		for stop := range w.work[name] {
			(*stop)(fmt.Errorf("cluster %s: %w: %s", name, ErrAway, message))
		}
	}
}

// keep forgets clusters that are not there any more.
func (w *Watch) keep(all []release.Cluster) {
	there := make(map[string]bool, len(all))
	for _, c := range all {
		there[c.Meta.Name] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.away {
		if !there[name] {
			delete(w.away, name)
		}
	}
}

// Away says since when a cluster has not answered; zero: it does, or was not asked yet. A
// nil Watch has asked nobody.
func (w *Watch) Away(cluster string) time.Time {
	if w == nil {
		return time.Time{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.away[cluster]
}

// During is a context for work with a cluster. It ends when the cluster has been away for
// too long, so that nobody waits for an answer that will not come; its cause is ErrAway.
func (w *Watch) During(ctx context.Context, cluster string) (context.Context, context.CancelFunc) {
	if w == nil {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.work == nil {
		w.work = map[string]map[*context.CancelCauseFunc]struct{}{}
	}
	if w.work[cluster] == nil {
		w.work[cluster] = map[*context.CancelCauseFunc]struct{}{}
	}
	w.work[cluster][&cancel] = struct{}{}
	return ctx, func() {
		cancel(nil)
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.work[cluster], &cancel); len(w.work[cluster]) == 0 {
			delete(w.work, cluster)
		}
	}
}
