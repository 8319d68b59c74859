// Package secrets holds the secrets that one build may mount.
//
// Start at Set. A value never leaves it but through a mount of BuildKit, to whoever masks
// it, and under a key of the server's own.
package secrets

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/secrets/secretsprovider"

	"github.com/seatrial/seatrial/builder/inputs"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

// Set is the secrets of a build by the ids under which its steps mount them.
type Set map[string]secret.Text

// Parts are the secrets as inputs of the build, keyed.
func (s Set) Parts(key []byte) inputs.Set {
	var out inputs.Set
	for _, id := range slices.Sorted(maps.Keys(s)) {
		out = append(out, inputs.Keyed(key, id, s[id]))
	}
	return out
}

// Scope is a name that only builds with the same secrets share; empty without secrets.
// BuildKit leaves a secret out of the key of what it caches, so whoever wrote the same
// step with another secret, or none, would be given what this one fetched.
func (s Set) Scope(key []byte) string {
	if len(s) == 0 {
		return ""
	}
	return "build-" + s.Parts(key).Digest().Hex()[:24]
}

// Values are what must not show up anywhere.
func (s Set) Values() []secret.Text { return slices.Collect(maps.Values(s)) }

// Attach lets BuildKit ask for the secrets that a step mounts.
func (s Set) Attach() session.Attachable {
	values := make(map[string][]byte, len(s))
	for id, value := range s {
		values[id] = []byte(value.Reveal())
	}
	return secretsprovider.FromMap(values)
}

const keyBytes = 32

// OpenKey reads the key that secrets are compared under, and makes it when there is none.
func OpenKey(file string) ([]byte, error) {
	key, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return makeKey(file)
	case err != nil:
		return nil, fmt.Errorf("read the key of secrets: %w", err)
	case len(key) != keyBytes:
		return nil, hint.Add(fmt.Errorf("key of secrets %s: %d bytes, want %d", file, len(key), keyBytes), "delete it: builds with secrets run once more, nothing else is lost")
	}
	return key, nil
}

// makeKey puts the key in place as a whole, for its owner alone.
func makeKey(file string) ([]byte, error) {
	key := make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make the key of secrets: %w", err)
	}
	if err := secret.Keep(file, key); err != nil {
		return nil, fmt.Errorf("save the key of secrets: %w", err)
	}
	return key, nil
}
