//go:build cgo

package module_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"os"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/signing/token"
	"github.com/seatrial/seatrial/signing/token/module"
	"github.com/seatrial/seatrial/signing/token/tokentest"
)

func TestAKeySignsWhereItIs(t *testing.T) {
	hsm := tokentest.New(t)
	hsm.Make(t, tokentest.Pair{Private: "release", Public: "release", ID: 1}, tokentest.Pair{Private: "always", Public: "always", ID: 2, Always: true},
		tokentest.Pair{Private: "twin", Public: "twin", ID: 3}, tokentest.Pair{Private: "twin", Public: "twin", ID: 4},
		tokentest.Pair{Private: "large", Public: "large", ID: 5, Curve: elliptic.P384()},
		tokentest.Pair{Private: "odd", Public: "even", ID: 6}, tokentest.Pair{Private: "even", Public: "odd", ID: 7}, tokentest.Pair{Private: "half", Public: "none", ID: 8})
	digest := sha256.Sum256([]byte("what is signed"))
	for _, c := range []struct {
		name string
		key  token.Key
		pin  secret.Text
		want string // of the error, from opening or from signing
		hint string
	}{
		{name: "by label and id", key: hsm.Key("release", "01")},
		{name: "by label", key: hsm.Key("release", "")},
		{name: "by id", key: hsm.Key("", "01")},
		{name: "of two with one label, by the id", key: hsm.Key("twin", "04")},
		{name: "one that wants the PIN each time", key: hsm.Key("always", "02")},
		{name: "two with one label", key: hsm.Key("twin", ""), want: "several private keys", hint: "both the label and the id"},
		{name: "none", key: hsm.Key("nowhere", ""), want: `no private key with label "nowhere"`},
		{name: "a public half that is missing", key: hsm.Key("half", ""), want: `no public key with label "half"`},
		{name: "halves of two keys", key: hsm.Key("odd", ""), want: "not that of the public key", hint: "that both halves have"},
		{name: "another curve", key: hsm.Key("large", ""), want: "want ECDSA P-256"},
		{name: "a wrong PIN", key: hsm.Key("release", ""), pin: "not-the-right-one", want: "sign in", hint: "correct SEATRIAL_SIGNING_PIN"},
		{name: "another token", key: token.Key{Module: hsm.Module, Token: "elsewhere", Label: "release"}, want: "no such token", hint: "the module has: " + hsm.Label},
		{name: "no module", key: token.Key{Module: "/nowhere.so", Token: hsm.Label, Label: "release"}, want: "/nowhere.so", hint: "whole path"},
		{name: "a module that is none", key: token.Key{Module: os.Args[0], Token: hsm.Label, Label: "release"}, want: "not a library"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.pin == "" {
				c.pin = tokentest.PIN
			}
			var signed []byte
			h, err := module.Open(c.key, c.pin)
			if err == nil {
				defer func() {
					if err := h.Close(); err != nil {
						t.Error(err)
					}
				}()
				signed, err = h.Sign(nil, digest[:], crypto.SHA256)
			}
			if c.want == "" {
				if err != nil || !ecdsa.VerifyASN1(h.Public().(*ecdsa.PublicKey), digest[:], signed) {
					t.Errorf("signature %x, %v", signed, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint) || strings.Contains(err.Error(), c.pin.Reveal()) {
				t.Errorf("error %v, hint %q, want %q", err, hint.Of(err), c.want)
			}
		})
	}
	h, err := module.Open(hsm.Key("release", ""), tokentest.PIN)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if _, err := h.Sign(nil, digest[:20], crypto.SHA1); err == nil {
		t.Error("a digest of another kind is signed")
	}
}
