// Package inputs says what a build depends on, as named parts with one digest over them
// all, and tells in words how two builds' inputs differ.
//
// Start at Set. It is pure: it reads no files, asks nobody and never sees a secret's
// value except to key it.
package inputs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const (
	version  = "seatrial build inputs v1" // raised when the same parts are to give another digest
	maxValue = 60                         // characters of a value in words
	maxWords = 6                          // changes told one by one
)

// Part is one thing a build depends on. Its name fits a sentence: "the tree of web/".
type Part struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Set is everything a build depends on, each name once, in the order in which it is told.
type Set []Part

// Digest is one value for all parts: it is equal exactly when the parts are, in whatever
// order.
func (s Set) Digest() release.Digest {
	h := sha256.New()
	field := func(text string) { io.WriteString(h, strconv.Itoa(len(text))+":"+text) }
	field(version)
	for _, p := range slices.SortedFunc(slices.Values(s), func(a, b Part) int { return strings.Compare(a.Name, b.Name) }) {
		field(p.Name)
		field(p.Value)
	}
	return release.Digest("sha256:" + hex.EncodeToString(h.Sum(nil)))
}

// Keyed is the part of a secret: its value under a key of the server's own, since a plain
// hash of a short secret can be guessed.
func Keyed(key []byte, name string, value secret.Text) Part {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, name+"\x00"+value.Reveal())
	return Part{Name: "secret " + name, Value: "hmac-sha256:" + hex.EncodeToString(h.Sum(nil))}
}

// Change is a part that is not what it was.
type Change struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"` // empty: it was not there
	After  string `json:"after,omitempty"`  // empty: it is gone
}

// Compare lists what changed, in the order of the later set, then what is gone.
func Compare(before, after Set) []Change {
	old := map[string]string{}
	for _, p := range before {
		old[p.Name] = p.Value
	}
	var out []Change
	for _, p := range after {
		was, known := old[p.Name]
		if !known || was != p.Value {
			out = append(out, Change{p.Name, was, p.Value})
		}
		delete(old, p.Name)
	}
	for _, p := range before {
		if was, gone := old[p.Name]; gone {
			out = append(out, Change{Name: p.Name, Before: was})
		}
	}
	return out
}

// String is the change in words: "the tree of web/ changed: 3f2a91c -> 9b1c22d".
func (c Change) String() string {
	switch {
	case c.Before == "":
		return fmt.Sprintf("new: %s (%s)", c.Name, short(c.After))
	case c.After == "":
		return fmt.Sprintf("gone: %s (%s)", c.Name, short(c.Before))
	}
	before, after := short(c.Before), short(c.After)
	if before == after { // they differ further on
		return c.Name + " changed"
	}
	return fmt.Sprintf("%s changed: %s -> %s", c.Name, before, after)
}

// Words tells all changes in one line.
func Words(changes []Change) string {
	var out []string
	for i, c := range changes {
		if i == maxWords {
			out = append(out, fmt.Sprintf("and %d more", len(changes)-i))
			break
		}
		out = append(out, c.String())
	}
	return strings.Join(out, "; ")
}

var hexadecimal = regexp.MustCompile(`^[a-z0-9-]*:?([0-9a-f]{40}|[0-9a-f]{64})$`)

// short is a value as a person wants to read it; of an id the beginning is enough.
func short(value string) string {
	if m := hexadecimal.FindStringSubmatch(value); m != nil {
		return m[1][:7]
	}
	if value == "" {
		return "nothing"
	}
	if r := []rune(value); len(r) > maxValue {
		return string(r[:maxValue-1]) + "…"
	}
	return value
}
