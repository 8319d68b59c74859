package logs

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/internal/secret"
)

const (
	minSecret = 6 // bytes; a shorter one would blank out half of every log
	minInside = 8 // bytes of a base64 form that does not start at the secret's start
)

// Masker replaces secrets, also where they were encoded: base64 at any offset, URL and
// JSON. The nil Masker knows no secret.
type Masker struct {
	forms    []string // longest first
	replacer *strings.Replacer
}

// NewMasker makes a Masker for the secrets; the ones too short to be found are left out.
func NewMasker(secrets ...secret.Text) *Masker {
	m := &Masker{}
	for _, s := range secrets {
		for line := range strings.Lines(s.Reveal()) { // logs come in lines, keys in PEM have many
			m.add(strings.TrimSpace(line))
		}
	}
	slices.SortFunc(m.forms, func(a, b string) int { return len(b) - len(a) })
	m.forms = slices.Compact(m.forms)
	var pairs []string
	for _, f := range m.forms {
		pairs = append(pairs, f, secret.Mask)
	}
	m.replacer = strings.NewReplacer(pairs...)
	return m
}

func (m *Masker) add(s string) {
	if len(s) < minSecret {
		return
	}
	quoted, _ := json.Marshal(s) // a string always encodes
	m.forms = append(m.forms, s, url.QueryEscape(s), url.PathEscape(s), strings.Trim(string(quoted), `"`))
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			// The characters at the borders also depend on the neighbours: left out.
			full := enc.EncodeToString(append(make([]byte, offset), s...))
			inside := full[(offset*8+5)/6 : (offset+len(s))*8/6]
			if len(inside) >= minInside {
				m.forms = append(m.forms, inside)
			}
		}
	}
}

// Mask replaces every secret in s.
func (m *Masker) Mask(s string) string {
	if m == nil || len(m.forms) == 0 {
		return s
	}
	return m.replacer.Replace(s)
}

// Found reports whether s holds a secret in any form.
func (m *Masker) Found(s string) bool {
	return m != nil && slices.ContainsFunc(m.forms, func(f string) bool { return strings.Contains(s, f) })
}

// Longest is the length of the longest form.
func (m *Masker) Longest() int {
	if m == nil || len(m.forms) == 0 {
		return 0
	}
	return len(m.forms[0])
}
