package scan_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"github.com/seatrial/seatrial/builder/sbom"
	"github.com/seatrial/seatrial/builder/sbom/contents"
	"github.com/seatrial/seatrial/builder/sbom/sbomtest"
	"github.com/seatrial/seatrial/builder/sbom/scan"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
)

// TestMain lets the test binary be the child that the generator starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sbom" {
		if err := scan.Main(context.Background(), os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

func generator(t *testing.T, s *ocitest.Server, cfg sbom.Config) *sbom.Generator {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Exec, cfg.State = self, t.TempDir()
	t.Cleanup(func() {
		if left, _ := filepath.Glob(cfg.State + "/scan-*"); len(left) > 0 {
			t.Errorf("%d folders are left behind", len(left))
		}
	})
	g, err := sbom.New(cfg, s.Registry(t).Fetch)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func document(t *testing.T, a release.Artifact, s *ocitest.Server) (*cyclonedx.BOM, []byte) {
	t.Helper()
	raw, err := generator(t, s, sbom.Config{}).Generate(t.Context(), a, a.Platforms[0])
	if err != nil {
		t.Fatal(err)
	}
	sbomtest.Valid(t, raw)
	old, err := sbom.As(raw, "1.5")
	if err != nil {
		t.Fatal(err)
	}
	sbomtest.Valid(t, old)
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(raw), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	return &bom, raw
}

func program(t testing.TB) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

const status = `Package: libharbour
Status: install ok installed
Maintainer: The Harbour <crew@harbour.example>
Architecture: amd64
Version: 1.2-3
Depends: libquay
Description: a harbour

Package: libquay
Status: install ok installed
Maintainer: The Harbour <crew@harbour.example>
Architecture: amd64
Version: 4.5-6
Description: a quay
`

func TestAnImageOfManyKindsIsDescribedByBoth(t *testing.T) {
	s := ocitest.New(t, true)
	made := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	a := s.PushFiles(t, "shop/web", "v1", "linux/arm64", made, map[string][]byte{
		"app":                             program(t),
		"var/lib/dpkg/status":             []byte(status),
		"etc/os-release":                  []byte("ID=debian\nVERSION_ID=13\nNAME=Debian\n"),
		"srv/node_modules/x/package.json": []byte(`{"name": "x", "version": "1.0.0", "license": "MIT"}`),
	})
	bom, raw := document(t, a, s)
	if _, again := document(t, a, s); !bytes.Equal(raw, again) {
		t.Error("two scans of one image differ")
	}
	var packages []string
	byRef := map[string]string{}
	for _, c := range *bom.Components {
		byRef[c.BOMRef] = c.Name
		if bare, _, _ := strings.Cut(c.PackageURL, "?"); c.PackageURL != "" {
			packages = append(packages, bare)
		}
		if c.Name == "libquay" && (c.Supplier == nil || !strings.Contains(c.Supplier.Name, "The Harbour")) {
			t.Errorf("supplier of %s: %+v", c.Name, c.Supplier)
		}
	}
	slices.Sort(packages)
	want := []string{"pkg:deb/debian/libharbour@1.2-3", "pkg:deb/debian/libquay@4.5-6", "pkg:golang/github.com/seatrial/seatrial#builder/sbom/scan.test", "pkg:golang/stdlib@" + strings.TrimPrefix(runtime.Version(), "go"), "pkg:npm/x@1.0.0"}
	if !slices.Equal(packages, want) {
		t.Errorf("packages\n%s\nwant\n%s", strings.Join(packages, "\n"), strings.Join(want, "\n"))
	}
	needs := map[string]string{}
	for _, d := range *bom.Dependencies {
		for _, n := range *d.Dependencies {
			needs[byRef[d.Ref]] += byRef[n] + " "
		}
	}
	if needs["libharbour"] != "libquay " || needs["github.com/seatrial/seatrial/builder/sbom/scan.test"] != "stdlib " {
		t.Errorf("needs %v", needs)
	}
	if tools := *bom.Metadata.Tools.Components; len(tools) != 2 || tools[1].Name != "syft" || bom.Metadata.Timestamp != "2026-11-01T12:00:00Z" {
		t.Errorf("made by %+v at %s", tools, bom.Metadata.Timestamp)
	}
}

func TestAnImageWithoutPackagesListsItsFiles(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.PushFiles(t, "shop/page", "v1", "linux/amd64", time.Unix(0, 0), map[string][]byte{"index.html": []byte("<p>ahoy"), "tool": []byte("\x7fELF of no Go")})
	bom, _ := document(t, a, s)
	if c := *bom.Components; len(c) != 2 || c[0].Type != cyclonedx.ComponentTypeFile || c[1].Name != "/tool" {
		t.Errorf("components %+v", c)
	}
}

// Every pattern by which syft's catalogers of images find their files is one of those that
// make us ask syft, so that nothing it would describe goes without.
func TestWhateverSyftLooksForStartsAScan(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/anchore/syft").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "syft/pkg/cataloger/*/capabilities.yaml"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d lists of what syft looks for, %v", len(files), err)
	}
	asked := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, cataloger := range strings.Split(string(raw), "\n  - ecosystem:")[1:] {
			if !regexp.MustCompile(`(?m)^      - image$`).MatchString(cataloger) {
				continue
			}
			for _, m := range regexp.MustCompile(`(?m)^ +- '?([*/][^' ]*)'?$`).FindAllStringSubmatch(cataloger, -1) {
				asked++
				if p := sample(m[1]); !contents.Scanned(p) {
					t.Errorf("syft looks for %s, and %s starts no scan", m[1], p)
				}
			}
		}
	}
	if asked < 150 {
		t.Errorf("%d patterns were found, there were more", asked)
	}
	for _, p := range []string{"/app/index.html", "/etc/passwd", "/usr/share/zoneinfo/Asia/Shanghai", "/etc/ssl/certs/ca-certificates.crt", "/usr/local/go/lib/time/zoneinfo.zip", "/srv/main.js", "/var/lib/app/config.yaml"} {
		if contents.Scanned(p) {
			t.Errorf("%s starts a scan for nothing", p)
		}
	}
}

// sample is a path that a pattern matches.
func sample(pattern string) string {
	pattern = regexp.MustCompile(`\{([^,}]*)[^}]*\}`).ReplaceAllString(pattern, "$1")
	pattern = strings.ReplaceAll("/"+strings.TrimPrefix(pattern, "/"), "**", "a/b")
	return strings.NewReplacer("*", "1", "?", "2").Replace(pattern)
}

func TestFailuresOfTheChild(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.PushFiles(t, "shop/page", "v1", "linux/amd64", time.Unix(0, 0), map[string][]byte{"package.json": []byte("{}")})
	for _, c := range []struct {
		name string
		cfg  sbom.Config
		want string
	}{
		{name: "a document over the limit", cfg: sbom.Config{MaxBytes: 100}, want: "larger than allowed"},
		{name: "a child that fails says why", cfg: sbom.Config{Args: []string{"sbom", "--nonsense"}}, want: "nonsense"},
		{name: "a scan that takes too long", cfg: sbom.Config{Timeout: time.Nanosecond}, want: "deadline"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := generator(t, s, c.cfg).Generate(t.Context(), a, a.Platforms[0]); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err %v, want %q", err, c.want)
			}
		})
	}
	if err := scan.Main(t.Context(), []string{"--layout", t.TempDir(), "--image", "linux/amd64=" + string(a.Digest)}, &bytes.Buffer{}); err == nil {
		t.Error("a layout that is not there is an error")
	}
}

// BenchmarkGoImage describes images of one Go program by ourselves and through the child
// with syft, in turn, and reports how much of the child's time we need.
func BenchmarkGoImage(b *testing.B) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]string{"small": filepath.Join(strings.TrimSpace(string(root)), "bin", "go"), "large": os.Args[0]} {
		b.Run(name, func(b *testing.B) {
			layouts := b.TempDir()
			p := release.Platform{Name: "linux/amd64", Digest: goImage(b, layouts, path)}
			var ours, child time.Duration
			for b.Loop() {
				start := time.Now()
				img, err := contents.Read(b.Context(), filepath.Join(layouts, p.Digest.Hex()), p.Digest, contents.Options{Temp: layouts})
				if err != nil || img.Rest != "" || len(img.Programs) != 1 {
					b.Fatalf("image %+v, %v", img, err)
				}
				if _, err := (sbom.Maker{}).Document("shop/web", p, img, nil); err != nil {
					b.Fatal(err)
				}
				ours += time.Since(start)
				start = time.Now()
				cmd := exec.Command(os.Args[0], "sbom", "--layout", layouts, "--repository", "shop/web", "--image", "linux/amd64="+string(p.Digest))
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				child += time.Since(start)
			}
			b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ours-ms/op")
			b.ReportMetric(float64(child.Milliseconds())/float64(b.N), "syft-ms/op")
			b.ReportMetric(float64(ours)/float64(child), "ratio")
		})
	}
}

// goImage writes an image of one program, packed as images are, below layouts.
func goImage(b *testing.B, layouts, program string) release.Digest {
	b.Helper()
	body, err := os.ReadFile(program)
	if err != nil {
		b.Fatal(err)
	}
	var layer bytes.Buffer
	zip, err := gzip.NewWriterLevel(&layer, gzip.BestSpeed)
	if err != nil {
		b.Fatal(err)
	}
	whole := sha256.New()
	w := tar.NewWriter(io.MultiWriter(zip, whole))
	if err := w.WriteHeader(&tar.Header{Name: "app", Mode: 0o755, Size: int64(len(body))}); err != nil {
		b.Fatal(err)
	}
	if _, err := w.Write(body); err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		b.Fatal(err)
	}
	blobs := map[string][]byte{}
	blob := func(kind string, raw []byte) string {
		sum := sha256.Sum256(raw)
		blobs[hex.EncodeToString(sum[:])] = raw
		return fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%x","size":%d}`, kind, sum, len(raw))
	}
	config := blob("config.v1+json", fmt.Appendf(nil, `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, whole.Sum(nil)))
	manifest := blob("manifest.v1+json", fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}`, config, blob("layer.v1.tar+gzip", layer.Bytes())))
	var d struct{ Digest release.Digest }
	if err := json.Unmarshal([]byte(manifest), &d); err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(layouts, d.Digest.Hex())
	files := map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`), "index.json": fmt.Appendf(nil, `{"schemaVersion":2,"manifests":[%s]}`, manifest)}
	for hex, raw := range blobs {
		files["blobs/sha256/"+hex] = raw
	}
	for name, raw := range files {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, raw, 0o600)); err != nil {
			b.Fatal(err)
		}
	}
	return d.Digest
}
