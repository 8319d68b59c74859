package bolt

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

// maxGroup is how many transactions share one disk transaction.
const maxGroup = 512

// Limits of one transaction, the same that etcd has.
const (
	maxOperations = 128
	maxBytes      = 1 << 20
)

type write struct {
	txn  store.Txn
	done chan struct{}
	rev  release.Revision
	err  error
}

// Commit carries out t and answers when it is on disk.
func (d *DB) Commit(ctx context.Context, t store.Txn) (release.Revision, error) {
	if err := within(t); err != nil {
		return 0, err
	}
	w := &write{txn: t, done: make(chan struct{})}
	select {
	case d.writes <- w:
	case <-d.closing:
		return 0, errors.New("commit: store closed")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case <-w.done:
		return w.rev, w.err
	case <-d.stopped:
		return 0, errors.New("commit: store closed")
	}
}

func within(t store.Txn) error {
	size := 0
	for _, p := range t.Put {
		size += len(p.Key) + len(p.Value)
	}
	if n := len(t.If) + len(t.Put) + len(t.Delete); n > maxOperations || size > maxBytes {
		return fmt.Errorf("commit: %d operations and %d bytes, more than %d or %d: %w", n, size, maxOperations, maxBytes, store.ErrTooBig)
	}
	return nil
}

// writeAll is the only writer: it takes what waits and writes it as one group.
func (d *DB) writeAll() {
	defer close(d.stopped)
	for {
		select {
		case <-d.closing:
			return
		case w := <-d.writes:
			d.writeGroup(d.waiting(w))
		}
	}
}

func (d *DB) waiting(first *write) []*write {
	group := []*write{first}
	for len(group) < maxGroup {
		select {
		case w := <-d.writes:
			group = append(group, w)
		default:
			return group
		}
	}
	return group
}

func (d *DB) writeGroup(group []*write) {
	var newest release.Revision
	err := d.db.Update(func(tx *bbolt.Tx) error {
		newest = revision(tx)
		for _, w := range group {
			if w.err = holds(tx, w.txn); w.err != nil {
				continue
			}
			newest++
			if err := carryOut(tx, newest, w.txn); err != nil {
				return err
			}
			w.rev = newest
		}
		return tx.Bucket(bucketMeta).Put(keyRevision, encodeRevision(newest))
	})
	if err == nil {
		d.announce(newest) // before anybody is answered: who has committed sees it
	}
	for _, w := range group {
		if err != nil {
			w.rev, w.err = 0, fmt.Errorf("commit: %w", err)
		}
		close(w.done)
	}
}

func (d *DB) announce(newest release.Revision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if newest == d.newest {
		return
	}
	d.newest = newest
	close(d.changed)
	d.changed = make(chan struct{})
}

func holds(tx *bbolt.Tx, t store.Txn) error {
	data := tx.Bucket(bucketData)
	for _, c := range t.If {
		var modified release.Revision
		if raw := data.Get([]byte(c.Key)); raw != nil {
			modified = decodeEntry(c.Key, raw).Modified
		}
		if modified != c.Modified {
			return fmt.Errorf("%s is at revision %d, not %d: %w", c.Key, modified, c.Modified, store.ErrStale)
		}
	}
	return nil
}

func carryOut(tx *bbolt.Tx, rev release.Revision, t store.Txn) error {
	data, log := tx.Bucket(bucketData), tx.Bucket(bucketLog)
	var record []byte
	for _, p := range t.Put {
		created := rev
		if raw := data.Get([]byte(p.Key)); raw != nil {
			created = decodeEntry(p.Key, raw).Created
		}
		value := encodeEntry(created, rev, p.Value)
		if err := data.Put([]byte(p.Key), value); err != nil {
			return err
		}
		record = appendChange(record, p.Key, value)
	}
	for _, key := range t.Delete {
		if data.Get([]byte(key)) == nil {
			continue
		}
		if err := data.Delete([]byte(key)); err != nil {
			return err
		}
		record = appendChange(record, key, nil)
	}
	if rev > kept {
		if err := log.Delete(encodeRevision(rev - kept)); err != nil {
			return err
		}
	}
	return log.Put(encodeRevision(rev), record)
}
