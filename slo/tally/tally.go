// Package tally counts the events of long windows from short questions: pieces of five
// minutes are asked for once and remembered, also over a restart, so that a look at the last
// six hours reads the samples of the last minutes only.
//
// Start at Tally.Events. It never adds up what is not additive: Additive says which queries
// are. A window begins at the piece's border before it, so it is up to one piece longer.
package tally

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"regexp"
	"sync"
	"time"
)

const (
	// Piece is long enough for two scrapes of any usual interval.
	Piece = 5 * time.Minute

	shortest = 12 * Piece         // below that a piece more would matter
	longest  = 3 * 24 * time.Hour // that pieces are remembered
	unused   = time.Hour          // after which a query's pieces are dropped
)

// additive is the sum of one counter's increase, and nothing around it.
var additive = regexp.MustCompile(`^\s*sum\s*\(\s*increase\s*\(\s*[a-zA-Z_:][\w:]*\s*(\{(?:[^"'` + "`" + `{}]|"(?:[^"\\]|\\.)*")*\})?\s*\[\s*\{\{\s*\.Window\s*\}\}\s*\]\s*\)\s*\)\s*$`)

// Additive reports whether the events of a window are the sum of those of its pieces: rates,
// averages and shares are not.
func Additive(query string) bool { return additive.MatchString(query) }

// Fits reports whether a window is one that pieces are counted for.
func Fits(window time.Duration) bool { return window >= shortest && window <= longest }

// Count is the number of events up to a moment; false: there is no data.
type Count struct {
	Events float64
	Seen   bool
}

// Ask is how one query is asked.
type Ask struct {
	Head   func(ctx context.Context, length time.Duration) (Count, error)                  // the events of the last length
	Pieces func(ctx context.Context, first, last time.Time) (map[time.Time]float64, error) // those of each piece that ends from first to last; none: left out
	Most   time.Duration                                                                   // of what was never asked for, at once and the newest first; 0: all of it
}

// ErrNotYet is the answer while older pieces of a window are still to be asked for.
var ErrNotYet = errors.New("the window is still being counted")

// Tally remembers pieces. Its zero value knows nothing.
type Tally struct {
	mu    sync.Mutex // guards known
	known map[id]*pieces
}

// id names a query.
type id [16]byte

func idOf(key string) (q id) {
	sum := sha256.Sum256([]byte(key))
	copy(q[:], sum[:])
	return q
}

// pieces are those of one query, without a gap between first and last.
type pieces struct {
	used time.Time // guarded by Tally.mu

	mu          sync.Mutex // guards first, last and events
	first, last time.Time  // ends of pieces; without any, first is the one after last
	events      []float64  // of each, from first on; none: nothing was counted
}

// none is no number of events: an increase is never negative.
const none = -1

// Events are those of the window that ends at now; key names the query. ErrNotYet says that
// some of it is left to be asked for the next time. false: there are numbers in it that are
// none, and the window has to be asked for as a whole.
func (t *Tally) Events(ctx context.Context, key string, window time.Duration, now time.Time, ask Ask) (Count, bool, error) {
	p, anew := t.open(key, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	first, last := ends(window, now)
	if anew || first.After(p.last.Add(Piece)) {
		p.first, p.last, p.events = last.Add(Piece), last, nil
	}
	if from := p.last.Add(Piece); !from.After(last) {
		found, err := ask.Pieces(ctx, from, last)
		if err != nil {
			return Count{}, true, err
		}
		p.events, p.last = append(p.events, series(from, last, found)...), last
	}
	if first.Before(p.first) {
		from, to := first, p.first.Add(-Piece)
		if ask.Most >= Piece && to.Sub(from) >= ask.Most {
			from = p.first.Add(-ask.Most.Truncate(Piece))
		}
		found, err := ask.Pieces(ctx, from, to)
		if err != nil {
			return Count{}, true, err
		}
		p.events, p.first = append(series(from, to, found), p.events...), from
	}
	if first.Before(p.first) {
		return Count{}, true, ErrNotYet
	}
	head, err := ask.Head(ctx, now.Sub(last))
	if err != nil {
		return Count{}, true, err
	}
	p.trim(now)
	sum := p.sum(first, last)
	sum.Events, sum.Seen = sum.Events+head.Events, sum.Seen || head.Seen
	return sum, !math.IsNaN(sum.Events) && !math.IsInf(sum.Events, 0), nil
}

// Knows reports whether all but the last minutes of a window are remembered.
func (t *Tally) Knows(key string, window time.Duration, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.known[idOf(key)]
	if p == nil || now.Before(p.used) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	first, last := ends(window, now)
	return !first.Before(p.first) && last.Sub(p.last) < shortest
}

// ends are those of the window's first and last piece. What ends later than a piece ago may
// still grow, and is not remembered.
func ends(window time.Duration, now time.Time) (first, last time.Time) {
	now = now.UTC()
	return now.Add(-window).Truncate(Piece).Add(Piece), now.Add(-Piece).Truncate(Piece)
}

// open is what is known of a query; anew: nothing is, or the clock was ahead, and what had not
// happened then was taken for nothing.
func (t *Tally) open(key string, now time.Time) (p *pieces, anew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[id]*pieces{}
	}
	q := idOf(key)
	p, ok := t.known[q]
	if !ok {
		for other, o := range t.known {
			if now.Sub(o.used) > unused {
				delete(t.known, other)
			}
		}
		p = &pieces{}
		t.known[q] = p
	}
	anew = !ok || now.Before(p.used)
	p.used = now
	return p, anew
}

// series are the pieces from one to another.
func series(from, to time.Time, found map[time.Time]float64) []float64 {
	events := make([]float64, int(to.Sub(from)/Piece)+1)
	for i := range events {
		events[i] = none
	}
	for at, n := range found {
		if i := int(at.Sub(from) / Piece); i >= 0 && i < len(events) {
			events[i] = n
		}
	}
	return events
}

func (p *pieces) sum(first, last time.Time) Count {
	var c Count
	from, to := int(first.Sub(p.first)/Piece), int(last.Sub(p.first)/Piece)
	for _, n := range p.events[from : to+1] {
		if n != none {
			c.Events, c.Seen = c.Events+n, true
		}
	}
	return c
}

// trim drops what no window reaches any more.
func (p *pieces) trim(now time.Time) {
	if old := int(now.Add(-longest).Sub(p.first) / Piece); old > 0 {
		p.events = append(p.events[:0], p.events[min(old, len(p.events)):]...)
		p.first = p.first.Add(time.Duration(old) * Piece)
	}
}
