package source

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seatrial/seatrial/release"
)

const (
	answerAge  = 5 * time.Second // that an answer is shared; later scrapes may change it
	maxAnswers = 10_000          // kept at once
)

// question is what makes two questions the same.
type question struct {
	expr     string
	from, at int64 // nanoseconds; equal for an instant
	every    time.Duration
}

// shared answers equal questions that are asked at about the same time once. Errors are
// told to whoever waited, and not kept.
type shared struct {
	now func() time.Time

	mu   sync.Mutex // guards kept
	kept map[question]*answer
}

type answer struct {
	done  chan struct{} // closed when query and err stand
	asked time.Time
	query release.Query
	err   error
}

func newShared(now func() time.Time) *shared {
	return &shared{now: now, kept: map[question]*answer{}}
}

// ask is the answer to q: one that is kept or on its way, or that of fetch.
func (s *shared) ask(ctx context.Context, q question, fetch func(context.Context) (release.Query, error)) (release.Query, error) {
	for {
		a, mine := s.claim(q)
		if mine {
			a.query, a.err = fetch(ctx)
			if a.err != nil {
				s.forget(q, a)
			}
			close(a.done)
			return a.query, a.err
		}
		select {
		case <-ctx.Done():
			return release.Query{}, ctx.Err()
		case <-a.done:
		}
		// Whoever asked was interrupted: that is nothing to us, so we ask.
		if !errors.Is(a.err, context.Canceled) {
			return a.query, a.err
		}
	}
}

// claim is the answer to q, and whether the caller has to find it.
func (s *shared) claim(q question) (a *answer, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if a, ok := s.kept[q]; ok && now.Sub(a.asked) < answerAge {
		return a, false
	}
	if len(s.kept) >= maxAnswers {
		s.trimLocked(now)
	}
	a = &answer{done: make(chan struct{}), asked: now}
	s.kept[q] = a
	return a, true
}

// trimLocked drops what is old, or everything when nothing is.
func (s *shared) trimLocked(now time.Time) {
	for q, a := range s.kept {
		if now.Sub(a.asked) >= answerAge {
			delete(s.kept, q)
		}
	}
	if len(s.kept) >= maxAnswers {
		clear(s.kept)
	}
}

func (s *shared) forget(q question, a *answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept[q] == a {
		delete(s.kept, q)
	}
}
