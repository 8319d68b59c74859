package contents_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/seatrial/seatrial/builder/sbom/contents"
	"github.com/seatrial/seatrial/release"
)

// file is one entry of a layer: a regular file, unless the header says otherwise.
type file struct {
	tar.Header
	body string
}

func regular(name, body string) file { return file{Header: tar.Header{Name: name}, body: body} }

func link(kind byte, name, to string) file {
	return file{Header: tar.Header{Name: name, Typeflag: kind, Linkname: to}}
}

func archive(t testing.TB, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		f.Mode, f.Size = 0o755, int64(len(f.body))
		if err := w.WriteHeader(&f.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zip(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, raw []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(raw, nil)
}

// layout is an image on disk.
type layout struct {
	dir   string
	image release.Digest
}

var made = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newLayout(t testing.TB, layers ...[]byte) layout {
	t.Helper()
	l := layout{dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(l.dir, "blobs/sha256"), 0o700); err != nil {
		t.Fatal(err)
	}
	type descriptor struct {
		Digest release.Digest `json:"digest"`
	}
	var manifest struct {
		Config descriptor   `json:"config"`
		Layers []descriptor `json:"layers"`
	}
	manifest.Config.Digest = l.blob(t, []byte(`{"created":"2026-11-01T12:00:00Z","author":"a","config":{"Labels":{"k":"v"}}}`))
	for _, raw := range layers {
		manifest.Layers = append(manifest.Layers, descriptor{l.blob(t, raw)})
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	l.image = l.blob(t, raw)
	return l
}

func (l layout) path(d release.Digest) string { return filepath.Join(l.dir, "blobs/sha256", d.Hex()) }

func (l layout) blob(t testing.TB, raw []byte) release.Digest {
	t.Helper()
	sum := sha256.Sum256(raw)
	d := release.Digest("sha256:" + hex.EncodeToString(sum[:]))
	if err := os.WriteFile(l.path(d), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

func (l layout) read(t testing.TB, opt contents.Options) (*contents.Image, error) {
	t.Helper()
	opt.Temp = t.TempDir()
	img, err := contents.Read(t.Context(), l.dir, l.image, opt)
	if left, _ := os.ReadDir(opt.Temp); len(left) > 0 {
		t.Errorf("%d files are left behind", len(left))
	}
	return img, err
}

func paths(img *contents.Image) string {
	var out []string
	for _, f := range img.Files {
		out = append(out, f.Path)
	}
	for _, p := range img.Programs {
		out = append(out, p.Path)
	}
	return strings.Join(out, " ")
}

// self is a Go program with modules in it: this test.
func self(t testing.TB) (program string, info *buildinfo.BuildInfo) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err = buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), info
}

func TestAGoProgramIsReadAsGoReadsIt(t *testing.T) {
	program, want := self(t)
	sum := sha256.Sum256([]byte(program))
	raw := archive(t, regular("app", program), regular("etc/passwd", "root"), link(tar.TypeSymlink, "bin", "/usr/bin"))
	for name, layer := range map[string][]byte{"gzip": zip(t, raw), "zstd": zstandard(t, raw), "not packed": raw} {
		t.Run(name, func(t *testing.T) {
			img, err := newLayout(t, layer).read(t, contents.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(img.Programs) != 1 || img.Programs[0].Info.String() != want.String() || img.Programs[0].Info.GoVersion != want.GoVersion {
				t.Fatalf("programs %+v, want\n%s", img.Programs, want)
			}
			if p := img.Programs[0]; p.Path != "/app" || p.SHA256 != hex.EncodeToString(sum[:]) || p.Size != int64(len(program)) {
				t.Errorf("program %s %s, %d bytes", p.Path, p.SHA256, p.Size)
			}
			if len(img.Files) != 1 || img.Files[0].Path != "/etc/passwd" || img.Rest != "" || !img.Created.Equal(made) || img.Labels["k"] != "v" || img.Author != "a" {
				t.Errorf("image %+v", img)
			}
		})
	}
}

func TestLayersCoverEachOther(t *testing.T) {
	for _, c := range []struct {
		name         string
		lower, upper []file
		want         string
	}{
		{"both are seen", []file{regular("a", "1")}, []file{regular("b", "2")}, "/a /b"},
		{"the upper file counts", []file{regular("a", "1")}, []file{regular("./a", "2")}, "/a"},
		{"a removed file is gone", []file{regular("d/a", "1"), regular("d/b", "1")}, []file{regular("d/.wh.a", "")}, "/d/b"},
		{"a removed folder is gone with all in it", []file{regular("d/e/a", "1"), regular("dd", "1")}, []file{regular(".wh.d", "")}, "/dd"},
		{"an opaque folder shows the upper layer's files only", []file{regular("d/a", "1"), regular("c", "1")}, []file{regular("d/.wh..wh..opq", ""), regular("d/b", "2")}, "/c /d/b"},
		{"a removal leaves what the same layer adds", []file{regular("a", "1")}, []file{regular("b", "2"), regular(".wh.b", "")}, "/a /b"},
		{"a file in place of a folder", []file{regular("d/a", "1")}, []file{regular("d", "2")}, "/d"},
		{"a link in place of a file is no file", []file{regular("a", "1"), regular("b", "1")}, []file{link(tar.TypeSymlink, "a", "../../../etc/shadow")}, "/b"},
		{"a second name", nil, []file{regular("a", "1"), link(tar.TypeLink, "b", "a")}, "/a /b"},
		{"a name that leads out stays in", nil, []file{regular("../../a", "1")}, "/a"},
		{"a folder and a device are nothing", nil, []file{{Header: tar.Header{Name: "d/", Typeflag: tar.TypeDir}}, {Header: tar.Header{Name: "null", Typeflag: tar.TypeChar}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, err := newLayout(t, archive(t, c.lower...), archive(t, c.upper...)).read(t, contents.Options{})
			if err != nil || paths(img) != c.want || img.Rest != "" {
				t.Errorf("files %q, want %q; rest %q, %v", paths(img), c.want, img.Rest, err)
			}
		})
	}
}

func TestWhatNeedsAScanner(t *testing.T) {
	for _, c := range []struct {
		name string
		file file
	}{
		{"a package database", regular("var/lib/dpkg/status.d/base", "Package: base")},
		{"a package of Node", regular("app/node_modules/x/package.json", "{}")},
		{"a program that is not Go's", regular("app", "\x7fELF\x02\x01\x01 and so on, but no program")},
		{"a program of Windows", regular("app", "MZ\x90\x00")},
		{"an archive", regular("app.jar", "PK")},
		{"a second name of what is not there", link(tar.TypeLink, "b", "a")},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLayout(t, archive(t, regular("first", "1"), c.file, regular("last", "1")))
			img, err := l.read(t, contents.Options{})
			if err != nil || img.Rest != "/"+c.file.Name {
				t.Fatalf("rest %+v, %v", img, err)
			}
			if img, err = l.read(t, contents.Options{Whole: true}); err != nil || len(img.Files) != 3 || img.Rest != "/"+c.file.Name {
				t.Errorf("the whole image is %+v, %v", img, err)
			}
		})
	}
}

func TestBadImages(t *testing.T) {
	layer := zip(t, archive(t, regular("a", strings.Repeat("ahoy", 1000))))
	other := archive(t, regular("b", "2"))
	for _, c := range []struct {
		name  string
		layer []byte
		opt   contents.Options
		spoil func(l layout, d release.Digest) error
		want  string
		is    error
	}{
		{name: "a byte of a layer flipped", layer: layer, want: "layer sha256:", spoil: func(l layout, d release.Digest) error {
			raw := slices.Clone(layer)
			raw[len(raw)-20] ^= 1
			return os.WriteFile(l.path(d), raw, 0o600)
		}},
		{name: "another layer in its place", layer: layer, want: "damaged", spoil: func(l layout, d release.Digest) error {
			return os.WriteFile(l.path(d), other, 0o600)
		}},
		{name: "a layer cut short", layer: layer[:len(layer)-12], want: "unexpected EOF"},
		{name: "a layer that is no archive", layer: []byte(strings.Repeat("ahoy", 200)), want: "tar"},
		{name: "a layer that is not there", layer: layer, want: "no such file", spoil: func(l layout, d release.Digest) error { return os.Remove(l.path(d)) }},
		{name: "a layer that is a link out of the layout", layer: layer, want: "escapes", spoil: func(l layout, d release.Digest) error {
			outside := filepath.Join(t.TempDir(), "layer")
			return errors.Join(os.Rename(l.path(d), outside), os.Symlink(outside, l.path(d)))
		}},
		{name: "a small layer with much in it", layer: zip(t, archive(t, regular("a", strings.Repeat("\x00", 8<<20)))), opt: contents.Options{MaxBytes: 1 << 20}, is: contents.ErrTooLarge},
		{name: "a small layer with much after its end", layer: zip(t, slices.Concat(archive(t), make([]byte, 8<<20))), opt: contents.Options{MaxBytes: 1 << 20}, is: contents.ErrTooLarge},
		{name: "a file of holes", layer: holes(t, 1<<40), is: contents.ErrTooLarge},
		{name: "a removal of the folder above", layer: archive(t, regular("app/.wh...", "")), want: "takes away"},
		{name: "more files than allowed", layer: archive(t, regular("a", ""), regular("b", "")), opt: contents.Options{MaxFiles: 1}, is: contents.ErrTooLarge},
		{name: "a path without end", layer: archive(t, regular(strings.Repeat("a/", 3000), "")), is: contents.ErrTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLayout(t, c.layer)
			if c.spoil != nil {
				sum := sha256.Sum256(c.layer)
				if err := c.spoil(l, release.Digest("sha256:"+hex.EncodeToString(sum[:]))); err != nil {
					t.Fatal(err)
				}
			}
			_, err := l.read(t, c.opt)
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("err %v, want %q %v", err, c.want, c.is)
			}
		})
	}
}

// holes is an archive of one file, by the old rules of GNU tar, that has a size and holds
// nothing.
func holes(t *testing.T, size int64) []byte {
	t.Helper()
	raw := archive(t, file{Header: tar.Header{Name: "holes", Format: tar.FormatGNU}})
	h := raw[:512]
	h[156] = tar.TypeGNUSparse
	big := func(field []byte, n int64) {
		field[0] = 0x80
		for i := len(field) - 1; i > 0; i-- {
			field[i], n = byte(n), n>>8
		}
	}
	big(h[386:398], size) // the one piece: it starts at the end
	big(h[398:410], 0)
	big(h[483:495], size)
	copy(h[148:156], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:156], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	return raw
}

func TestNobodyWaits(t *testing.T) {
	l := newLayout(t, archive(t, regular("a", "1")))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := contents.Read(ctx, l.dir, l.image, contents.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("err %v", err)
	}
}

const isc = `Copyright (c) 2026 The Harbour

Permission to use, copy, modify, and distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES
WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR
ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF
OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.
`

func TestALicenceIsReadOrNothingIsSaid(t *testing.T) {
	const more = "\nNobody may use this software on a Monday, on a ship, in a harbour, or for anything that its author would not like.\n"
	img, err := newLayout(t, archive(t,
		regular("licenses/example.com/isc/LICENSE", isc),
		regular("go/pkg/mod/example.com/cached@v1.2.3/COPYING.txt", isc),
		regular("licenses/example.com/more/LICENSE", isc+more),
		regular("licenses/example.com/none/LICENSE", "All rights reserved."),
		regular("licenses/example.com/main/main.go", isc),
	)).read(t, contents.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ module, version, want string }{
		{"example.com/isc", "v1.0.0", "ISC"},
		{"example.com/cached", "v1.2.3", "ISC"},
		{"example.com/cached", "v1.2.4", ""},
		{"example.com/more", "v1.0.0", ""},
		{"example.com/none", "v1.0.0", ""},
		{"example.com/main", "v1.0.0", ""},
		{"other.example.com/isc", "v1.0.0", ""},
		{"com/isc", "v1.0.0", ""},
	} {
		if got := strings.Join(img.Licences(c.module, c.version), " "); got != c.want {
			t.Errorf("%s@%s: %q, want %q", c.module, c.version, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	program, _ := self(f)
	raw := archive(f, regular("a", "1"), link(tar.TypeLink, "b", "a"), regular("app", "\x7fELF"))
	f.Add(raw, []byte{})
	f.Add(zip(f, raw), []byte("\x7fELF\x02\x01\x01"))
	f.Add(zstandard(f, raw), []byte(program[:4096]))
	f.Fuzz(func(t *testing.T, layer, program []byte) {
		opt := contents.Options{Whole: true, MaxBytes: 1 << 20, MaxFiles: 100}
		if img, err := newLayout(t, layer).read(t, opt); err == nil && len(img.Files)+len(img.Programs) > 100 {
			t.Errorf("%d files and %d programs", len(img.Files), len(img.Programs))
		}
		img, err := newLayout(t, archive(t, regular("app", string(program)))).read(t, opt)
		if err == nil && len(img.Files)+len(img.Programs) != 1 {
			t.Errorf("one file went in, %s came out", paths(img))
		}
	})
}
