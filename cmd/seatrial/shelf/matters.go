package shelf

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/notify/escalation"
	"github.com/seatrial/seatrial/store"
)

// Matters keeps trouble that has not ended, and when it did.
type Matters struct{ KV store.KV }

const (
	matterPrefix = "matter/"
	matterIndex  = "index/matter/" // of those that are open
)

// Matter is one by its id.
func (s Matters) Matter(ctx context.Context, id string) (escalation.Matter, error) {
	e, err := s.KV.Get(ctx, matterPrefix+id)
	if errors.Is(err, store.ErrNotFound) {
		return escalation.Matter{}, nil
	}
	m := escalation.Matter{Version: e.Modified}
	if err == nil {
		err = json.Unmarshal(e.Value, &m)
	}
	return m, err
}

// Open lists those that last.
func (s Matters) Open(ctx context.Context) ([]escalation.Matter, error) {
	var out []escalation.Matter
	for k, err := range store.Scan(ctx, s.KV, matterIndex) {
		if err != nil {
			return nil, err
		}
		m, err := s.Matter(ctx, strings.TrimPrefix(k.Key, matterIndex))
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// Step keeps a matter that is still at its version, and new messages.
func (s Matters) Step(ctx context.Context, m escalation.Matter, messages ...notify.Message) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	key := matterPrefix + m.ID
	t := store.Txn{If: []store.Condition{{Key: key, Modified: m.Version}}, Put: []store.Put{{Key: key, Value: value}}}
	if m.Open() {
		t.Put = append(t.Put, store.Put{Key: matterIndex + m.ID})
	} else {
		t.Delete = append(t.Delete, matterIndex+m.ID)
	}
	for _, one := range messages {
		puts, err := first(one)
		if err != nil {
			return err
		}
		t.Put = append(t.Put, puts...)
	}
	_, err = s.KV.Commit(ctx, t)
	return err
}
