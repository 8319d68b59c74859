//go:build cgo

// Package tokentest makes PKCS#11 tokens for tests: real ones, of SoftHSM.
//
// Start at New. It is never imported by anything but tests.
package tokentest

import (
	"crypto/elliptic"
	"encoding/asn1"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/seatrial/seatrial/signing/token"
)

// PIN is that of the tokens made here.
const PIN = "a-pin-of-tests"

// Token is a token in a folder of the test.
type Token struct {
	Module, Label string
}

// New makes a token, and lets this process and those it starts see it and no other.
func New(t *testing.T) *Token {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/*/softhsm/libsofthsm2.so") // the pattern is right
	found = append(found, "/usr/lib/softhsm/libsofthsm2.so")
	if _, err := os.Stat(found[0]); err != nil {
		t.Fatalf("SoftHSM is missing: %v (make deps installs it)", err)
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	k := &Token{Module: found[0], Label: "seatrial tests"}
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", k.Label, "--pin", PIN, "--so-pin", "the-officers").CombinedOutput()
	if err != nil {
		t.Fatalf("softhsm2-util: %v: %s", err, out)
	}
	return k
}

// Key names a key of the token.
func (k *Token) Key(label, id string) token.Key {
	return token.Key{Module: k.Module, Token: k.Label, Label: label, ID: id}
}

// Pair is a key to be made. Its halves may be called differently.
type Pair struct {
	Private, Public string // labels
	ID              byte
	Curve           elliptic.Curve // default P-256
	Always          bool           // it wants the PIN for each signature
}

// Make makes keys that never leave the token.
func (k *Token) Make(t *testing.T, pairs ...Pair) {
	t.Helper()
	ctx := pkcs11.New(k.Module)
	if ctx == nil {
		t.Fatalf("load %s", k.Module)
	}
	defer ctx.Destroy()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(ctx.Initialize())
	defer ctx.Finalize()
	slots, err := ctx.GetSlotList(true)
	must(err)
	session, err := ctx.OpenSession(slots[0], pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	must(err)
	must(ctx.Login(session, pkcs11.CKU_USER, PIN))
	for _, p := range pairs {
		curve, err := asn1.Marshal(map[bool]asn1.ObjectIdentifier{true: {1, 3, 132, 0, 34}, false: {1, 2, 840, 10045, 3, 1, 7}}[p.Curve == elliptic.P384()])
		must(err)
		half := func(label string, more ...*pkcs11.Attribute) []*pkcs11.Attribute {
			return append(more, pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, []byte{p.ID}))
		}
		_, _, err = ctx.GenerateKeyPair(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
			half(p.Public, pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, curve)),
			half(p.Private, pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
				pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, p.Always)))
		must(err)
	}
}
