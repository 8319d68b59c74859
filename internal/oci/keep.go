package oci

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seatrial/seatrial/release"
)

const (
	keepRetries  = 8  // writes of one entry
	settleRounds = 40 // looks at a list that others keep changing
)

type subjectUse struct {
	mu    sync.Mutex
	users int
}

// keep writes until what was written stays. A list under a tag is read, changed and
// written back by everyone who adds to it, and registries have no lock for that: who read
// before we wrote overwrites us. So an entry counts only when nobody has changed the tag
// for as long as such a writer may take. Within this process write holds a lock.
func (r *Registry) keep(ctx context.Context, list Ref, write func() error, kept func() (bool, error)) error {
	for range keepRetries {
		if err := write(); err != nil {
			return err
		}
		if ok, err := r.settled(ctx, list, kept); ok || err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: what was written is not listed, although it was written %d times", list, keepRetries)
}

// settled reports whether an entry is listed and the tag with the list has come to rest.
// Without the tag the registry keeps the list itself, and loses nothing.
func (r *Registry) settled(ctx context.Context, list Ref, kept func() (bool, error)) (bool, error) {
	var before release.Digest
	for range settleRounds {
		m, err := r.Get(ctx, list)
		if errors.Is(err, ErrNotFound) {
			return kept()
		}
		if err != nil {
			return false, err
		}
		if ok, err := kept(); !ok || err != nil || m.Digest == before {
			return ok, err
		}
		before = m.Digest
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(r.settle):
		}
	}
	return false, fmt.Errorf("%s: others keep changing it", list)
}

func (r *Registry) lock(subject string) (unlock func()) {
	r.mu.Lock()
	u := r.subjects[subject]
	if u == nil {
		u = &subjectUse{}
		r.subjects[subject] = u
	}
	u.users++
	r.mu.Unlock()
	u.mu.Lock()
	return func() {
		u.mu.Unlock()
		r.mu.Lock()
		defer r.mu.Unlock()
		if u.users--; u.users == 0 {
			delete(r.subjects, subject)
		}
	}
}
