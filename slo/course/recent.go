package course

import (
	"context"
	"sync"
	"time"

	"github.com/seatrial/seatrial/release"
)

const mostKept = 10_000 // answers at once

// Recent keeps the answers of the newest minute that was asked for: whole windows change
// slowly, and a table of many SLOs is looked at often. Errors are not kept.
type Recent struct {
	Asks

	mu   sync.Mutex // guards at and kept
	at   time.Time
	kept map[string]release.Query // by expression
}

// Ask is the answer that is kept for the moment, or that of Asks.
func (r *Recent) Ask(ctx context.Context, name, expr string, at time.Time) (release.Query, error) {
	if q, ok := r.known(expr, at); ok {
		q.Name = name
		return q, nil
	}
	q, err := r.Asks.Ask(ctx, name, expr, at)
	if err == nil {
		r.keep(expr, at, q)
	}
	return q, err
}

func (r *Recent) known(expr string, at time.Time) (release.Query, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q, ok := r.kept[expr]
	return q, ok && r.at.Equal(at)
}

func (r *Recent) keep(expr string, at time.Time, q release.Query) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at.After(r.at) || len(r.kept) >= mostKept {
		r.at, r.kept = at, map[string]release.Query{}
	}
	if at.Equal(r.at) {
		r.kept[expr] = q
	}
}
