// Package vault says what package web needs to remember durably: people, sessions,
// tokens and the answers to repeated requests. cmd/seatrial fulfils it with the store.
//
// Start at Vault; vaulttest.Run is its contract as a test. It never holds a secret in
// the clear: sessions and tokens are kept by their hashes, passwords as argon2id.
package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seatrial/seatrial/release"
)

var (
	// ErrNotFound: nothing is kept under that key.
	ErrNotFound = errors.New("not found")
	// ErrStale: the record changed since it was read.
	ErrStale = errors.New("changed meanwhile")
)

// Record is a small JSON document under a key such as "users/li".
type Record struct {
	Key      string
	Value    []byte
	Revision release.Revision // when it was last changed; never 0
}

// Vault keeps records. Every method returns only when the change is on disk, and is
// safe for concurrent use.
type Vault interface {
	// Get returns one record, or ErrNotFound.
	Get(ctx context.Context, key string) (Record, error)
	// Put writes a record that is still at revision was; 0 demands that there is none.
	// Else ErrStale, and nothing is written.
	Put(ctx context.Context, key string, value []byte, was release.Revision) error
	// Delete removes a record; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List returns up to limit records whose key has the prefix and sorts after after,
	// a whole key or empty, in key order.
	List(ctx context.Context, prefix, after string, limit int) ([]Record, error)
}

// Read gets one record as a T.
func Read[T any](ctx context.Context, v Vault, key string) (T, release.Revision, error) {
	var out T
	r, err := v.Get(ctx, key)
	if err != nil {
		return out, 0, err
	}
	if err := json.Unmarshal(r.Value, &out); err != nil {
		return out, 0, fmt.Errorf("read %s: %w", key, err)
	}
	return out, r.Revision, nil
}

// Write puts one record as JSON.
func Write(ctx context.Context, v Vault, key string, value any, was release.Revision) error {
	b, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	return v.Put(ctx, key, b, was)
}

// page is how many records Each reads at once.
const page = 200

// Each calls fn with every record below prefix, in key order, until it returns an error.
func Each(ctx context.Context, v Vault, prefix string, fn func(Record) error) error {
	after := ""
	for {
		records, err := v.List(ctx, prefix, after, page)
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := fn(r); err != nil {
				return err
			}
			after = r.Key
		}
		if len(records) < page {
			return nil
		}
	}
}
