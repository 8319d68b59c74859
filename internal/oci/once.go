package oci

import (
	"context"
	"errors"
	"sync"

	"github.com/seatrial/seatrial/release"
)

type onceKey struct{}

// Once is a context under which each manifest is asked for by digest once, however many
// want it and at the same time: one look at an image by several, who ought to see the same.
// What could not be asked is asked again.
func Once(ctx context.Context) context.Context {
	return context.WithValue(ctx, onceKey{}, &answers{of: map[string]*answer{}})
}

type answers struct {
	mu sync.Mutex // guards of
	of map[string]*answer
}

type answer struct {
	given    chan struct{} // closed when the rest is there
	manifest Manifest
	err      error
}

// Get reads one manifest.
func (r *Registry) Get(ctx context.Context, ref Ref) (Manifest, error) {
	all, ok := ctx.Value(onceKey{}).(*answers)
	if !ok || !ref.Digest.Valid() {
		return r.get(ctx, ref)
	}
	for {
		a, mine := all.claim(ref.Repository, ref.Digest)
		if mine {
			a.manifest, a.err = r.get(ctx, ref)
			all.settle(ref.Repository, ref.Digest, a)
			return a.manifest, a.err
		}
		select {
		case <-a.given:
			if a.err == nil || errors.Is(a.err, ErrNotFound) || errors.Is(a.err, ErrMalformed) || errors.Is(a.err, ErrTooLarge) {
				return a.manifest, a.err
			}
		case <-ctx.Done():
			return Manifest{}, ctx.Err()
		}
	}
}

// claim gives the answer about a digest, and whether the caller has to find it.
func (all *answers) claim(repository string, d release.Digest) (a *answer, mine bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	key := repository + "@" + string(d)
	if a = all.of[key]; a != nil {
		return a, false
	}
	a = &answer{given: make(chan struct{})}
	all.of[key] = a
	return a, true
}

// settle gives out an answer; one that says nothing about the registry, such as that the
// asker was told to stop, is forgotten.
func (all *answers) settle(repository string, d release.Digest, a *answer) {
	if a.err != nil && !errors.Is(a.err, ErrNotFound) && !errors.Is(a.err, ErrMalformed) && !errors.Is(a.err, ErrTooLarge) {
		all.mu.Lock()
		delete(all.of, repository+"@"+string(d))
		all.mu.Unlock()
	}
	close(a.given)
}
