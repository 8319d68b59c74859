package tally

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
	"slices"
	"time"
)

const (
	kept     = 6 * time.Hour // of each query: what somebody may be woken by
	mostKept = 20_000        // queries: some 12 MB
)

// written is a tally as it is kept over a restart.
type written struct {
	At     time.Time
	Pieces map[id]run
}

// run is the newest pieces of one query.
type run struct {
	Last   int64 // end of the last, in seconds
	Events []float64
}

// Save writes down what is remembered of the last six hours, for Load after a restart.
func (t *Tally) Save(now time.Time) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := written{At: now, Pieces: map[id]run{}}
	for q, p := range t.known {
		p.mu.Lock()
		if now.Sub(p.used) <= unused && len(p.events) > 0 && len(w.Pieces) < mostKept {
			w.Pieces[q] = run{p.last.Unix(), slices.Clone(p.events[max(0, len(p.events)-int(kept/Piece)):])}
		}
		p.mu.Unlock()
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(w)
	return b.Bytes(), err
}

// Load remembers what Save has written, as long as it is not too old to be gone on with.
// What was counted for another query, or by a clock that was ahead, is left out.
func (t *Tally) Load(data []byte, now time.Time) error {
	var w written
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&w); err != nil {
		return fmt.Errorf("read the pieces that were counted: %w", err)
	}
	if w.At.After(now) || now.Sub(w.At) > unused {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = map[id]*pieces{}
	for q, r := range w.Pieces {
		last := time.Unix(r.Last, 0).UTC()
		if !last.Equal(last.Truncate(Piece)) || last.After(w.At.Add(-Piece)) || len(r.Events) > int(kept/Piece) || !counts(r.Events) {
			continue
		}
		t.known[q] = &pieces{used: w.At, first: last.Add(-time.Duration(len(r.Events)-1) * Piece), last: last, events: r.Events}
	}
	return nil
}

// counts reports whether these can be numbers of events.
func counts(events []float64) bool {
	for _, n := range events {
		if math.IsNaN(n) || math.IsInf(n, 0) || n < 0 && n != none {
			return false
		}
	}
	return len(events) > 0
}
