package token_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/signing/token"
)

const lib = "/usr/lib/softhsm/libsofthsm2.so"

func TestAReferenceIsReadAsItWasWritten(t *testing.T) {
	for _, c := range []struct {
		name string
		key  token.Key
		want string
	}{
		{"a label", token.Key{Module: lib, Token: "seatrial", Label: "release"}, "pkcs11://token=seatrial;object=release?module-path=/usr/lib/softhsm/libsofthsm2.so"},
		{"an id", token.Key{Module: "/a", Token: "t", ID: "01ff"}, "pkcs11://token=t;id=%01%ff?module-path=/a"},
		{"both, with what a URL would trip over", token.Key{Module: "/a b&c;d?e", Token: "my token;=&?%", Label: "ключ 密钥;&=?", ID: "00"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ref := c.key.Ref()
			if c.want != "" && ref != c.want {
				t.Errorf("got %s, want %s", ref, c.want)
			}
			if got, err := token.Parse(ref); err != nil || got != c.key {
				t.Errorf("%s becomes %+v, %v", ref, got, err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, ref, want string }{
		{"nothing", "", "module"},
		{"no module", "pkcs11://token=t;object=k", "module"},
		{"a module that is searched for", "token=t;object=k?module-path=lib.so", "the whole path"},
		{"no token", "object=k?module-path=/a", "token's label"},
		{"no key", "token=t?module-path=/a", "label or its id"},
		{"a PIN", "token=t;object=k?module-path=/a&pin-value=1234", "read by every process"},
		{"a file with a PIN", "token=t;object=k?module-path=/a&pin-source=/b", "read by every process"},
		{"what is not known", "token=t;object=k;slot-id=1?module-path=/a", `"slot-id" is not one of`},
		{"a field twice", "token=t;token=u;object=k?module-path=/a", `"token" is not one of`},
		{"half an escape", "token=%4;object=k?module-path=/a", "token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if k, err := token.Parse(c.ref); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "1234") {
				t.Errorf("%+v, %v, want %q", k, err, c.want)
			}
		})
	}
	if err := (token.Key{Module: lib, Token: "t", ID: "1"}).Validate(); err == nil {
		t.Error("half a byte is no id")
	}
}

// FuzzParse: what is read is written so that it is read as the same.
func FuzzParse(f *testing.F) {
	f.Add("pkcs11://token=seatrial;object=release;id=%01?module-path=/usr/lib/softhsm/libsofthsm2.so")
	f.Add("token=a%3Bb;object=%25?module-path=/a%26b")
	f.Fuzz(func(t *testing.T, ref string) {
		k, err := token.Parse(ref)
		if err != nil {
			return
		}
		if again, err := token.Parse(k.Ref()); err != nil || again != k {
			t.Errorf("%q: %+v becomes %+v, %v", ref, k, again, err)
		}
	})
}

// soft is a token that has a key of its own.
type soft struct{ *ecdsa.PrivateKey }

func (soft) Close() error { return nil }

func TestServe(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ref := token.Key{Module: lib, Token: "seatrial", Label: "release"}.Ref()
	open := func(k token.Key, pin secret.Text) (token.Holder, error) {
		if k.Label != "release" || pin != "1234" {
			return nil, hint.Add(errors.New("sign in: no"), "correct it")
		}
		return soft{private}, nil
	}
	ask := func(ref, method string, hash crypto.Hash, more string) string {
		id, _ := json.Marshal(ref)
		return `{"initOptions":{"protocolVersion":"v1","keyResourceID":` + string(id) + `,"hashFunc":` + map[bool]string{true: "5", false: "7"}[hash == crypto.SHA256] + `},"methodName":"` + method + `"` + more + `}`
	}
	for _, c := range []struct {
		name      string
		args      []string
		pin       secret.Text
		code      int
		out, errs string
	}{
		{name: "a person is told how", code: 1, errs: "usage: sigstore-kms-pkcs11"},
		{name: "a person gets the public half", args: []string{"public", ref}, pin: "1234", out: "BEGIN PUBLIC KEY"},
		{name: "a person without a PIN", args: []string{"public", ref}, code: 1, errs: "hint: set SEATRIAL_SIGNING_PIN"},
		{name: "another version of the protocol", args: []string{"v2", ask(ref, "publicKey", crypto.SHA256, "")}, pin: "1234", code: 1, errs: "usage"},
		{name: "what is no question", args: []string{"v1", "{"}, pin: "1234", code: 1, out: "errorMessage"},
		{name: "half a question", args: []string{"v1", "{}"}, pin: "1234", code: 1, out: "not complete"},
		{name: "the public half", args: []string{"v1", ask(ref, "publicKey", crypto.SHA256, `,"publicKey":{"publicKeyOptions":{"rpcOptions":{}}}`)}, pin: "1234", out: "publicKeyPEM"},
		{name: "a signature", args: []string{"v1", ask(ref, "signMessage", crypto.SHA256, `,"signMessage":{"signOptions":{"rpcOptions":{},"messageOptions":{}}}`)}, pin: "1234", out: `"signature":"`},
		{name: "another digest", args: []string{"v1", ask(ref, "signMessage", crypto.SHA512, "")}, pin: "1234", code: 1, out: "want SHA-256"},
		{name: "a key to be made", args: []string{"v1", ask(ref, "createKey", crypto.SHA256, `,"createKey":{"algorithm":"ecdsa-p256"}`)}, pin: "1234", out: "makes no keys"},
		{name: "no PIN", args: []string{"v1", ask(ref, "publicKey", crypto.SHA256, "")}, code: 1, out: "(hint: set SEATRIAL_SIGNING_PIN)"},
		{name: "a token that refuses, with the next step", args: []string{"v1", ask(ref, "publicKey", crypto.SHA256, "")}, pin: "9999", code: 1, out: "sign in: no (hint: correct it)"},
		{name: "a reference that is none", args: []string{"v1", ask("nothing", "publicKey", crypto.SHA256, "")}, pin: "1234", code: 1, out: "key reference"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := token.Serve(append([]string{"sigstore-kms-pkcs11"}, c.args...), strings.NewReader("a message"), &out, &errs, c.pin, open)
			if code != c.code || !strings.Contains(out.String(), c.out) || !strings.Contains(errs.String(), c.errs) {
				t.Errorf("%d, out %s, errs %s", code, out.String(), errs.String())
			}
			if c.pin != "" && strings.Contains(out.String()+errs.String(), c.pin.Reveal()) {
				t.Error("the PIN is shown")
			}
		})
	}
}
