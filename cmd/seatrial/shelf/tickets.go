package shelf

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/seatrial/seatrial/notify/jira"
	"github.com/seatrial/seatrial/store"
)

// Tickets remembers tickets and the intents to create them.
type Tickets struct{ KV store.KV }

const ticketPrefix = "ticket/"

// Recall returns what is known of a thread; nothing is the zero Note.
func (t Tickets) Recall(ctx context.Context, key string) (n jira.Note, err error) {
	e, err := t.KV.Get(ctx, ticketPrefix+key)
	if errors.Is(err, store.ErrNotFound) {
		return n, nil
	}
	if err != nil {
		return n, err
	}
	return n, json.Unmarshal(e.Value, &n)
}

// Keep replaces what is known of a thread; the zero Note forgets it.
func (t Tickets) Keep(ctx context.Context, key string, n jira.Note) error {
	key = ticketPrefix + key
	if n == (jira.Note{}) {
		_, err := t.KV.Commit(ctx, store.Txn{Delete: []string{key}})
		return err
	}
	value, err := json.Marshal(n)
	if err != nil {
		return err
	}
	_, err = t.KV.Commit(ctx, store.Txn{Put: []store.Put{{Key: key, Value: value}}})
	return err
}
