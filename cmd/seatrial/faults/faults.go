// Package faults introduces whoever carries faults out: Chaos Mesh on the clusters, and
// the kinds of our own.
//
// Start at Kinds; a plug-in is one line more there. It never breaks anything itself.
package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/chaos/connections"
	"github.com/seatrial/seatrial/chaos/execs"
	"github.com/seatrial/seatrial/chaos/mesh"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/store"
)

// Kinds are all kinds of faults with who carries them out, and what has to run beside them:
// the watches of their faults.
func Kinds(ctx context.Context, clusters *kube.Clusters, secrets func(name string) secret.Text, kv store.KV) (chaos.Kinds, func(context.Context) error, error) {
	installation, err := shelf.Installation(ctx, kv)
	if err != nil {
		return chaos.Kinds{}, nil, fmt.Errorf("name this installation: %w", err)
	}
	m := &mesh.Mesh{Clusters: clusters.Get, Watches: mesh.Watches(), Installation: installation}
	return chaos.Kinds{Finder: m, Else: m, Own: map[string]chaos.Provider{
		faults.ConnectionPool: &connections.Connections{
			Secret: secrets, Variable: platform.SecretVariable, Journal: Journal{KV: kv}, Now: time.Now,
			Open: map[string]connections.Open{"mysql": connections.MySQL, "postgres": connections.Postgres},
		},
		faults.Exec: &execs.Execs{Clusters: clusters.Get, Run: kube.Exec, Installation: installation, Now: time.Now},
	}}, m.Watches.Run, nil
}

// Journal keeps in the store which faults of our own are active.
type Journal struct{ KV store.KV }

const (
	prefix = "fault/"
	most   = 1000
)

// Keep stores a fault under its run, over what was there.
func (j Journal) Keep(ctx context.Context, f chaos.Found) error {
	value, err := json.Marshal(f)
	if err != nil {
		return err
	}
	_, err = j.KV.Commit(ctx, store.Txn{Put: []store.Put{{Key: prefix + f.Run, Value: value}}})
	return err
}

// Kept lists them.
func (j Journal) Kept(ctx context.Context) ([]chaos.Found, error) {
	entries, err := j.KV.List(ctx, prefix, "", most)
	if err != nil {
		return nil, err
	}
	all := make([]chaos.Found, 0, len(entries))
	for _, e := range entries {
		var f chaos.Found
		if err := json.Unmarshal(e.Value, &f); err != nil {
			return nil, fmt.Errorf("read %s: %w", e.Key, err)
		}
		all = append(all, f)
	}
	return all, nil
}

// Forget deletes one; of none it is no error.
func (j Journal) Forget(ctx context.Context, run string) error {
	_, err := j.KV.Commit(ctx, store.Txn{Delete: []string{prefix + run}})
	return err
}
