package slo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/tally"
)

// events asks for the events of a window: as a whole, or where the asker keeps a tally and
// the query allows it, for its last minutes only.
func (a *asker) events(ctx context.Context, name string, query openslo.Query, w window) (release.Query, error) {
	length := w.to.Sub(w.from)
	expr := query.Fill(w.cluster, length)
	if a.tally == nil || !tally.Fits(length) || !tally.Additive(string(query)) {
		return a.ask(ctx, name, expr, w.to)
	}
	got, ok, err := a.tally.Events(ctx, a.pieceKey(query, w), length, w.to, tally.Ask{
		Most: w.most,
		Head: func(ctx context.Context, length time.Duration) (tally.Count, error) {
			q, err := a.ask(ctx, name, query.Fill(w.cluster, length), w.to)
			return counted(q.Samples), err
		},
		Pieces: func(ctx context.Context, first, last time.Time) (map[time.Time]float64, error) {
			q, err := a.prometheus.AskRange(ctx, name, query.Fill(w.cluster, tally.Piece), first, last, tally.Piece)
			found := map[time.Time]float64{}
			for _, s := range q.Samples {
				found[s.Time] += s.Value
			}
			return found, err
		},
	})
	switch {
	case err != nil:
		return release.Query{}, err
	case !ok:
		return a.ask(ctx, name, expr, w.to)
	}
	q := release.Query{Name: name, Expr: expr, At: w.to.UTC()}
	if got.Seen {
		q.Samples = []release.Sample{{Time: q.At, Value: got.Events}}
	}
	return q, nil
}

// pieceKey names a query's pieces on a cluster: those of another Prometheus are others.
func (a *asker) pieceKey(query openslo.Query, w window) string {
	return a.prometheus.Address() + "\n" + query.Fill(w.cluster, tally.Piece)
}

// cheap reports whether both numbers of a window can be told from its last minutes.
func (a *asker) cheap(w window) bool {
	_, numerator := w.slo.Counted()
	for _, query := range []openslo.Query{numerator, w.slo.Total} {
		if a.tally == nil || !tally.Additive(string(query)) || !a.tally.Knows(a.pieceKey(query, w), w.to.Sub(w.from), w.to) {
			return false
		}
	}
	return tally.Fits(w.to.Sub(w.from))
}

func counted(samples []release.Sample) tally.Count {
	var c tally.Count
	for _, s := range samples {
		c.Events, c.Seen = c.Events+s.Value, true
	}
	return c
}

// remember reads what was counted before a restart. Without it everything is counted anew.
func (w *Watch) remember(now time.Time) {
	if w.Memory == "" || !w.kept.IsZero() {
		return
	}
	w.kept = now
	data, err := os.ReadFile(w.Memory)
	if err == nil {
		err = w.tally.Load(data, now)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Log.Warn("slo watch", "counts", "anew", "error", err.Error())
	}
}

// keep writes down what was counted, as often as another piece is.
func (w *Watch) keep(now time.Time) error {
	if w.Memory == "" || now.Sub(w.kept) < tally.Piece {
		return nil
	}
	w.kept = now
	data, err := w.tally.Save(now)
	if err == nil {
		err = secret.Keep(w.Memory, data)
	}
	if err != nil {
		return fmt.Errorf("keep what was counted: %w", err)
	}
	return nil
}
