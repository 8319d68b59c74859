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

// Silences keeps what nobody wants to hear, and what is held back because of it.
type Silences struct{ KV store.KV }

const silencePrefix = "silence/"

// All lists every silence that is kept, in no order that means anything.
func (s Silences) All(ctx context.Context) ([]release.Silence, error) {
	var out []release.Silence
	for e, err := range store.Scan(ctx, s.KV, silencePrefix) {
		if err != nil {
			return nil, err
		}
		one := release.Silence{Version: e.Modified}
		if err := json.Unmarshal(e.Value, &one); err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Key, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// Active lists those that hold messages back.
func (s Silences) Active(ctx context.Context, now time.Time) ([]release.Silence, error) {
	all, err := s.All(ctx)
	var out []release.Silence
	for _, one := range all {
		if one.Active(now) {
			out = append(out, one)
		}
	}
	return out, err
}

// Put writes a silence that is still at its version, and forgets others.
func (s Silences) Put(ctx context.Context, one release.Silence, forget ...release.Silence) error {
	value, err := json.Marshal(one)
	if err != nil {
		return err
	}
	key := silencePrefix + one.ID
	t := store.Txn{If: []store.Condition{{Key: key, Modified: one.Version}}, Put: []store.Put{{Key: key, Value: value}}}
	for _, old := range forget {
		t.Delete = append(t.Delete, silencePrefix+old.ID)
	}
	_, err = s.KV.Commit(ctx, t)
	return err
}

// Hold puts pending messages away until the silence ends.
func (s Silences) Hold(ctx context.Context, by release.Silence, messages ...notify.Message) error {
	t := store.Txn{If: []store.Condition{{Key: silencePrefix + by.ID, Modified: by.Version}}}
	for _, m := range messages {
		m.Due = by.Until
		value, err := json.Marshal(m)
		if err != nil {
			return err
		}
		t.Put = append(t.Put, store.Put{Key: heldPrefix + m.ID, Value: value}, store.Put{Key: heldIndex + due(m.Due) + m.ID})
		t.Delete = append(t.Delete, pendingPrefix+m.ID)
	}
	_, err := s.KV.Commit(ctx, t)
	return err
}

// Release makes pending what a silence held back until then. What was due meanwhile has
// left by itself.
func (s Silences) Release(ctx context.Context, id string, until time.Time) error {
	prefix := heldIndex + due(until)
	for after := ""; ; {
		keys, err := s.KV.List(ctx, prefix, after, wakeAtOnce)
		if err != nil || len(keys) == 0 {
			return err
		}
		after = keys[len(keys)-1].Key
		var t store.Txn
		for _, k := range keys {
			e, err := s.KV.Get(ctx, heldPrefix+strings.TrimPrefix(k.Key, prefix))
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			var m notify.Message
			if err == nil {
				err = json.Unmarshal(e.Value, &m)
			}
			if err != nil {
				return fmt.Errorf("read %s: %w", k.Key, err)
			}
			if m.Silence != id {
				continue
			}
			m.Due, m.Held = time.Time{}, time.Time{}
			value, err := json.Marshal(m)
			if err != nil {
				return err
			}
			t.If = append(t.If, store.Condition{Key: e.Key, Modified: e.Modified})
			t.Put = append(t.Put, store.Put{Key: pendingPrefix + m.ID, Value: value})
			t.Delete = append(t.Delete, e.Key, k.Key)
		}
		if len(t.Put) == 0 {
			continue
		}
		if _, err := s.KV.Commit(ctx, t); err != nil && !errors.Is(err, store.ErrStale) {
			return err
		}
	}
}
