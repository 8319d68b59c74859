package sbom_test

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"github.com/seatrial/seatrial/builder/sbom"
	"github.com/seatrial/seatrial/builder/sbom/contents"
	"github.com/seatrial/seatrial/builder/sbom/sbomtest"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
)

var made = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// generator has no scanner: what it describes, it describes by itself.
func generator(t *testing.T, s *ocitest.Server, cfg sbom.Config) *sbom.Generator {
	t.Helper()
	cfg.Exec, cfg.State = filepath.Join(t.TempDir(), "no-scanner"), t.TempDir()
	g, err := sbom.New(cfg, s.Registry(t).Fetch)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func decode(t *testing.T, doc []byte) *cyclonedx.BOM {
	t.Helper()
	sbomtest.Valid(t, doc)
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(doc), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	return &bom
}

func component(t *testing.T, bom *cyclonedx.BOM, name string) cyclonedx.Component {
	t.Helper()
	i := slices.IndexFunc(*bom.Components, func(c cyclonedx.Component) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no component %s", name)
	}
	return (*bom.Components)[i]
}

func property(c cyclonedx.Component, name string) string {
	if c.Properties != nil {
		for _, p := range *c.Properties {
			if p.Name == name {
				return p.Value
			}
		}
	}
	return ""
}

// versionM is what `go version -m` prints for the program of a document, from the
// document alone.
func versionM(t *testing.T, bom *cyclonedx.BOM, ref string) string {
	t.Helper()
	byRef := map[string]cyclonedx.Component{}
	for _, c := range *bom.Components {
		byRef[c.BOMRef] = c
	}
	main := byRef[ref]
	out := []string{"go " + property(main, "seatrial:go:version"), "path " + main.Name}
	out = append(out, "mod "+strings.Join([]string{property(main, "seatrial:go:module"), main.Version, property(main, "seatrial:go:sum")}, " "))
	for _, d := range *bom.Dependencies {
		if d.Ref != ref {
			continue
		}
		for _, n := range *d.Dependencies {
			c := byRef[n]
			line := strings.Join([]string{c.Name, c.Version, property(c, "seatrial:go:sum")}, " ")
			if c.Name == "stdlib" {
				continue
			}
			if c.Pedigree != nil {
				old := (*c.Pedigree.Ancestors)[0]
				if folder := property(c, "seatrial:go:replace"); folder != "" {
					line = strings.Join([]string{folder, c.Version, ""}, " ")
				}
				line = old.Name + " " + old.Version + " => " + line
			}
			out = append(out, "dep "+line)
		}
	}
	for _, p := range *main.Properties {
		if k, ok := strings.CutPrefix(p.Name, "seatrial:go:build:"); ok {
			out = append(out, "build "+k+"="+p.Value)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// goVersionM is the same of the tool itself, with spaces between the fields.
func goVersionM(t *testing.T, program string) string {
	t.Helper()
	raw, err := exec.Command("go", "version", "-m", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for i, line := range strings.Split(strings.TrimSpace(string(raw)), "\n") {
		fields := strings.Split(strings.TrimPrefix(line, "\t"), "\t")
		switch {
		case line == "" || line == "\t": // after a replacement
		case i == 0:
			out = append(out, "go "+strings.TrimPrefix(line, program+": "))
		case fields[0] == "=>":
			out[len(out)-1] = strings.TrimRight(out[len(out)-1], " ") + " => " + strings.Join(fields[1:], " ")
		case fields[0] == "build":
			k, v, _ := strings.Cut(fields[1], "=")
			if u, err := unquote(v); err == nil {
				v = u
			}
			out = append(out, "build "+k+"="+v)
		default:
			out = append(out, strings.Join(fields, " "))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func unquote(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	var out string
	err := json.Unmarshal([]byte(s), &out)
	return out, err
}

// build makes a Go program with modules in it: as they are, replaced by another, and
// replaced by a folder. They come from where our own modules are.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sums, err := os.ReadFile("../../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.sum": string(sums),
		"go.mod": "module example.com/app\n\ngo 1.26\n\nrequire (\n\tgithub.com/google/uuid " + version(t, "github.com/google/uuid") +
			"\n\texample.com/old v1.0.0\n\texample.com/near v1.0.0\n)\n\nreplace example.com/old => golang.org/x/mod " + version(t, "golang.org/x/mod") +
			"\n\nreplace example.com/near => ./near\n",
		"near/go.mod":     "module example.com/near\n",
		"near/near.go":    "package near\n\nconst Name = \"near\"\n",
		"cmd/web/main.go": "package main\n\nimport (\n\t\"example.com/near\"\n\t\"example.com/old/semver\"\n\t\"github.com/google/uuid\"\n)\n\nfunc main() { println(near.Name, semver.IsValid(\"v1\"), uuid.Nil.String()) }\n",
	} {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-mod=mod", "-ldflags=-s -w", "-o", "app", "./cmd/web")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "app")
}

// version is the one of a module that we use ourselves.
func version(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestAGoImageIsDescribedAsGoDoes(t *testing.T) {
	s := ocitest.New(t, true)
	app := build(t)
	program, err := os.ReadFile(app)
	if err != nil {
		t.Fatal(err)
	}
	a := s.PushFiles(t, "shop/web", "v1", "linux/arm64", made, map[string][]byte{"bin/app": program, "etc/passwd": []byte("root")})
	var docs [2][]byte
	for i := range docs {
		if docs[i], err = generator(t, s, sbom.Config{}).Generate(t.Context(), a, a.Platforms[0]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(docs[0], docs[1]) {
		t.Error("two documents of one image differ")
	}
	bom := decode(t, docs[0])
	if got, want := versionM(t, bom, "file:/bin/app"), goVersionM(t, app); got != want {
		t.Errorf("the document says\n%s\nwant\n%s", got, want)
	}
	m := bom.Metadata
	if bom.SpecVersion != cyclonedx.SpecVersion1_6 || bom.SerialNumber != sbom.Serial(a.Platforms[0].Digest) || m.Timestamp != "2026-11-01T12:00:00Z" {
		t.Errorf("document %v %s of %s", bom.SpecVersion, bom.SerialNumber, m.Timestamp)
	}
	if (*m.Lifecycles)[0].Phase != cyclonedx.LifecyclePhaseBuild || (*m.Authors)[0].Name != "Seatrial" || (*m.Tools.Components)[0].Name != "seatrial" || len(*m.Tools.Components) != 1 {
		t.Errorf("metadata %+v", m)
	}
	if m.Component.Version != string(a.Platforms[0].Digest) || m.Component.Supplier != nil {
		t.Errorf("main component %+v: nobody said who supplies it", m.Component)
	}
	if !slices.IsSortedFunc(*bom.Components, func(a, b cyclonedx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) }) {
		t.Error("components are not sorted")
	}
	component(t, bom, "/etc/passwd")
}

func info(t *testing.T, text string) *buildinfo.BuildInfo {
	t.Helper()
	out, err := debug.ParseBuildInfo(text)
	if err != nil {
		t.Fatal(err)
	}
	out.GoVersion = "go1.26.8 X:boringcrypto"
	return out
}

const moduleInfo = "path\texample.com/app/cmd/web\nmod\texample.com/app\tv1.2.3\th1:MAIN=\n" +
	"dep\texample.com/Plain\tv2.0.0+incompatible\th1:A0CHGPsZ6WYKIKoY1mbFhTrbkYlwZDF7EDBQz4Sy8a8=\n" +
	"dep\texample.com/old\tv1.0.0\n=>\texample.com/new\tv1.1.0\th1:NEW=\n" +
	"dep\texample.com/near\tv0.0.0\n=>\t./near\t(devel)\t\n" +
	"build\tCGO_ENABLED=0\n"

func describe(t *testing.T, m sbom.Maker, img *contents.Image, rest *cyclonedx.BOM) *cyclonedx.BOM {
	t.Helper()
	p := release.Platform{Name: "linux/amd64", Digest: release.Digest("sha256:" + strings.Repeat("ab", 32))}
	doc, err := m.Document("registry.example:5000/shop/web", p, img, rest)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, doc)
}

func program(i *buildinfo.BuildInfo) contents.Program {
	return contents.Program{File: contents.File{Path: "/web", SHA256: strings.Repeat("cd", 32)}, Info: i}
}

func TestModules(t *testing.T) {
	bom := describe(t, sbom.Maker{Author: "The Harbour"}, &contents.Image{Programs: []contents.Program{program(info(t, moduleInfo))}}, nil)
	for _, c := range []struct{ name, version, purl string }{
		{"example.com/app/cmd/web", "v1.2.3", "pkg:golang/example.com/app@v1.2.3#cmd/web"},
		{"example.com/Plain", "v2.0.0+incompatible", "pkg:golang/example.com/Plain@v2.0.0%2Bincompatible"},
		{"example.com/new", "v1.1.0", "pkg:golang/example.com/new@v1.1.0"},
		{"example.com/near", "(devel)", "pkg:golang/example.com/near"},
		{"stdlib", "go1.26.8", "pkg:golang/stdlib@1.26.8"},
	} {
		if got := component(t, bom, c.name); got.Version != c.version || got.PackageURL != c.purl || got.Supplier != nil {
			t.Errorf("%s: %s %s, supplier %v", c.name, got.Version, got.PackageURL, got.Supplier)
		}
	}
	if h := component(t, bom, "example.com/Plain").Hashes; h == nil || (*h)[0].Value != "03408718fb19e9660a20aa18d666c5853adb91897064317b103050cf84b2f1af" {
		t.Errorf("hash %v", h)
	}
	if h := component(t, bom, "example.com/new").Hashes; h != nil {
		t.Errorf("a sum that is no digest became %v", *h)
	}
	if a := component(t, bom, "example.com/new").Pedigree; a == nil || (*a.Ancestors)[0].Name != "example.com/old" {
		t.Errorf("pedigree %+v", a)
	}
	if len(*bom.Components) != 5 || (*bom.Metadata.Authors)[0].Name != "The Harbour" {
		t.Errorf("%d components by %v", len(*bom.Components), *bom.Metadata.Authors)
	}
}

func TestWhatIsNotKnownIsDeclared(t *testing.T) {
	const main = "sha256:abababababababababababababababababababababababababababababababab"
	for _, c := range []struct {
		name                 string
		img                  *contents.Image
		rest                 *cyclonedx.BOM
		assembly             cyclonedx.CompositionAggregate
		complete, incomplete string // whose needs are known
	}{
		{name: "a Go program says all its modules, not which needs which", img: &contents.Image{Programs: []contents.Program{program(info(t, moduleInfo))}}, assembly: cyclonedx.CompositionAggregateComplete,
			complete: "file:/web " + main, incomplete: "pkg:golang/example.com/Plain@v2.0.0%2Bincompatible pkg:golang/example.com/near?replaces=example.com%2Fnear%40v0.0.0 pkg:golang/example.com/new@v1.1.0?replaces=example.com%2Fold%40v1.0.0"},
		{name: "with cgo there may be more in it", img: &contents.Image{Programs: []contents.Program{program(info(t, "path\texample.com/app\nmod\texample.com/app\t(devel)\nbuild\tCGO_ENABLED=1\n"))}}, assembly: cyclonedx.CompositionAggregateComplete,
			complete: main, incomplete: "file:/web"},
		{name: "a program without modules", img: &contents.Image{Programs: []contents.Program{program(info(t, "build\tCGO_ENABLED=0\n"))}}, assembly: cyclonedx.CompositionAggregateComplete,
			complete: main, incomplete: "file:/web"},
		{name: "a scanner never knows that it saw everything", img: &contents.Image{Files: []contents.File{{Path: "/a", SHA256: strings.Repeat("00", 32)}}}, rest: &cyclonedx.BOM{}, assembly: cyclonedx.CompositionAggregateIncomplete,
			incomplete: main},
		{name: "more files than are listed", img: &contents.Image{Files: slices.Repeat([]contents.File{{Path: "/a", SHA256: strings.Repeat("00", 32)}}, 5001)}, assembly: cyclonedx.CompositionAggregateIncomplete,
			incomplete: main},
	} {
		t.Run(c.name, func(t *testing.T) {
			bom := describe(t, sbom.Maker{}, c.img, c.rest)
			got := map[cyclonedx.CompositionAggregate]string{}
			for _, k := range *bom.Compositions {
				if k.Assemblies != nil && (len(*k.Assemblies) != 1 || string((*k.Assemblies)[0]) != main || k.Aggregate != c.assembly) {
					t.Errorf("assembly %+v %v", k, *k.Assemblies)
				}
				if k.Dependencies != nil {
					var refs []string
					for _, r := range *k.Dependencies {
						refs = append(refs, string(r))
					}
					got[k.Aggregate] = strings.Join(refs, " ")
				}
			}
			if got[cyclonedx.CompositionAggregateComplete] != c.complete || got[cyclonedx.CompositionAggregateIncomplete] != c.incomplete {
				t.Errorf("compositions %v", got)
			}
		})
	}
}

func TestWhatTheImageSaysOfItselfIsToldAsItIs(t *testing.T) {
	const label = "org.opencontainers.image."
	bom := describe(t, sbom.Maker{}, &contents.Image{
		Files: []contents.File{{Path: "/a", SHA256: strings.Repeat("00", 32)}}, Author: "nobody",
		Labels: map[string]string{label + "vendor": "The Harbour", label + "authors": "crew@harbour.example", label + "licenses": "MIT AND ISC", label + "revision": "abc"},
	}, nil)
	c := bom.Metadata.Component
	if c.Supplier == nil || c.Supplier.Name != "The Harbour" || (*c.Authors)[0].Name != "crew@harbour.example" || property(*c, label+"revision") != "abc" || (*c.Licenses)[0].License.Name != "MIT AND ISC" {
		t.Errorf("main component %+v", c)
	}
	if bom.Metadata.Timestamp != "" {
		t.Errorf("an image that does not say when it was made was made %s", bom.Metadata.Timestamp)
	}
}

func TestWhatBothFoundIsDescribedOnce(t *testing.T) {
	at := func(ref, name, purl string, paths ...string) cyclonedx.Component {
		c := cyclonedx.Component{BOMRef: ref, Type: cyclonedx.ComponentTypeLibrary, Name: name, Version: "1", PackageURL: purl, Properties: &[]cyclonedx.Property{}}
		for _, p := range paths {
			*c.Properties = append(*c.Properties, cyclonedx.Property{Name: "syft:location:0:path", Value: p})
		}
		return c
	}
	libc := at("libc", "libc", "pkg:deb/debian/libc@1", "/var/lib/dpkg/status")
	libc.Publisher = "Debian"
	rest := &cyclonedx.BOM{
		Components: &[]cyclonedx.Component{
			at("same", "example.com/new", "pkg:golang/example.com/new@v1.1.0?package-id=1", "/other"),
			at("inside", "example.com/guessed", "pkg:golang/example.com/guessed@v9", "/web"),
			{BOMRef: "owned", Type: cyclonedx.ComponentTypeFile, Name: "/web"},
			at("also", "example.com/also", "pkg:golang/example.com/also@v1", "/web", "/packed"),
			libc,
		},
		Dependencies: &[]cyclonedx.Dependency{{Ref: "libc", Dependencies: &[]string{"same", "inside", "also"}}, {Ref: "inside", Dependencies: &[]string{"libc"}}},
	}
	bom := describe(t, sbom.Maker{}, &contents.Image{Programs: []contents.Program{program(info(t, moduleInfo))}}, rest)
	var names []string
	for _, c := range *bom.Components {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, " "); got != "example.com/Plain example.com/also example.com/app/cmd/web example.com/near example.com/new libc stdlib" {
		t.Errorf("components %s", got)
	}
	if c := component(t, bom, "libc"); c.Supplier == nil || c.Supplier.Name != "Debian" {
		t.Errorf("supplier %v: the package names one", c.Supplier)
	}
	for _, d := range *bom.Dependencies {
		if needs := strings.Join(*d.Dependencies, " "); d.Ref == "libc" && needs != "also pkg:golang/example.com/new@v1.1.0?replaces=example.com%2Fold%40v1.0.0" {
			t.Errorf("libc needs %s", needs)
		}
	}
}

func TestLicencesComeFromTheVeryModule(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	self, err := buildinfo.ReadFile(build(t))
	if err != nil {
		t.Fatal(err)
	}
	m := sbom.Maker{Modules: strings.TrimSpace(string(out))}
	bom := describe(t, m, &contents.Image{Programs: []contents.Program{program(self)}}, nil)
	if l := component(t, bom, "github.com/google/uuid").Licenses; l == nil || (*l)[0].License.ID != "BSD-3-Clause" {
		t.Errorf("licences %v", l)
	}
	if l := component(t, bom, "golang.org/x/mod").Licenses; l == nil || (*l)[0].License.ID != "BSD-3-Clause" {
		t.Errorf("licences of a replacement %v", l)
	}
	for _, d := range self.Deps {
		d.Sum = "h1:" + strings.Repeat("A", 43) + "="
	}
	bom = describe(t, m, &contents.Image{Programs: []contents.Program{program(self)}}, nil)
	if l := component(t, bom, "github.com/google/uuid").Licenses; l != nil {
		t.Errorf("a module of another sum has licences %v", *l)
	}
}

func TestTheIndexLinksItsPlatforms(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64")
	raw, err := generator(t, s, sbom.Config{}).Generate(t.Context(), a, release.Platform{Digest: a.Digest})
	if err != nil {
		t.Fatal(err)
	}
	bom := decode(t, raw)
	if len(*bom.Components) != 2 || bom.Metadata.Component.Version != string(a.Digest) || bom.SerialNumber != sbom.Serial(a.Digest) {
		t.Errorf("document %s", raw)
	}
	for _, p := range a.Platforms {
		if link := strings.TrimPrefix(sbom.Serial(p.Digest), "urn:uuid:"); !strings.Contains(string(raw), "urn:cdx:"+link+"/1") {
			t.Errorf("no link to the document of %s: %s", p.Name, raw)
		}
	}
}

func TestTheIndexIsAsOldAsItsYoungestPlatform(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.PushFiles(t, "shop/web", "v1", "linux/amd64", made, map[string][]byte{"a": []byte("1")})
	raw, err := generator(t, s, sbom.Config{}).Generate(t.Context(), a, release.Platform{Digest: a.Digest})
	if err != nil {
		t.Fatal(err)
	}
	if bom := decode(t, raw); bom.Metadata.Timestamp != "2026-11-01T12:00:00Z" {
		t.Errorf("made %s", bom.Metadata.Timestamp)
	}
}

func TestADocumentInAnotherVersion(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.PushFiles(t, "shop/web", "v1", "linux/amd64", made, map[string][]byte{"a": []byte("1")})
	raw, err := generator(t, s, sbom.Config{}).Generate(t.Context(), a, a.Platforms[0])
	if err != nil {
		t.Fatal(err)
	}
	old, err := sbom.As(raw, "1.5")
	if err != nil {
		t.Fatal(err)
	}
	sbomtest.Valid(t, old)
	if bom := decode(t, old); bom.SpecVersion != cyclonedx.SpecVersion1_5 || bom.Metadata.Component.Version != string(a.Platforms[0].Digest) {
		t.Errorf("document %s", old)
	}
	if same, err := sbom.As(raw, "1.6"); err != nil || !bytes.Equal(same, raw) {
		t.Errorf("the same version is not the same document: %s, %v", same, err)
	}
	if _, err := sbom.As(raw, "1.4"); err == nil {
		t.Error("a version that we do not write is an error")
	}
}

func TestADocumentIsKeptForItsImage(t *testing.T) {
	s := ocitest.New(t, true)
	g := generator(t, s, sbom.Config{})
	a := s.PushFiles(t, "shop/web", "v1", "linux/amd64", made, map[string][]byte{"a": []byte("1")})
	first, err := g.Generate(t.Context(), a, a.Platforms[0])
	if err != nil {
		t.Fatal(err)
	}
	b := s.Copy(t, a, "shop/copy")
	if other, err := g.Generate(t.Context(), b, b.Platforms[0]); err != nil || !strings.Contains(string(other), "shop/copy") {
		t.Errorf("the same image in another repository is described as %s, %v", other, err)
	}
	s.Fail(func(r *http.Request) int { return http.StatusServiceUnavailable })
	if again, err := g.Generate(t.Context(), a, a.Platforms[0]); err != nil || !bytes.Equal(again, first) {
		t.Errorf("without its registry: %s, %v", again, err)
	}
}

func TestRefusals(t *testing.T) {
	s := ocitest.New(t, true)
	a := s.PushFiles(t, "shop/web", "v1", "linux/amd64", made, map[string][]byte{"a": bytes.Repeat([]byte{0}, 1<<20)})
	if _, err := generator(t, s, sbom.Config{MaxImage: 1 << 10}).Generate(t.Context(), a, a.Platforms[0]); !errors.Is(err, contents.ErrTooLarge) {
		t.Errorf("an image over the limit: %v", err)
	}
	if _, err := generator(t, s, sbom.Config{MaxBytes: 100}).Generate(t.Context(), a, a.Platforms[0]); err == nil || !strings.Contains(err.Error(), "larger than allowed") {
		t.Errorf("a document over the limit: %v", err)
	}
	if _, err := generator(t, s, sbom.Config{}).Generate(t.Context(), a, release.Platform{Name: "linux/s390x", Digest: a.Digest}); err == nil {
		t.Error("a platform of another artifact is an error")
	}
	b := s.PushFiles(t, "shop/node", "v1", "linux/amd64", made, map[string][]byte{"package.json": []byte("{}")})
	if _, err := generator(t, s, sbom.Config{}).Generate(t.Context(), b, b.Platforms[0]); err == nil || !strings.Contains(err.Error(), "no-scanner") {
		t.Errorf("what needs a scanner was described without one: %v", err)
	}
}
