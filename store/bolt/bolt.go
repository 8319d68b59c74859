// Package bolt keeps the store in one file on one machine.
//
// Start reading at Open, then at writer.go: one goroutine writes everything that waits
// in one disk transaction, so a thousand callers share its two syncs and a lone caller
// waits for nobody. It never answers a Commit before the change is on disk.
package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

// kept is how many revisions a watch may look back.
const kept = 4096

var (
	bucketData  = []byte("data")  // key -> created, modified, value
	bucketLog   = []byte("log")   // revision -> its changes
	bucketMeta  = []byte("meta")  // "revision"
	bucketLease = []byte("lease") // name -> expiry, holder
	keyRevision = []byte("revision")
)

// DB is a store in a bbolt file.
type DB struct {
	db      *bbolt.DB
	writes  chan *write
	stopped chan struct{} // closed when the writer has ended
	closing chan struct{}
	once    sync.Once

	mu      sync.Mutex    // guards changed and newest
	changed chan struct{} // closed and replaced after every group of commits
	newest  release.Revision
}

// Open opens or makes the file. Another process that has it open is an error after two
// seconds.
func Open(path string) (*DB, error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: 2 * time.Second, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, hint.Add(fmt.Errorf("open store %s: another process has it open", path), "stop the other seatrial server first")
	}
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	d := &DB{db: db, writes: make(chan *write, maxGroup), stopped: make(chan struct{}), closing: make(chan struct{}), changed: make(chan struct{})}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), db.Close())
	}
	go d.writeAll()
	return d, nil
}

func (d *DB) prepare() error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketData, bucketLog, bucketMeta, bucketLease} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		d.newest = revision(tx)
		return nil
	})
}

// Close ends every watch and waits for the writes under way.
func (d *DB) Close() error {
	d.once.Do(func() { close(d.closing) })
	<-d.stopped
	return d.db.Close()
}

// Get returns one document.
func (d *DB) Get(_ context.Context, key string) (store.Entry, error) {
	var e store.Entry
	err := d.db.View(func(tx *bbolt.Tx) error {
		raw := tx.Bucket(bucketData).Get([]byte(key))
		if raw == nil {
			return fmt.Errorf("%s: %w", key, store.ErrNotFound)
		}
		e = decodeEntry(key, raw)
		return nil
	})
	return e, err
}

// List returns documents in key order.
func (d *DB) List(_ context.Context, prefix, after string, limit int) ([]store.Entry, error) {
	var out []store.Entry
	err := d.db.View(func(tx *bbolt.Tx) error {
		c, p := tx.Bucket(bucketData).Cursor(), []byte(prefix)
		k, v := c.Seek([]byte(max(prefix, after)))
		if string(k) == after {
			k, v = c.Next()
		}
		for ; k != nil && bytes.HasPrefix(k, p) && len(out) < limit; k, v = c.Next() {
			out = append(out, decodeEntry(string(k), v))
		}
		return nil
	})
	return out, err
}

// Revision is the newest revision.
func (d *DB) Revision(context.Context) (release.Revision, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.newest, nil
}

// Watch calls fn with every change under prefix after from.
func (d *DB) Watch(ctx context.Context, prefix string, from release.Revision, fn func(store.Change) error) error {
	for {
		d.mu.Lock()
		changed := d.changed
		d.mu.Unlock()
		changes, newest, err := d.since(prefix, from)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := fn(c); err != nil {
				return err
			}
		}
		if from = newest; len(changes) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.closing:
			return fmt.Errorf("watch %s: store closed", prefix)
		case <-changed:
		}
	}
}

// since reads a bounded number of revisions from the log.
func (d *DB) since(prefix string, from release.Revision) (out []store.Change, newest release.Revision, err error) {
	newest = from
	err = d.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketLog).Cursor()
		if first, _ := c.First(); first != nil && from+1 < decodeRevision(first) {
			return fmt.Errorf("watch %s from revision %d: %w", prefix, from, store.ErrCompacted)
		}
		for k, v := c.Seek(encodeRevision(from + 1)); k != nil && len(out) < maxGroup; k, v = c.Next() {
			newest = decodeRevision(k)
			out = append(out, decodeChanges(newest, prefix, v)...)
		}
		return nil
	})
	return out, newest, err
}

// Acquire takes or renews a lease.
func (d *DB) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error) {
	taken := false
	err := d.db.Update(func(tx *bbolt.Tx) error {
		b, now := tx.Bucket(bucketLease), time.Now()
		if raw := b.Get([]byte(name)); raw != nil {
			until := time.Unix(0, int64(binary.BigEndian.Uint64(raw)))
			if string(raw[8:]) != holder && now.Before(until) {
				return nil
			}
		}
		taken = true
		value := binary.BigEndian.AppendUint64(nil, uint64(now.Add(ttl).UnixNano()))
		return b.Put([]byte(name), append(value, holder...))
	})
	return taken, err
}

// Release gives a lease up.
func (d *DB) Release(_ context.Context, name, holder string) error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketLease)
		if raw := b.Get([]byte(name)); raw == nil || string(raw[8:]) != holder {
			return nil
		}
		return b.Delete([]byte(name))
	})
}
