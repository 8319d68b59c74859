package signing

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/options"
)

// Window is when signatures by a key count, by the time at which they were made.
type Window struct {
	From  time.Time // zero: always
	Until time.Time // zero: for ever
}

// Holds reports whether a signature made at that time counts.
func (w Window) Holds(at time.Time) bool {
	return !at.Before(w.From) && (w.Until.IsZero() || at.Before(w.Until))
}

// String is "2026-01-01T00:00:00Z..2027-01-01T00:00:00Z"; an end that is open is empty.
func (w Window) String() string {
	var ends [2]string
	for i, t := range []time.Time{w.From, w.Until} {
		if !t.IsZero() {
			ends[i] = t.UTC().Format(time.RFC3339)
		}
	}
	return strings.Join(ends[:], "..")
}

// ParseWindow reads what String writes; a day without a time is its beginning in UTC.
func ParseWindow(s string) (Window, error) {
	from, until, ok := strings.Cut(s, "..")
	if !ok {
		return Window{}, fmt.Errorf("window %q: want FROM..UNTIL", s)
	}
	var w Window
	for _, end := range []struct {
		text string
		time *time.Time
	}{{from, &w.From}, {until, &w.Until}} {
		if end.text == "" {
			continue
		}
		at, err := time.Parse(time.DateOnly, end.text)
		if err != nil {
			at, err = time.Parse(time.RFC3339, end.text)
		}
		if err != nil {
			return Window{}, fmt.Errorf("window %q: want days like 2026-12-31, or RFC 3339", s)
		}
		*end.time = at
	}
	return w, w.validate()
}

func (w Window) validate() error {
	if !w.Until.IsZero() && !w.From.Before(w.Until) {
		return fmt.Errorf("window %s ends before it begins", w)
	}
	return nil
}

// PublicKey is a key to verify with, and when signatures by it are accepted.
type PublicKey struct {
	ID     string // "sha256:…" of the key in PKIX form
	PEM    string // "-----BEGIN PUBLIC KEY-----…"
	Window Window

	key crypto.PublicKey
}

// Key signs. It prints nothing of itself but its ID.
type Key struct {
	signer signature.Signer // nil: it is only trusted, for what it signed before
	public PublicKey
	pkix   []byte
}

// NewKey makes a key of anything that signs with ECDSA P-256 and SHA-256: a file, a
// program that speaks for a KMS, a token.
func NewKey(signer signature.Signer, opts ...signature.PublicKeyOption) (*Key, error) {
	public, err := signer.PublicKey(opts...)
	if err != nil {
		return nil, fmt.Errorf("ask for the public key: %w", err)
	}
	if k, ok := public.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%T is not supported, want ECDSA P-256", public)
	}
	pkix, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, fmt.Errorf("encode the public key: %w", err)
	}
	return &Key{signer: signer, public: newPublicKey(public, pkix), pkix: pkix}, nil
}

func newPublicKey(key crypto.PublicKey, pkix []byte) PublicKey {
	sum := sha256.Sum256(pkix)
	return PublicKey{
		ID: "sha256:" + hex.EncodeToString(sum[:]), key: key,
		PEM: string(pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: pkix})),
	}
}

// ParsePublicKey reads one public key in PEM.
func ParsePublicKey(raw []byte) (PublicKey, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != publicBlock {
		return PublicKey{}, errors.New("public key: not a PEM block PUBLIC KEY")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key: %w", err)
	}
	return newPublicKey(key, block.Bytes), nil
}

// Within is the key with a window.
func (k *Key) Within(w Window) *Key {
	out := *k
	out.public.Window = w
	return &out
}

// Public is the half that anybody may have.
func (k *Key) Public() PublicKey { return k.public }

// Format prints the key's ID, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, "signing key ", k.public.ID) }

// keypair is the key as sigstore-go wants it.
type keypair struct{ *Key }

func (k keypair) GetHashAlgorithm() protocommon.HashAlgorithm {
	return protocommon.HashAlgorithm_SHA2_256
}

func (k keypair) GetSigningAlgorithm() protocommon.PublicKeyDetails {
	return protocommon.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256
}

func (k keypair) GetHint() []byte {
	sum := sha256.Sum256(k.pkix)
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

func (k keypair) GetKeyAlgorithm() string          { return "ECDSA" }
func (k keypair) GetPublicKey() crypto.PublicKey   { return k.public.key }
func (k keypair) GetPublicKeyPem() (string, error) { return k.public.PEM, nil }

// SignData returns the signature and the digest it was made of.
func (k keypair) SignData(ctx context.Context, data []byte) (signature, digest []byte, err error) {
	sum := sha256.Sum256(data)
	signature, err = k.signer.SignMessage(bytes.NewReader(data), options.WithContext(ctx))
	return signature, sum[:], err
}
