// Package shelf keeps the documents of the parts in the store: what people said, which
// faults ran, which breaches were told, who signed in. Each type fulfils one interface
// that a part declares.
//
// Start at Vault, the simplest. It never decides anything: it writes, reads and lists.
package shelf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/web/vault"
)

// Vault keeps what package web remembers.
type Vault struct{ KV store.KV }

const vaultPrefix = "web/"

// Get returns one record.
func (v Vault) Get(ctx context.Context, key string) (vault.Record, error) {
	e, err := v.KV.Get(ctx, vaultPrefix+key)
	if errors.Is(err, store.ErrNotFound) {
		return vault.Record{}, fmt.Errorf("%s: %w", key, vault.ErrNotFound)
	}
	return record(e), err
}

func record(e store.Entry) vault.Record {
	return vault.Record{Key: strings.TrimPrefix(e.Key, vaultPrefix), Value: e.Value, Revision: e.Modified}
}

// Put writes a record that is still at revision was.
func (v Vault) Put(ctx context.Context, key string, value []byte, was release.Revision) error {
	key = vaultPrefix + key
	_, err := v.KV.Commit(ctx, store.Txn{
		If:  []store.Condition{{Key: key, Modified: was}},
		Put: []store.Put{{Key: key, Value: value}},
	})
	if errors.Is(err, store.ErrStale) {
		return fmt.Errorf("%s: %w", key, vault.ErrStale)
	}
	return err
}

// Delete removes a record.
func (v Vault) Delete(ctx context.Context, key string) error {
	_, err := v.KV.Commit(ctx, store.Txn{Delete: []string{vaultPrefix + key}})
	return err
}

// List returns records in key order.
func (v Vault) List(ctx context.Context, prefix, after string, limit int) ([]vault.Record, error) {
	if after != "" {
		after = vaultPrefix + after
	}
	entries, err := v.KV.List(ctx, vaultPrefix+prefix, after, limit)
	out := make([]vault.Record, 0, len(entries))
	for _, e := range entries {
		out = append(out, record(e))
	}
	return out, err
}

// Approvals keeps what people said about releases.
type Approvals struct{ KV store.KV }

func approvalPrefix(id release.ID, env release.Env) string {
	return "approval/" + string(id) + "/" + string(env) + "/"
}

// Approvals lists what was said, oldest first.
func (a Approvals) Approvals(ctx context.Context, id release.ID, env release.Env) ([]policies.Approval, error) {
	return list[policies.Approval](ctx, a.KV, approvalPrefix(id, env), math.MaxInt)
}

// Approve adds what one person said.
func (a Approvals) Approve(ctx context.Context, said policies.Approval) error {
	key := fmt.Sprintf("%s%020d-%s", approvalPrefix(said.Release, said.Env), said.At.UnixNano(), said.By)
	err := create(ctx, a.KV, key, said)
	if errors.Is(err, store.ErrStale) {
		return nil
	}
	return err
}

// Breaches keeps which breaches were told.
type Breaches struct{ KV store.KV }

const breachPrefix = "breach/"

// Load is every breach that has not ended.
func (b Breaches) Load(ctx context.Context) ([]slo.Breach, error) {
	return list[slo.Breach](ctx, b.KV, breachPrefix, math.MaxInt)
}

// Change stores or forgets a breach together with its event.
func (b Breaches) Change(ctx context.Context, breach slo.Breach, e release.Event) error {
	event, err := json.Marshal(e)
	if err != nil {
		return err
	}
	value, err := json.Marshal(breach)
	if err != nil {
		return err
	}
	t := store.Txn{Put: []store.Put{{Key: store.OutboxPrefix + e.ID, Value: event}}}
	if breach.Ended.IsZero() {
		t.Put = append(t.Put, store.Put{Key: breachPrefix + breach.Key(), Value: value})
	} else {
		t.Delete = []string{breachPrefix + breach.Key()}
	}
	_, err = b.KV.Commit(ctx, t)
	return err
}

func create(ctx context.Context, kv store.KV, key string, doc any) error {
	value, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = kv.Commit(ctx, store.Txn{If: []store.Condition{{Key: key}}, Put: []store.Put{{Key: key, Value: value}}})
	return err
}

// list reads every document below a prefix, up to limit.
func list[T any](ctx context.Context, kv store.KV, prefix string, limit int) ([]T, error) {
	var out []T
	for e, err := range store.Scan(ctx, kv, prefix) {
		if err != nil {
			return nil, err
		}
		if len(out) == limit {
			break
		}
		var v T
		if err := json.Unmarshal(e.Value, &v); err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Key, err)
		}
		out = append(out, v)
	}
	return out, nil
}
