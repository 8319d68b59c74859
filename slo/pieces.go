package slo

import (
	"context"
	"time"

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
	got, ok, err := a.tally.Events(ctx, query.Fill(w.cluster, tally.Piece), length, w.to, tally.Ask{
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

func counted(samples []release.Sample) tally.Count {
	var c tally.Count
	for _, s := range samples {
		c.Events, c.Seen = c.Events+s.Value, true
	}
	return c
}
