// Package secret has the type of every password, token, key and address that must not
// be seen. Start at Text.
//
// A Text never shows itself through fmt, slog, JSON or YAML; only Reveal gives the value
// away, so a search for Reveal finds every place that uses one.
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
	"strings"
)

// Mask is what stands in place of a secret.
const Mask = "***"

// Text is a secret string. The zero value is "no secret".
type Text string

// Reveal is the secret itself: pass it on at once, never print or keep it.
func (t Text) Reveal() string { return string(t) }

// Equal compares in constant time.
func (t Text) Equal(other string) bool {
	return subtle.ConstantTimeCompare([]byte(t), []byte(other)) == 1
}

// In replaces every occurrence of the secret in s, for errors of libraries that print
// what they were given.
func (t Text) In(s string) string {
	if t == "" {
		return s
	}
	return strings.ReplaceAll(s, string(t), Mask)
}

// String is the mask, or nothing when there is no secret.
func (t Text) String() string {
	if t == "" {
		return ""
	}
	return Mask
}

// GoString is the mask as well, for %#v.
func (t Text) GoString() string { return t.String() }

// Format masks every other verb, %x and %q included.
func (t Text) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(t.String())) }

// LogValue is what slog writes.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText masks in JSON, YAML and everything else that encodes text.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON masks in JSON.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }
