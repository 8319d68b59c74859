package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/hint"
	"golang.org/x/crypto/argon2"
)

// Cost of one hash. 19 MiB and two passes is the lower of OWASP's equal settings that
// fits a server which has 200 MiB for everything; two at once are 38 MiB.
const (
	memoryKiB  = 19 * 1024
	passes     = 2
	threads    = 1
	saltBytes  = 16
	hashBytes  = 32
	atOnce     = 2
	mayWait    = 16
	minLetters = 12
	maxBytes   = 256
)

// hasher turns passwords into argon2id strings, a few at a time.
type hasher struct {
	working chan struct{}
	waiting chan struct{}
	nobody  string // a hash that no password has, so that strangers cost the same time
}

func newHasher() (*hasher, error) {
	h := &hasher{working: make(chan struct{}, atOnce), waiting: make(chan struct{}, mayWait)}
	var key [hashBytes]byte
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(key[:])
	_, _ = rand.Read(salt)
	h.nobody = encode(salt, key[:])
	return h, nil
}

// derive waits for its turn; a full queue is Limited.
func (h *hasher) derive(ctx context.Context, password string, salt []byte, memory, rounds uint32, lanes uint8) ([]byte, error) {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	default:
		return nil, &Limited{RetryAfter: time.Second}
	}
	select {
	case h.working <- struct{}{}:
		defer func() { <-h.working }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(password), salt, rounds, memory, lanes, hashBytes), nil
}

// hash makes a new hash of a password.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt)
	key, err := h.derive(ctx, password, salt, memoryKiB, passes, threads)
	if err != nil {
		return "", err
	}
	return encode(salt, key), nil
}

// matches compares in constant time. An empty hash matches nothing and costs the same.
func (h *hasher) matches(ctx context.Context, password, hash string) (bool, error) {
	known := hash != ""
	if !known {
		hash = h.nobody
	}
	var version int
	var memory, rounds uint32
	var lanes uint8
	parts := strings.Split(hash, "$") // "", argon2id, v=19, m=..,t=..,p=.., salt, key
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, fmt.Errorf("stored password: unknown form")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &rounds, &lanes); err != nil {
		return false, fmt.Errorf("stored password: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("stored password: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || version != argon2.Version || rounds == 0 || lanes == 0 || memory > 1<<20 {
		return false, fmt.Errorf("stored password: unknown form")
	}
	got, err := h.derive(ctx, password, salt, memory, rounds, lanes)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

func encode(salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memoryKiB, passes, threads, b64(salt), b64(key))
}

func checkPassword(p string) error {
	if utf8.RuneCountInString(p) < minLetters || len(p) > maxBytes {
		return hint.Add(fmt.Errorf("%w password: want %d characters to %d bytes", ErrInvalid, minLetters, maxBytes),
			"take a sentence that only you know")
	}
	return nil
}

// newPassword is 120 bits in letters nobody confuses, in groups: easy to type once.
func newPassword() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789" // 32 of them
	var b [24]byte
	_, _ = rand.Read(b[:])
	var s strings.Builder
	for i, c := range b {
		if i > 0 && i%6 == 0 {
			s.WriteByte('-')
		}
		s.WriteByte(letters[c%32])
	}
	return s.String()
}
