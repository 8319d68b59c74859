package shelf

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/notify/escalation"
	"github.com/seatrial/seatrial/store"
)

// keepTold is how long it is remembered what was told, and to whom: an event that comes
// again later than that is told again. Only an alert that fires for months does.
const keepTold = 90 * 24 * time.Hour

// Forget drops what was told, and trouble that was over, longer than keepTold ago: now and
// every day.
func (o Outbox) Forget(ctx context.Context) error {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		if err := o.ForgetBefore(ctx, time.Now().Add(-keepTold)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// ForgetBefore drops messages that ended, groups that were told and matters that were over
// before a time.
func (o Outbox) ForgetBefore(ctx context.Context, oldest time.Time) error {
	for prefix, last := range map[string]func(value []byte) (time.Time, error){
		donePrefix: func(value []byte) (time.Time, error) {
			var m notify.Message
			err := json.Unmarshal(value, &m)
			return slices.MaxFunc([]time.Time{m.Told, m.Held, m.Event.At}, time.Time.Compare), err
		},
		groupPrefix: func(value []byte) (time.Time, error) {
			var g notify.Group
			err := json.Unmarshal(value, &g)
			return g.Last, err
		},
		matterPrefix: func(value []byte) (time.Time, error) {
			var m escalation.Matter
			err := json.Unmarshal(value, &m)
			if m.Open() {
				return oldest, err
			}
			return m.Over, err
		},
	} {
		if err := o.forget(ctx, prefix, oldest, last); err != nil {
			return err
		}
	}
	return nil
}

func (o Outbox) forget(ctx context.Context, prefix string, oldest time.Time, last func([]byte) (time.Time, error)) error {
	var old []store.Condition
	for e, err := range store.Scan(ctx, o.KV, prefix) {
		if err != nil {
			return err
		}
		if at, err := last(e.Value); err == nil && at.Before(oldest) { // what cannot be read is not known to be old
			old = append(old, store.Condition{Key: e.Key, Modified: e.Modified})
		}
	}
	for _, one := range old { // by itself: one that changes just now keeps no other
		if _, err := o.KV.Commit(ctx, store.Txn{If: []store.Condition{one}, Delete: []string{one.Key}}); err != nil && !errors.Is(err, store.ErrStale) {
			return err
		}
	}
	return nil
}
