package shelf

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/seatrial/seatrial/store"
)

const installation = "installation"

// Installation names this Seatrial among others that share a cluster with it. Whoever asks
// first chooses it, at random; it stays with the store.
func Installation(ctx context.Context, kv store.KV) (string, error) {
	chosen := strings.ToLower(rand.Text())
	_, err := kv.Commit(ctx, store.Txn{If: []store.Condition{{Key: installation}}, Put: []store.Put{{Key: installation, Value: []byte(chosen)}}})
	if err == nil {
		return chosen, nil
	}
	if !errors.Is(err, store.ErrStale) {
		return "", err
	}
	e, err := kv.Get(ctx, installation)
	return string(e.Value), err
}
