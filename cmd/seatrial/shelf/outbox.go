package shelf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

// Outbox keeps events until they are planned and messages until they are told.
type Outbox struct{ KV store.KV }

const (
	pendingPrefix = "message/pending/"
	donePrefix    = "message/done/"
)

// Events lists events that are not planned yet.
func (o Outbox) Events(ctx context.Context, limit int) ([]release.Event, error) {
	return list[release.Event](ctx, o.KV, store.OutboxPrefix, limit)
}

// Plan stores messages that were never stored and forgets the event.
func (o Outbox) Plan(ctx context.Context, e release.Event, messages []notify.Message) error {
	t := store.Txn{Delete: []string{store.OutboxPrefix + e.ID}}
	for _, m := range messages {
		known, err := o.known(ctx, m.ID)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		value, err := json.Marshal(m)
		if err != nil {
			return err
		}
		t.If = append(t.If, store.Condition{Key: pendingPrefix + m.ID})
		t.Put = append(t.Put, store.Put{Key: pendingPrefix + m.ID, Value: value})
	}
	_, err := o.KV.Commit(ctx, t)
	return err
}

func (o Outbox) known(ctx context.Context, id string) (bool, error) {
	for _, prefix := range []string{pendingPrefix, donePrefix} {
		_, err := o.KV.Get(ctx, prefix+id)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
	}
	return false, nil
}

// Pending lists messages that wait.
func (o Outbox) Pending(ctx context.Context, limit int) ([]notify.Message, error) {
	return list[notify.Message](ctx, o.KV, pendingPrefix, limit)
}

// Save replaces messages, all or none; told and dead ones leave the list of the pending.
func (o Outbox) Save(ctx context.Context, messages ...notify.Message) error {
	var t store.Txn
	for _, m := range messages {
		value, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("write message %s: %w", m.ID, err)
		}
		if m.State == notify.Pending {
			t.Put = append(t.Put, store.Put{Key: pendingPrefix + m.ID, Value: value})
			continue
		}
		t.Put = append(t.Put, store.Put{Key: donePrefix + m.ID, Value: value})
		t.Delete = append(t.Delete, pendingPrefix+m.ID)
	}
	_, err := o.KV.Commit(ctx, t)
	return err
}

// Services lists every service that ever had a release.
func Services(ctx context.Context, kv store.KV) ([]release.Service, error) {
	const prefix = "index/service/"
	var out []release.Service
	for after := ""; ; {
		next, err := kv.List(ctx, prefix, after, 1)
		if err != nil || len(next) == 0 {
			return out, err
		}
		team, rest, _ := strings.Cut(strings.TrimPrefix(next[0].Key, prefix), "/")
		name, _, _ := strings.Cut(rest, "/")
		out = append(out, release.Service(team+"/"+name))
		after = prefix + team + "/" + name + "/\xff"
	}
}
