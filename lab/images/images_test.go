package images_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/seatrial/seatrial/lab/images"
)

// setUp returns a maker for a registry in memory that counts what is written to it.
func setUp(t *testing.T) (*images.Maker, string, *atomic.Int64) {
	t.Helper()
	var writes atomic.Int64
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			writes.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	program := filepath.Join(t.TempDir(), "sandbox")
	if err := os.WriteFile(program, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	m := &images.Maker{Cache: t.TempDir(), Registry: strings.TrimPrefix(srv.URL, "http://"), Sandbox: program, Say: t.Logf}
	return m, srv.URL + "/v2/", &writes
}

func fetch(t *testing.T, url string) *http.Response {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
	return resp
}

type manifest struct {
	Layers, Manifests []struct {
		Digest   string
		Platform struct{ Architecture string }
	}
}

func TestSandboxImageHoldsItsProgram(t *testing.T) {
	m, base, _ := setUp(t)
	img, err := m.SandboxImage("lab/pause:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Ensure(t.Context(), []images.Image{img}); err != nil {
		t.Fatal(err)
	}
	var got manifest
	if err := json.NewDecoder(fetch(t, base+"lab/pause/manifests/1").Body).Decode(&got); err != nil || len(got.Layers) != 1 {
		t.Fatalf("manifest %+v, %v", got, err)
	}
	gz, err := gzip.NewReader(fetch(t, base+"lab/pause/blobs/"+got.Layers[0].Digest).Body)
	if err != nil {
		t.Fatal(err)
	}
	tr := tar.NewReader(gz)
	h, err := tr.Next()
	if err != nil || h.Name != "pause" || h.Mode != 0o755 {
		t.Fatalf("first file %+v, %v", h, err)
	}
	if b, err := io.ReadAll(tr); err != nil || string(b) != "program" {
		t.Errorf("program %q, %v", b, err)
	}
}

func TestEnsureAgainWritesNothing(t *testing.T) {
	m, _, writes := setUp(t)
	img, err := m.SandboxImage("lab/pause:1")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := m.Ensure(t.Context(), []images.Image{img}); err != nil {
			t.Fatal(err)
		}
		if n := writes.Load(); n != 3 { // configuration, layer, manifest
			t.Fatalf("%d writes, want 3", n)
		}
	}
}

func TestStaticImageIsForEveryPlatform(t *testing.T) {
	m, base, _ := setUp(t)
	all := m.BaseImages()
	i := slices.IndexFunc(all, func(img images.Image) bool { return slices.Contains(img.Names, "distroless/static:nonroot") })
	if i < 0 {
		t.Fatal("there is no static image")
	}
	if err := m.Ensure(t.Context(), all[i:i+1]); err != nil {
		t.Fatal(err)
	}
	var index manifest
	if err := json.NewDecoder(fetch(t, base+"distroless/static/manifests/nonroot").Body).Decode(&index); err != nil {
		t.Fatal(err)
	}
	var archs []string
	for _, d := range index.Manifests {
		archs = append(archs, d.Platform.Architecture)
		fetch(t, base+"distroless/static/manifests/"+d.Digest)
	}
	if !slices.Equal(archs, []string{"amd64", "arm64", "ppc64le", "s390x"}) {
		t.Errorf("platforms %v", archs)
	}
}
