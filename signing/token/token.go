// Package token names signing keys that are on a PKCS#11 token: a smart card, a hardware
// security module, or a program that does as if it were one. And it answers sigstore's
// protocol for programs that hold keys, so that such a key can be used by a process that
// never loads the token's module.
//
// Start at Key; Serve is the program's side. It never prints a PIN, and never takes one out
// of a reference, which every process on the machine may read.
package token

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/seatrial/seatrial/internal/hint"
)

// Scheme is how a reference begins. sigstore's protocol makes of it the name of the program
// that is asked: sigstore-kms-pkcs11.
const Scheme = "pkcs11://"

// Key says which key of which token is meant.
type Key struct {
	Module string `json:"module"`          // "/usr/lib/softhsm/libsofthsm2.so", the token's own library
	Token  string `json:"token"`           // the token's label
	Label  string `json:"label,omitempty"` // of the key; this, its id, or both
	ID     string `json:"id,omitempty"`    // of the key, in hexadecimal: "01"
}

// Validate says what is missing or odd.
func (k Key) Validate() error {
	_, err := hex.DecodeString(k.ID)
	switch {
	case !filepath.IsAbs(k.Module):
		return fmt.Errorf("module %q: want the whole path of the token's PKCS#11 library", k.Module)
	case k.Token == "":
		return errors.New("token: want the token's label")
	case k.Label == "" && k.ID == "":
		return errors.New("want the key's label or its id")
	case err != nil:
		return fmt.Errorf("id %q: want hexadecimal, like 01", k.ID)
	}
	return nil
}

// Ref is the key in the words of RFC 7512:
// "pkcs11://token=seatrial;object=release;id=%01?module-path=/usr/lib/…".
func (k Key) Ref() string {
	var id strings.Builder
	for i := 0; i+1 < len(k.ID); i += 2 {
		id.WriteString("%" + k.ID[i:i+2])
	}
	escape := func(s string) string { return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s)) }
	out := Scheme + "token=" + escape(k.Token)
	if k.Label != "" {
		out += ";object=" + escape(k.Label)
	}
	if k.ID != "" {
		out += ";id=" + id.String()
	}
	return out + "?module-path=" + escape(k.Module)
}

// Parse reads what Ref writes, with or without its scheme.
func Parse(ref string) (Key, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(ref, Scheme), "?")
	var k Key
	fields := map[string]*string{"token": &k.Token, "object": &k.Label, "id": &k.ID, "module-path": &k.Module}
	seen := map[string]bool{}
	for part := range strings.FieldsFuncSeq(path+"&"+query, func(r rune) bool { return r == ';' || r == '&' }) {
		name, text, _ := strings.Cut(part, "=")
		if strings.HasPrefix(name, "pin-") {
			return Key{}, hint.Add(errors.New("key reference: a PIN in it could be read by every process of this machine"), "put the PIN into "+PIN)
		}
		field := fields[name]
		if field == nil || seen[name] {
			return Key{}, fmt.Errorf("key reference: %.40q is not one of token, object, id and module-path, each once", name)
		}
		value, err := url.PathUnescape(text)
		if err != nil {
			return Key{}, fmt.Errorf("key reference: %s: %w", name, err)
		}
		if name == "id" {
			value = hex.EncodeToString([]byte(value))
		}
		*field, seen[name] = value, true
	}
	if err := k.Validate(); err != nil {
		return Key{}, fmt.Errorf("key reference: %w", err)
	}
	return k, nil
}
