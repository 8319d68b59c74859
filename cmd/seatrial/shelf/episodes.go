package shelf

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

// Episodes keeps in which episodes the CPU at an autoscaler is high.
type Episodes struct{ KV store.KV }

const episodePrefix = "autoscaler/"

// Load is every episode that has not ended.
func (s Episodes) Load(ctx context.Context) ([]autoscale.Episode, error) {
	var out []autoscale.Episode
	for k, err := range store.Scan(ctx, s.KV, episodePrefix) {
		if err != nil {
			return nil, err
		}
		var e autoscale.Episode
		if err := json.Unmarshal(k.Value, &e); err != nil {
			return nil, fmt.Errorf("read %s: %w", k.Key, err)
		}
		e.Version = k.Modified
		out = append(out, e)
	}
	return out, nil
}

// Change keeps one that is still at its version, or forgets one that has ended, and queues
// the events.
func (s Episodes) Change(ctx context.Context, e autoscale.Episode, events ...release.Event) error {
	key := episodePrefix + e.Cluster + "/" + e.Namespace + "/" + e.Name
	t := store.Txn{If: []store.Condition{{Key: key, Modified: e.Version}}}
	if e.Ended.IsZero() {
		value, err := json.Marshal(e)
		if err != nil {
			return err
		}
		t.Put = append(t.Put, store.Put{Key: key, Value: value})
	} else {
		t.Delete = append(t.Delete, key)
	}
	for _, ev := range events {
		value, err := json.Marshal(ev)
		if err != nil {
			return err
		}
		t.Put = append(t.Put, store.Put{Key: store.OutboxPrefix + ev.ID, Value: value})
	}
	_, err := s.KV.Commit(ctx, t)
	return err
}
