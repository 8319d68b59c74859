// Package tally counts the events of long windows from short questions: pieces of five
// minutes are asked for once and remembered, so that a look at the last six hours reads the
// samples of the last minutes only.
//
// Start at Tally.Events. It never adds up what is not additive: Additive says which queries
// are. A window begins at the piece's border before it, so it is up to one piece longer.
package tally

import (
	"context"
	"math"
	"regexp"
	"sync"
	"time"
)

const (
	// Piece is long enough for two scrapes of any usual interval.
	Piece = 5 * time.Minute

	shortest = 12 * Piece         // below that a piece more would matter
	longest  = 3 * 24 * time.Hour // what is asked for at once when nothing is known
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
}

// Tally remembers pieces. Its zero value knows nothing.
type Tally struct {
	mu    sync.Mutex // guards known
	known map[string]*pieces
}

// pieces are those of one query, without a gap between first and last.
type pieces struct {
	used        time.Time
	first, last time.Time // ends of pieces
	events      []float64 // of each, from first on; none: nothing was counted
}

// none is no number of events: an increase is never negative.
const none = -1

// Events are those of the window that ends at now; key names the query. false: there are
// numbers in it that are none, and the window has to be asked for as a whole. One key is
// counted by one caller at a time.
func (t *Tally) Events(ctx context.Context, key string, window time.Duration, now time.Time, ask Ask) (Count, bool, error) {
	p := t.open(key, now)
	first, last := ends(window, now)
	from, to := first, last
	if !p.last.IsZero() && !first.Before(p.first) && !first.After(p.last.Add(Piece)) {
		from = p.last.Add(Piece)
	} else {
		*p = pieces{used: now, first: first}
	}
	if !from.After(to) {
		found, err := ask.Pieces(ctx, from, to)
		if err != nil {
			return Count{}, true, err
		}
		p.add(from, to, found)
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

// ends are those of the window's first and last piece. What ends later than a piece ago may
// still grow, and is not remembered.
func ends(window time.Duration, now time.Time) (first, last time.Time) {
	now = now.UTC()
	return now.Add(-window).Truncate(Piece).Add(Piece), now.Add(-Piece).Truncate(Piece)
}

func (t *Tally) open(key string, now time.Time) *pieces {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[string]*pieces{}
	}
	p, ok := t.known[key]
	if !ok {
		for other, o := range t.known {
			if now.Sub(o.used) > unused {
				delete(t.known, other)
			}
		}
		p = &pieces{}
		t.known[key] = p
	}
	if now.Before(p.used) { // the clock was ahead: what had not happened then was taken for nothing
		*p = pieces{}
	}
	p.used = now
	return p
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

func (p *pieces) add(from, to time.Time, found map[time.Time]float64) {
	for at := from; !at.After(to); at = at.Add(Piece) {
		p.events = append(p.events, none)
	}
	for at, n := range found {
		if i := int(at.Sub(p.first) / Piece); i >= 0 && i < len(p.events) {
			p.events[i] = n
		}
	}
	p.last = to
}

// trim drops what no window reaches any more.
func (p *pieces) trim(now time.Time) {
	if old := int(now.Add(-longest).Sub(p.first) / Piece); old > 0 {
		p.events = append(p.events[:0], p.events[min(old, len(p.events)):]...)
		p.first = p.first.Add(time.Duration(old) * Piece)
	}
}
