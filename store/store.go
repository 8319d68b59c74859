// Package store keeps the platform's state: small JSON documents under slash-separated
// keys, changed in atomic transactions, with a watch and leases.
//
// Start reading at KV, the interface that every implementation fulfils (store/bolt on
// one machine), and then at Book, which speaks in release types. It never holds logs,
// plans or reports: those are blobs, named here by their digests.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/seatrial/seatrial/release"
)

var (
	// ErrNotFound: no document has that key.
	ErrNotFound = release.ErrNotFound
	// ErrStale: a condition did not hold; read again and decide again.
	ErrStale = release.ErrStale
	// ErrTooBig: the transaction is over its limits; the same again never fits.
	ErrTooBig = release.ErrTooBig
	// ErrCompacted: the changes since that revision are no longer kept; list, then watch.
	ErrCompacted = errors.New("revision no longer kept")
)

// Entry is a document as it was saved.
type Entry struct {
	Key      string
	Value    []byte
	Created  release.Revision // when the key came to be
	Modified release.Revision // when it was last changed
}

// Condition demands that a key was last modified at a revision; 0 demands its absence.
type Condition struct {
	Key      string
	Modified release.Revision
}

// Put is one document to write.
type Put struct {
	Key   string
	Value []byte
}

// Txn is checked and carried out as one: when every condition holds, all puts and
// deletes happen at the same new revision. At most 128 operations and 1 MiB, so that
// etcd can carry it as well.
type Txn struct {
	If     []Condition
	Put    []Put
	Delete []string
}

// Change is one key that changed. A deleted key has a nil Value.
type Change struct {
	Entry
	Deleted bool
}

// KV is the store. Implementations are safe for concurrent use.
type KV interface {
	// Get returns one document, or ErrNotFound.
	Get(ctx context.Context, key string) (Entry, error)
	// List returns up to limit documents whose key has the prefix and sorts after
	// after (both exclusive of it), in key order.
	List(ctx context.Context, prefix, after string, limit int) ([]Entry, error)
	// Commit carries out t and returns its revision, or ErrStale.
	Commit(ctx context.Context, t Txn) (release.Revision, error)
	// Watch calls fn with every change under prefix after revision from, in order and
	// without gaps, until ctx ends or fn returns an error. ErrCompacted: too old.
	Watch(ctx context.Context, prefix string, from release.Revision, fn func(Change) error) error
	// Revision is the newest revision.
	Revision(ctx context.Context) (release.Revision, error)
	// Acquire takes the lease name for holder until ttl has passed without another
	// Acquire by the same holder; false when somebody else has it.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	// Release gives a lease up; one that holder does not have is left alone.
	Release(ctx context.Context, name, holder string) error
	// Close ends every watch and closes the store.
	Close() error
}
