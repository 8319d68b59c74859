// Package vaulttest holds the contract of vault.Vault as a test, and a vault in memory
// for the tests of package web.
//
// Start at Run. It never runs in the server, which keeps everything in the store.
package vaulttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/vault"
)

// Memory is a vault that forgets when the test ends.
type Memory struct {
	mu      sync.Mutex // guards both
	records map[string]vault.Record
	newest  release.Revision
}

// New is an empty vault.
func New() *Memory { return &Memory{records: map[string]vault.Record{}} }

// Get is vault.Vault's.
func (m *Memory) Get(ctx context.Context, key string) (vault.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[key]
	if !ok {
		return r, fmt.Errorf("%s: %w", key, vault.ErrNotFound)
	}
	return r, ctx.Err()
}

// Put is vault.Vault's.
func (m *Memory) Put(ctx context.Context, key string, value []byte, was release.Revision) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[key].Revision != was {
		return fmt.Errorf("%s: %w", key, vault.ErrStale)
	}
	m.newest++
	m.records[key] = vault.Record{Key: key, Value: slices.Clone(value), Revision: m.newest}
	return ctx.Err()
}

// Delete is vault.Vault's.
func (m *Memory) Delete(ctx context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.records, key)
	return ctx.Err()
}

// List is vault.Vault's.
func (m *Memory) List(ctx context.Context, prefix, after string, limit int) ([]vault.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []vault.Record
	for k, r := range m.records {
		if strings.HasPrefix(k, prefix) && k > after {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b vault.Record) int { return strings.Compare(a.Key, b.Key) })
	return out[:min(limit, len(out))], ctx.Err()
}

// Values is everything that is kept, for tests that look for secrets.
func (m *Memory) Values() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for k, r := range m.records {
		fmt.Fprintf(&b, "%s %s\n", k, r.Value)
	}
	return b.String()
}

// Run proves that a vault keeps the contract.
func Run(t *testing.T, open func(t *testing.T) vault.Vault) {
	t.Run("what was put is read back", func(t *testing.T) { roundTrip(t, open(t)) })
	t.Run("a stale write changes nothing", func(t *testing.T) { stale(t, open(t)) })
	t.Run("of many first writers one wins", func(t *testing.T) { race(t, open(t)) })
	t.Run("a list has pages in key order", func(t *testing.T) { list(t, open(t)) })
}

func roundTrip(t *testing.T, v vault.Vault) {
	ctx := t.Context()
	if _, err := v.Get(ctx, "users/li"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("get of nothing: %v", err)
	}
	if err := v.Put(ctx, "users/li", []byte(`{"a":1}`), 0); err != nil {
		t.Fatal(err)
	}
	r, err := v.Get(ctx, "users/li")
	if err != nil || string(r.Value) != `{"a":1}` || r.Revision == 0 || r.Key != "users/li" {
		t.Errorf("got %+v, %v", r, err)
	}
	for range 2 {
		if err := v.Delete(ctx, "users/li"); err != nil {
			t.Error(err)
		}
	}
	if _, err := v.Get(ctx, "users/li"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("get after delete: %v", err)
	}
}

func stale(t *testing.T, v vault.Vault) {
	ctx := t.Context()
	if err := v.Put(ctx, "k/a", []byte(`1`), 0); err != nil {
		t.Fatal(err)
	}
	old, err := v.Get(ctx, "k/a")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Put(ctx, "k/a", []byte(`2`), old.Revision); err != nil {
		t.Fatal(err)
	}
	for _, was := range []release.Revision{0, old.Revision} {
		if err := v.Put(ctx, "k/a", []byte(`3`), was); !errors.Is(err, vault.ErrStale) {
			t.Errorf("put at %d: %v", was, err)
		}
	}
	if now, err := v.Get(ctx, "k/a"); err != nil || string(now.Value) != "2" || now.Revision <= old.Revision {
		t.Errorf("got %+v, %v", now, err)
	}
}

func race(t *testing.T, v vault.Vault) {
	var wg sync.WaitGroup
	won := make(chan int, 16)
	for i := range cap(won) {
		wg.Go(func() {
			switch err := v.Put(t.Context(), "k/once", fmt.Appendf(nil, "%d", i), 0); {
			case err == nil:
				won <- i
			case !errors.Is(err, vault.ErrStale):
				t.Errorf("put: %v", err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d of %d won", len(won), cap(won))
	}
}

func list(t *testing.T, v vault.Vault) {
	for _, k := range []string{"s/c", "s/a", "t/x", "s/b"} {
		if err := v.Put(t.Context(), k, []byte(`{}`), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		after string
		limit int
		want  string
	}{{"", 10, "s/a s/b s/c"}, {"", 2, "s/a s/b"}, {"s/b", 2, "s/c"}, {"s/c", 2, ""}} {
		got, err := v.List(t.Context(), "s/", c.after, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		for _, r := range got {
			keys = append(keys, r.Key)
		}
		if s := strings.Join(keys, " "); s != c.want {
			t.Errorf("after %q, %d at most: %q, want %q", c.after, c.limit, s, c.want)
		}
	}
}
