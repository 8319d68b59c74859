package signing

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin"
	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

// Source says where a key is, and when signatures by it count.
type Source struct {
	File    string // an encrypted key, made when it is missing; with the ending .pub only the public half
	Program string // "NAME://REF": the program sigstore-kms-NAME signs, with a key that never comes here
	Window  Window
}

// Ring is the platform's keys: the one that signs now, those before it, and maybe those
// to come. Keys overlap while they are being replaced.
type Ring struct{ keys []*Key }

// NewRing makes a ring of keys, each with the window it has.
func NewRing(keys ...*Key) (*Ring, error) {
	if len(keys) == 0 {
		return nil, errors.New("no signing key")
	}
	for i, k := range keys {
		if slices.ContainsFunc(keys[:i], func(other *Key) bool { return other.public.ID == k.public.ID }) {
			return nil, fmt.Errorf("signing key %s is there twice", k.public.ID)
		}
	}
	return &Ring{keys: keys}, nil
}

// OpenRing opens the keys. Of a key whose window is over only the public half is read,
// so that its passphrase or program need not be kept.
func OpenRing(ctx context.Context, passphrase secret.Text, now time.Time, sources ...Source) (*Ring, error) {
	var keys []*Key
	for _, s := range sources {
		k, err := s.open(ctx, passphrase, now)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k.Within(s.Window))
	}
	r, err := NewRing(keys...)
	if err != nil {
		return nil, err
	}
	_, err = r.signing(now)
	return r, err
}

func (s Source) name() string { return "signing key " + s.File + s.Program }

func (s Source) open(ctx context.Context, passphrase secret.Text, now time.Time) (*Key, error) {
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name(), err)
	}
	over := !s.Window.Until.IsZero() && !now.Before(s.Window.Until)
	switch {
	case s.File == "":
		return s.ask(ctx)
	case over && !strings.HasSuffix(s.File, publicEnding):
		return readPublic(publicName(s.File))
	case strings.HasSuffix(s.File, publicEnding):
		return readPublic(s.File)
	}
	return LoadOrCreateKey(s.File, passphrase)
}

func (s Source) validate() error {
	if (s.File == "") == (s.Program == "") {
		return errors.New("want either a file or a program")
	}
	return s.Window.validate()
}

// ask takes the public half of a key that another program holds.
func (s Source) ask(ctx context.Context) (*Key, error) {
	// The client passes on the deadline it was made with, for ever.
	client, err := cliplugin.LoadSignerVerifier(context.WithoutCancel(ctx), s.Program, crypto.SHA256)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("%s: %w", s.name(), err), "put the program "+cliplugin.PluginBinaryPrefix+"NAME on the server's PATH, and write the key as NAME://REF")
	}
	k, err := NewKey(client, options.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name(), err)
	}
	return k, nil
}

func readPublic(file string) (*Key, error) {
	p, err := ReadPublicKey(file)
	if err != nil {
		return nil, err
	}
	return &Key{public: p}, nil
}

// Public is what to verify with: every key, each with its window.
func (r *Ring) Public() []PublicKey {
	var out []PublicKey
	for _, k := range r.keys {
		out = append(out, k.public)
	}
	return out
}

// signing is the key to sign with: of those that may, the one whose window began last.
func (r *Ring) signing(at time.Time) (*Key, error) {
	var best *Key
	for _, k := range r.keys {
		if k.signer != nil && k.public.Window.Holds(at) && (best == nil || k.public.Window.From.After(best.public.Window.From)) {
			best = k
		}
	}
	if best == nil {
		return nil, hint.Add(fmt.Errorf("no signing key counts at %s", at.UTC().Format(time.RFC3339)),
			"add a key to signing.keys in the server's settings, with a window that has begun")
	}
	return best, nil
}
