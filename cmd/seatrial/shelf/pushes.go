package shelf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/store"
)

// PushQueue keeps pushes in the store until their release is saved.
type PushQueue struct{ KV store.KV }

const (
	pushPrefix     = "push/"
	deliveryPrefix = "delivery/"
)

// pushKey sorts pushes by the time they came, so that a start takes them in that order.
func pushKey(p pipeline.Push) string {
	return fmt.Sprintf("%s%019d-%s", pushPrefix, p.At.UnixNano(), p.Delivery)
}

// Add keeps a push and the id of its delivery, and answers when both are on disk; false
// when that delivery was kept before.
func (q PushQueue) Add(ctx context.Context, p pipeline.Push) (fresh bool, err error) {
	value, err := json.Marshal(p)
	if err != nil {
		return false, err
	}
	seen := deliveryPrefix + p.Delivery
	_, err = q.KV.Commit(ctx, store.Txn{
		If:  []store.Condition{{Key: seen}},
		Put: []store.Put{{Key: seen, Value: p.At.AppendFormat(nil, time.RFC3339)}, {Key: pushKey(p), Value: value}},
	})
	if errors.Is(err, store.ErrStale) {
		return false, nil
	}
	return err == nil, err
}

// keepDeliveries is how long a delivery id is remembered, longer than any forge repeats.
const keepDeliveries = 7 * 24 * time.Hour

// Forget drops delivery ids that are older than keepDeliveries, now and every hour.
func (q PushQueue) Forget(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := q.ForgetBefore(ctx, time.Now().Add(-keepDeliveries)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// ForgetBefore drops delivery ids that are older.
func (q PushQueue) ForgetBefore(ctx context.Context, oldest time.Time) error {
	var old []string
	for e, err := range store.Scan(ctx, q.KV, deliveryPrefix) {
		if err != nil {
			return err
		}
		if at, err := time.Parse(time.RFC3339, string(e.Value)); err != nil || at.Before(oldest) {
			old = append(old, e.Key)
		}
	}
	for some := range slices.Chunk(old, 100) {
		if _, err := q.KV.Commit(ctx, store.Txn{Delete: some}); err != nil {
			return err
		}
	}
	return nil
}

// Pushes calls fn with what waits and then with what comes. After a burst that outran
// the watch it lists again; a push told twice becomes one release all the same.
func (q PushQueue) Pushes(ctx context.Context, fn func(key string, p pipeline.Push)) error {
	for {
		from, err := q.KV.Revision(ctx)
		if err != nil {
			return err
		}
		if err := q.waiting(ctx, fn); err != nil {
			return err
		}
		err = q.KV.Watch(ctx, pushPrefix, from, func(c store.Change) error {
			if c.Deleted {
				return nil
			}
			return q.take(ctx, c.Entry, fn)
		})
		if !errors.Is(err, store.ErrCompacted) {
			return err
		}
	}
}

func (q PushQueue) waiting(ctx context.Context, fn func(key string, p pipeline.Push)) error {
	for e, err := range store.Scan(ctx, q.KV, pushPrefix) {
		if err == nil {
			err = q.take(ctx, e, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take hands one push on; one that cannot be read can never be, so it goes.
func (q PushQueue) take(ctx context.Context, e store.Entry, fn func(key string, p pipeline.Push)) error {
	var p pipeline.Push
	if err := json.Unmarshal(e.Value, &p); err != nil {
		return q.Drop(ctx, e.Key)
	}
	fn(e.Key, p)
	return nil
}

// Drop forgets a push.
func (q PushQueue) Drop(ctx context.Context, key string) error {
	_, err := q.KV.Commit(ctx, store.Txn{Delete: []string{key}})
	return err
}
