// Package apart finds the first thing in which two layers or two documents differ.
//
// Start at Layers and Documents. It never asks a registry: internal/oci does.
package apart

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const maxEntries = 2_000_000 // of a layer

// Difference is the first thing in which two images differ: a platform, a layer of it, a
// file in that. What is empty does not apply.
type Difference struct {
	Platform string   `json:"platform,omitempty"`
	Layer    int      `json:"layer,omitempty"` // from 1
	Path     string   `json:"path,omitempty"`  // in the layer
	Aspects  []Aspect `json:"aspects"`
}

// Aspect is one aspect in which two things are not the same.
type Aspect struct {
	What string `json:"what"` // "content", "mode", "mtime", "owner", "link", "type", … or the field of a config
	A    string `json:"a"`
	B    string `json:"b"`
}

// String is the difference for people: "linux/arm64 layer 2 app/main: mtime is …".
func (d Difference) String() string {
	where := d.Platform
	if d.Layer > 0 {
		where = fmt.Sprintf("%s layer %d", where, d.Layer)
	}
	var what []string
	for _, a := range d.Aspects {
		what = append(what, fmt.Sprintf("%s is %s, then %s", a.What, a.A, a.B))
	}
	return strings.TrimSpace(where+" "+d.Path) + ": " + strings.Join(what, "; ")
}

// Layers goes through two unpacked layers side by side and stops at the first
// entry that is not the same; nil when they hold the same files.
func Layers(a, b io.Reader) (*Difference, error) {
	left, right := tar.NewReader(a), tar.NewReader(b)
	for range maxEntries {
		p, err := left.Next()
		q, err2 := right.Next()
		switch {
		case err == io.EOF && err2 == io.EOF:
			return nil, nil
		case err == io.EOF && err2 == nil:
			return &Difference{Path: q.Name, Aspects: []Aspect{{"the entry", "not there", "there"}}}, nil
		case err == nil && err2 == io.EOF:
			return &Difference{Path: p.Name, Aspects: []Aspect{{"the entry", "there", "not there"}}}, nil
		case err != nil || err2 != nil:
			return nil, errors.Join(err, err2)
		}
		if p.Name != q.Name {
			return &Difference{Path: min(p.Name, q.Name), Aspects: []Aspect{{"the entry at this place", p.Name, q.Name}}}, nil
		}
		apart := compareHeaders(p, q)
		content, err := compareContent(left, right)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		if apart = append(content, apart...); len(apart) > 0 {
			return &Difference{Path: p.Name, Aspects: apart}, nil
		}
	}
	return nil, fmt.Errorf("over %d entries", maxEntries)
}

func compareHeaders(a, b *tar.Header) []Aspect {
	var out []Aspect
	say := func(what, x, y string) {
		if x != y {
			out = append(out, Aspect{what, x, y})
		}
	}
	say("type", string(a.Typeflag), string(b.Typeflag))
	say("mode", fmt.Sprintf("%#o", a.Mode), fmt.Sprintf("%#o", b.Mode))
	say("mtime", a.ModTime.UTC().Format(time.RFC3339Nano), b.ModTime.UTC().Format(time.RFC3339Nano))
	say("owner", owner(a), owner(b))
	say("link", a.Linkname, b.Linkname)
	say("device", fmt.Sprintf("%d:%d", a.Devmajor, a.Devminor), fmt.Sprintf("%d:%d", b.Devmajor, b.Devminor))
	for _, key := range slices.Sorted(maps.Keys(merged(a.PAXRecords, b.PAXRecords))) {
		if strings.Contains(key, "xattr") { // the others are the fields above, or about how it is packed
			say(key, fmt.Sprintf("%q", a.PAXRecords[key]), fmt.Sprintf("%q", b.PAXRecords[key]))
		}
	}
	return out
}

func owner(h *tar.Header) string {
	return strings.TrimSuffix(fmt.Sprintf("%d:%d %s:%s", h.Uid, h.Gid, h.Uname, h.Gname), " :")
}

func merged[V any](a, b map[string]V) map[string]V {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]V{}
	}
	maps.Copy(out, b)
	return out
}

func compareContent(a, b io.Reader) ([]Aspect, error) {
	var sums [2]string
	for i, r := range []io.Reader{a, b} {
		h := sha256.New()
		n, err := io.Copy(h, r)
		if err != nil {
			return nil, err
		}
		sums[i] = fmt.Sprintf("%d bytes sha256:%s", n, hex.EncodeToString(h.Sum(nil)))
	}
	if sums[0] == sums[1] {
		return nil, nil
	}
	return []Aspect{{"content", sums[0], sums[1]}}, nil
}

// Documents finds the first field in which two documents differ.
func Documents(of string, a, b []byte) (*Difference, error) {
	var x, y any
	if err := errors.Join(json.Unmarshal(a, &x), json.Unmarshal(b, &y)); err != nil {
		return nil, fmt.Errorf("compare documents: %w", err)
	}
	if apart, found := field("", x, y); found {
		apart.What = of + apart.What
		return &Difference{Aspects: []Aspect{apart}}, nil
	}
	if string(a) != string(b) {
		return &Difference{Aspects: []Aspect{{of + "writing of the same values", fmt.Sprintf("%d bytes", len(a)), fmt.Sprintf("%d bytes", len(b))}}}, nil
	}
	return nil, nil
}

func field(path string, a, b any) (Aspect, bool) {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(merged(x, y))) {
				if d, found := field(strings.TrimPrefix(path+"."+key, "."), x[key], y[key]); found {
					return d, true
				}
			}
			return Aspect{}, false
		}
	case []any:
		if y, ok := b.([]any); ok && len(x) == len(y) {
			for i := range x {
				if d, found := field(fmt.Sprintf("%s[%d]", path, i), x[i], y[i]); found {
					return d, true
				}
			}
			return Aspect{}, false
		}
	}
	left, right := encoded(a), encoded(b)
	return Aspect{path, left, right}, left != right
}

// encoded is a value as JSON has it, for people.
func encoded(v any) string {
	raw, err := json.Marshal(v)
	if err != nil { // it came from JSON
		return "?"
	}
	const most = 200
	if len(raw) > most {
		sum := sha256.Sum256(raw)
		return fmt.Sprintf("%s… (sha256:%s)", strings.ToValidUTF8(string(raw[:most]), ""), hex.EncodeToString(sum[:6]))
	}
	return string(raw)
}
