package oci_test

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/apart"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
)

// file is an entry of a layer; the zero values are those of a plain file.
type file struct {
	name, text, link, attr string
	mode                   int64
	uid                    int
	kind                   byte
	mtime                  time.Time
}

func layer(t testing.TB, files ...file) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Linkname: f.link, Mode: f.mode, Uid: f.uid, Size: int64(len(f.text)), Typeflag: f.kind, ModTime: f.mtime, Format: tar.FormatPAX}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if f.attr != "" {
			h.PAXRecords = map[string]string{"SCHILY.xattr.user.note": f.attr}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// image is what is pushed of each side: the same layers and config for every platform but
// the last, which has its own.
type image struct {
	platforms []string
	layers    [][]byte
	env       string
	gzip      int
	note      string // annotation of the index
}

func push(t *testing.T, s *ocitest.Server, tag string, i image) oci.Ref {
	t.Helper()
	fatal := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	if i.note != "" {
		index = mutate.Annotations(index, map[string]string{"note": i.note}).(v1.ImageIndex)
	}
	for n, name := range i.platforms {
		platform, err := v1.ParsePlatform(name)
		fatal(err)
		img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
		config, err := img.ConfigFile()
		fatal(err)
		config.OS, config.Architecture = platform.OS, platform.Architecture
		if n == len(i.platforms)-1 {
			config.Config.Env = []string{"GREETING=" + i.env}
		}
		img, err = mutate.ConfigFile(img, config)
		fatal(err)
		for _, raw := range i.layers {
			l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(raw)), nil },
				tarball.WithCompressionLevel(i.gzip), tarball.WithMediaType(types.OCILayer))
			fatal(err)
			img, err = mutate.AppendLayers(img, l)
			fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: platform}})
	}
	ref, err := name.NewTag(s.Host+"/shop/web:"+tag, name.Insecure)
	fatal(err)
	fatal(remote.WriteIndex(ref, index))
	return oci.Ref{Repository: s.Host + "/shop/web", Tag: tag}
}

func TestCompareNamesTheFirstDifference(t *testing.T) {
	then, later := time.Unix(1_700_000_000, 0), time.Unix(1_700_000_001, 0)
	dir := file{name: "app/", kind: tar.TypeDir, mode: 0o755}
	base := image{platforms: []string{"linux/amd64", "linux/arm64"}, gzip: 6, env: "ahoy",
		layers: [][]byte{layer(t, file{name: "etc/passwd"}), layer(t, dir, file{name: "app/a", text: "one", mtime: then}, file{name: "app/b", text: "two", mtime: then})}}
	second := func(files ...file) func(*image) {
		return func(i *image) { i.layers = [][]byte{base.layers[0], layer(t, files...)} }
	}
	for _, c := range []struct {
		name string
		with func(*image)
		want string
	}{
		{name: "the same", with: func(*image) {}},
		{name: "content", with: second(dir, file{name: "app/a", text: "one", mtime: then}, file{name: "app/b", text: "three", mtime: then}),
			want: "linux/amd64 layer 2 app/b: content is 3 bytes sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3, then 5 bytes sha256:8b5b9db0c13db24256c829aa364aa90c6d2eba318b9232a4ab9313b954d3555f"},
		{name: "mtime", with: second(dir, file{name: "app/a", text: "one", mtime: later}), want: "linux/amd64 layer 2 app/a: mtime is 2023-11-14T22:13:20Z, then 2023-11-14T22:13:21Z"},
		{name: "mode and owner of one file", with: second(dir, file{name: "app/a", text: "one", mtime: then, mode: 0o600, uid: 7}),
			want: "linux/amd64 layer 2 app/a: mode is 0644, then 0600; owner is 0:0, then 7:0"},
		{name: "a link instead of a file", with: second(dir, file{name: "app/a", kind: tar.TypeSymlink, link: "b", mtime: then}), want: "layer 2 app/a: content is 3 bytes"},
		{name: "an attribute", with: second(dir, file{name: "app/a", text: "one", mtime: then, attr: "x"}), want: `SCHILY.xattr.user.note is "", then "x"`},
		{name: "a file more", with: second(dir, file{name: "app/a", text: "one", mtime: then}, file{name: "app/b", text: "two", mtime: then}, file{name: "app/c"}),
			want: "linux/amd64 layer 2 app/c: the entry is not there, then there"},
		{name: "a file less", with: second(dir, file{name: "app/a", text: "one", mtime: then}), want: "linux/amd64 layer 2 app/b: the entry is there, then not there"},
		{name: "another file at its place", with: second(dir, file{name: "app/b", text: "two", mtime: then}), want: "linux/amd64 layer 2 app/a: the entry at this place is app/a, then app/b"},
		{name: "the packing only", with: func(i *image) { i.gzip = 1; i.layers[0] = base.layers[0] }, want: "linux/amd64 layer 1: the packing of the same files is sha256:"},
		{name: "a layer more", with: func(i *image) { i.layers = append(i.layers, layer(t)) }, want: "linux/amd64: the number of layers is 2, then 3"},
		{name: "a field of one platform's config", with: func(i *image) { i.env = "hello" }, want: `linux/arm64: config: config.Env[0] is "GREETING=ahoy", then "GREETING=hello"`},
		{name: "a platform less", with: func(i *image) { i.platforms = i.platforms[:1] }, want: "the list of platforms is linux/amd64, linux/arm64, then linux/amd64"},
		{name: "a field of the index", with: func(i *image) { i.note = "hello" }, want: `the index's annotations is null, then {"note":"hello"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ocitest.New(t, true)
			other := base
			other.layers = append([][]byte{}, base.layers...)
			c.with(&other)
			d, err := s.Registry(t).Compare(t.Context(), push(t, s, "a", base), push(t, s, "b", other))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if d != nil {
				got = d.String()
			}
			if (c.want == "") != (d == nil) || !strings.Contains(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// FuzzCompareLayers: whatever a registry holds, two layers compare without a panic, and
// equal bytes never differ.
func FuzzCompareLayers(f *testing.F) {
	one, other := layer(f, file{name: "a", text: "one"}), layer(f, file{name: "a", text: "two", mode: 0o600})
	f.Add(one, other)
	f.Add(one, one[:700])
	f.Add([]byte("no tar"), one)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		_, err := apart.Layers(bytes.NewReader(a), bytes.NewReader(b))
		if d, errSame := apart.Layers(bytes.NewReader(a), bytes.NewReader(a)); d != nil {
			t.Errorf("a layer differs from itself: %s (%v, %v)", d, errSame, err)
		}
	})
}
