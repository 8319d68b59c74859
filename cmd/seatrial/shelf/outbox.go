package shelf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

// Outbox keeps events until they are planned and messages until they are told.
type Outbox struct{ KV store.KV }

const (
	pendingPrefix = "message/pending/"
	heldPrefix    = "message/held/" // what was planned for later, until it is due
	heldIndex     = "index/held/"   // the same by time: only what is due is read
	donePrefix    = "message/done/"
	groupPrefix   = "group/"
)

// Events lists events that are not planned yet.
func (o Outbox) Events(ctx context.Context, limit int) ([]release.Event, error) {
	return list[release.Event](ctx, o.KV, store.OutboxPrefix, limit)
}

// Group is when a group was, or will be, told at last.
func (o Outbox) Group(ctx context.Context, key string) (notify.Group, error) {
	e, err := o.KV.Get(ctx, groupPrefix+key)
	if errors.Is(err, store.ErrNotFound) {
		return notify.Group{Key: key}, nil
	}
	g := notify.Group{Key: key, Version: e.Modified}
	if err == nil {
		err = json.Unmarshal(e.Value, &g)
	}
	return g, err
}

// Plan stores messages that were never stored, and their groups, and forgets the event.
func (o Outbox) Plan(ctx context.Context, e release.Event, messages []notify.Message, groups ...notify.Group) error {
	t := store.Txn{Delete: []string{store.OutboxPrefix + e.ID}}
	for _, m := range messages {
		known, err := o.known(ctx, m.ID)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		puts, err := first(m)
		if err != nil {
			return err
		}
		t.If = append(t.If, store.Condition{Key: puts[0].Key})
		t.Put = append(t.Put, puts...)
	}
	for _, g := range groups {
		value, err := json.Marshal(g)
		if err != nil {
			return err
		}
		t.If = append(t.If, store.Condition{Key: groupPrefix + g.Key, Modified: g.Version})
		t.Put = append(t.Put, store.Put{Key: groupPrefix + g.Key, Value: value})
	}
	_, err := o.KV.Commit(ctx, t)
	return err
}

// first writes a message for the first time, the message itself before its place in time.
func first(m notify.Message) ([]store.Put, error) {
	value, err := json.Marshal(m)
	if m.Due.IsZero() {
		return []store.Put{{Key: pendingPrefix + m.ID, Value: value}}, err
	}
	return []store.Put{{Key: heldPrefix + m.ID, Value: value}, {Key: heldIndex + due(m.Due) + m.ID}}, err
}

func (o Outbox) known(ctx context.Context, id string) (bool, error) {
	for _, prefix := range []string{pendingPrefix, heldPrefix, donePrefix} {
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

// due is a time as a key that sorts, with a border behind it.
func due(t time.Time) string { return fmt.Sprintf("%020d/", t.UnixNano()) }

// Pending lists messages that are due, up to limit of each channel.
func (o Outbox) Pending(ctx context.Context, now time.Time, limit int) ([]notify.Message, error) {
	if err := o.wake(ctx, now); err != nil {
		return nil, err
	}
	var out []notify.Message
	of := map[string]int{}
	for e, err := range store.Scan(ctx, o.KV, pendingPrefix) {
		if err != nil {
			return nil, err
		}
		id := strings.TrimPrefix(e.Key, pendingPrefix)
		if of[id[strings.LastIndex(id, "@")+1:]] >= limit {
			continue // without reading it: a channel that is full may have thousands
		}
		var m notify.Message
		if err := json.Unmarshal(e.Value, &m); err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Key, err)
		}
		if m.Due.After(now) {
			continue
		}
		of[m.Channel]++
		out = append(out, m)
	}
	return out, nil
}

// wakeAtOnce keeps what is moved in one transaction below its limit.
const wakeAtOnce = 30

// wake moves what was held and is due to what is pending.
func (o Outbox) wake(ctx context.Context, now time.Time) error {
	for {
		keys, err := o.KV.List(ctx, heldIndex, "", wakeAtOnce)
		if err != nil {
			return err
		}
		var t store.Txn
		for _, k := range keys {
			if k.Key > heldIndex+due(now)+"\xff" {
				break
			}
			_, id, _ := strings.Cut(strings.TrimPrefix(k.Key, heldIndex), "/")
			t.Delete = append(t.Delete, k.Key)
			e, err := o.KV.Get(ctx, heldPrefix+id)
			if errors.Is(err, store.ErrNotFound) {
				continue // a place without a message must not stop everybody's
			}
			if err != nil {
				return err
			}
			t.If = append(t.If, store.Condition{Key: e.Key, Modified: e.Modified})
			t.Put = append(t.Put, store.Put{Key: pendingPrefix + id, Value: e.Value})
			t.Delete = append(t.Delete, heldPrefix+id)
		}
		if len(t.Delete) == 0 {
			return nil
		}
		if _, err := o.KV.Commit(ctx, t); err != nil && !errors.Is(err, store.ErrStale) { // a silence was ended just now
			return err
		}
	}
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
