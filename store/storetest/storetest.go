// Package storetest holds the one contract that every store.KV fulfils. An
// implementation's test calls Run and is done: start there. It never looks behind the
// interface.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

// Run checks the contract; open gives a fresh, empty store that the test closes.
func Run(t *testing.T, open func(*testing.T) store.KV) {
	claims := []struct {
		name  string
		check func(*testing.T, store.KV)
	}{
		{"a key that was never written is not found", notFound},
		{"what is put is got, with its revisions", putGet},
		{"a transaction with one false condition changes nothing", allOrNothing},
		{"a condition of zero demands that the key is absent", absent},
		{"list walks a prefix in key order, page by page", list},
		{"of many writers with the same condition exactly one wins", oneWinner},
		{"a watch replays from its revision and then follows, without gaps", watch},
		{"a watch from a revision long gone says so", compacted},
		{"a lease is held by one, renewed by its holder and taken over after its end", lease},
		{"a transaction over the limits is refused", limits},
	}
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			kv := open(t)
			defer kv.Close()
			c.check(t, kv)
		})
	}
}

func put(t *testing.T, kv store.KV, key, value string) release.Revision {
	t.Helper()
	rev, err := kv.Commit(t.Context(), store.Txn{Put: []store.Put{{Key: key, Value: []byte(value)}}})
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return rev
}

func notFound(t *testing.T, kv store.KV) {
	if _, err := kv.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func putGet(t *testing.T, kv store.KV) {
	first := put(t, kv, "a", "1")
	second := put(t, kv, "a", "2")
	e, err := kv.Get(t.Context(), "a")
	if err != nil || string(e.Value) != "2" || e.Created != first || e.Modified != second || second <= first {
		t.Errorf("got %+v, %v; want value 2, created %d, modified %d", e, err, first, second)
	}
	if _, err := kv.Commit(t.Context(), store.Txn{Delete: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Get(t.Context(), "a"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after delete: %v, want ErrNotFound", err)
	}
}

func allOrNothing(t *testing.T, kv store.KV) {
	rev := put(t, kv, "a", "1")
	_, err := kv.Commit(t.Context(), store.Txn{
		If:     []store.Condition{{Key: "a", Modified: rev}, {Key: "b", Modified: 7}},
		Put:    []store.Put{{Key: "c", Value: []byte("x")}},
		Delete: []string{"a"},
	})
	if !errors.Is(err, store.ErrStale) {
		t.Fatalf("got %v, want ErrStale", err)
	}
	if _, err := kv.Get(t.Context(), "a"); err != nil {
		t.Errorf("a is gone: %v", err)
	}
	if _, err := kv.Get(t.Context(), "c"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("c was written: %v", err)
	}
}

func absent(t *testing.T, kv store.KV) {
	create := store.Txn{If: []store.Condition{{Key: "a"}}, Put: []store.Put{{Key: "a", Value: []byte("1")}}}
	if _, err := kv.Commit(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	if _, err := kv.Commit(t.Context(), create); !errors.Is(err, store.ErrStale) {
		t.Errorf("created twice: %v", err)
	}
}

func list(t *testing.T, kv store.KV) {
	for _, k := range []string{"a/2", "a/1", "b/1", "a/3", "a"} {
		put(t, kv, k, k)
	}
	var got []string
	for after := ""; ; {
		page, err := kv.List(t.Context(), "a/", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			got = append(got, e.Key)
			after = e.Key
		}
		if len(page) < 2 {
			break
		}
	}
	if want := []string{"a/1", "a/2", "a/3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func oneWinner(t *testing.T, kv store.KV) {
	rev := put(t, kv, "a", "0")
	var wg sync.WaitGroup
	won := make(chan int, 64)
	for i := range 64 {
		wg.Go(func() {
			_, err := kv.Commit(t.Context(), store.Txn{
				If:  []store.Condition{{Key: "a", Modified: rev}},
				Put: []store.Put{{Key: "a", Value: fmt.Append(nil, i)}},
			})
			if err == nil {
				won <- i
			} else if !errors.Is(err, store.ErrStale) {
				t.Errorf("writer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d writers won, want 1", len(won))
	}
}

var errEnough = errors.New("enough")

func watch(t *testing.T, kv store.KV) {
	put(t, kv, "a/1", "old")
	from, err := kv.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put(t, kv, "a/2", "replayed")
	put(t, kv, "b/1", "elsewhere")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // a hundred writes to a slow disk
	defer cancel()
	go func() {
		for i := range 100 {
			_, _ = kv.Commit(ctx, store.Txn{Put: []store.Put{{Key: "a/live", Value: fmt.Append(nil, i)}}})
		}
		_, _ = kv.Commit(ctx, store.Txn{Delete: []string{"a/2"}})
	}()
	var got []string
	err = kv.Watch(ctx, "a/", from, func(c store.Change) error {
		got = append(got, c.Key+"="+string(c.Value))
		if c.Deleted {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || len(got) != 102 || got[0] != "a/2=replayed" || got[100] != "a/live=99" {
		t.Errorf("got %d changes (%v …), %v; want 102 from a/2=replayed to the deletion", len(got), got[:min(3, len(got))], err)
	}
}

func compacted(t *testing.T, kv store.KV) {
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 100 {
				_, _ = kv.Commit(t.Context(), store.Txn{Put: []store.Put{{Key: "a", Value: []byte("x")}}})
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	err := kv.Watch(ctx, "a", 0, func(store.Change) error { return errEnough })
	if !errors.Is(err, store.ErrCompacted) {
		t.Errorf("got %v, want ErrCompacted", err)
	}
}

func lease(t *testing.T, kv store.KV) {
	acquire := func(holder string, ttl time.Duration, want bool) {
		t.Helper()
		got, err := kv.Acquire(t.Context(), "leader", holder, ttl)
		if err != nil || got != want {
			t.Fatalf("acquire for %s: %v, %v; want %v", holder, got, err, want)
		}
	}
	acquire("one", time.Hour, true)
	acquire("two", time.Hour, false)
	acquire("one", 0, true)
	acquire("two", time.Hour, true)
	if err := kv.Release(t.Context(), "leader", "one"); err != nil {
		t.Fatal(err)
	}
	acquire("one", time.Hour, false)
	if err := kv.Release(t.Context(), "leader", "two"); err != nil {
		t.Fatal(err)
	}
	acquire("one", time.Hour, true)
}

func limits(t *testing.T, kv store.KV) {
	big := store.Txn{Put: []store.Put{{Key: "a", Value: make([]byte, 2<<20)}}}
	if _, err := kv.Commit(t.Context(), big); !errors.Is(err, store.ErrTooBig) {
		t.Errorf("2 MiB in one transaction: %v, want ErrTooBig", err)
	}
	if _, err := kv.Commit(t.Context(), store.Txn{Delete: make([]string, 200)}); !errors.Is(err, store.ErrTooBig) {
		t.Errorf("200 operations in one transaction: %v, want ErrTooBig", err)
	}
}
