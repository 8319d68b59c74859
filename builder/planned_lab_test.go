//go:build lab

package builder_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/seatrial/seatrial/builder/plan"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

// every is the platforms that a planned Go service is built for without an emulator.
var every = []string{"linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x", "linux/riscv64"}

// newPlanned is a shop whose service has no Dockerfile.
func newPlanned(t *testing.T) *shop {
	t.Helper()
	s := newShop(t)
	delete(s.files, "Dockerfile")
	delete(s.files, "main.go")
	s.files["go.mod"] = "module example.org/web\n\ngo 1.26\n\nrequire example.org/greet v1.0.0\n"
	s.files["vendor/modules.txt"] = "# example.org/greet v1.0.0\n## explicit; go 1.26\nexample.org/greet\n"
	s.files["vendor/example.org/greet/greet.go"] = "package greet\n\nconst Word = \"hello\"\n"
	s.files["cmd/web/main.go"] = "package main\n\nimport (\n\t\"fmt\"\n\t\"time\"\n\n\t\"example.org/greet\"\n)\n\nvar version = \"dev\"\n\n" +
		"func main() {\n\t_, err := time.LoadLocation(\"Asia/Shanghai\")\n\tfmt.Println(greet.Word, version, err)\n}\n"
	s.files["cmd/web/main_test.go"] = "package main\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) {}\n"
	s.pipeline.Spec.Build = release.BuildSpec{Platforms: every, Checks: []release.BuildCheck{{Name: "unit", Target: "test"}}}
	return s
}

// built is one platform of an image: its config, and its files as layers leave them.
type built struct {
	config ocispecs.Image
	files  map[string]string // path: kind, mode, owner and digest or link
	binary []byte
	layers []string
}

func (s *shop) open(t *testing.T, a release.Artifact, p release.Platform) built {
	t.Helper()
	m, err := s.registry.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: p.Digest})
	if err != nil {
		t.Fatal(err)
	}
	var manifest ocispecs.Manifest
	if err := json.Unmarshal(m.Raw, &manifest); err != nil {
		t.Fatal(err)
	}
	out := built{files: map[string]string{}}
	blob := func(d ocispecs.Descriptor) []byte {
		raw, err := s.registry.Blob(t.Context(), a.Repository, release.Digest(d.Digest), 64<<20)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if err := json.Unmarshal(blob(manifest.Config), &out.config); err != nil {
		t.Fatal(err)
	}
	for _, l := range manifest.Layers {
		out.layers = append(out.layers, l.Digest.String())
		out.unpack(t, blob(l))
	}
	return out
}

func (b *built) unpack(t *testing.T, layer []byte) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := path.Join("/", h.Name)
		b.files[name] = fmt.Sprintf("%c %04o %d:%d %x %s", h.Typeflag, h.Mode, h.Uid, h.Gid, sha256.Sum256(content), h.Linkname)
		if strings.HasPrefix(name, "/usr/local/bin/") && h.Typeflag == tar.TypeReg {
			b.binary = content
		}
	}
}

func TestAPlannedBuildOnTheLab(t *testing.T) {
	s := newPlanned(t)
	begin := time.Now()
	f, v := s.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s\n%s\n%s", v.Outcome(), v.Reason(), v.Hint(), s.log(t))
	}
	first := time.Since(begin)
	begin = time.Now()
	if again, _ := s.build(t, 2); again.Artifact.Digest != f.Artifact.Digest {
		t.Errorf("built again: %s, then %s", f.Artifact.Digest, again.Artifact.Digest)
	}
	t.Logf("%d platforms: first build %v, again unchanged %v", len(every), first, time.Since(begin))

	a := *f.Artifact
	if len(a.Platforms) != len(every) {
		t.Fatalf("platforms %+v", a.Platforms)
	}
	machines := map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "riscv64": elf.EM_RISCV,
	}
	base := ""
	for _, p := range a.Platforms {
		b := s.open(t, a, p)
		c := b.config.Config
		if c.User != "65532:65532" || !reflect.DeepEqual(c.Entrypoint, []string{"/usr/local/bin/web"}) || c.Labels[ocispecs.AnnotationRevision] != string(s.release.Commit) || b.config.Created.Unix() != 1793534400 {
			t.Errorf("%s: config %+v of %v", p.Name, c, b.config.Created)
		}
		file, err := elf.NewFile(bytes.NewReader(b.binary))
		if err != nil || file.Machine != machines[b.config.Architecture] || file.Section(".interp") != nil {
			t.Errorf("%s: want a static program for it, got %+v, %v", p.Name, file, err)
		}
		for name, want := range map[string]string{
			"/tmp": "5 1777 0:0", "/home/nonroot": "5 0700 65532:65532", "/etc/passwd": "0 0644 0:0", "/etc/ssl/certs/ca-certificates.crt": "0 0644 0:0", "/usr/local/bin/web": "0 0755 0:0",
		} {
			if !strings.HasPrefix(b.files[name], want) {
				t.Errorf("%s: %s is %q, want %q", p.Name, name, b.files[name], want)
			}
		}
		if base == "" {
			base = b.layers[0]
		} else if base != b.layers[0] {
			t.Errorf("%s: the first layer is %s, elsewhere %s", p.Name, b.layers[0], base)
		}
		if p.Name == "linux/amd64" {
			runs(t, b.binary, "hello "+s.release.Commit.Short()+" <nil>\n")
		}
	}
	r := s.release
	r.Artifact = &a
	raw, err := s.builder(t).Provenance(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"https://seatrial.dev/build/plan/v1"`, `"docker-image://docker.io/library/golang:1.26"`, `"name":"main","value":"./cmd/web"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("provenance without %s: %s", want, raw)
		}
	}
}

func runs(t *testing.T, binary []byte, want string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "web")
	if err := os.WriteFile(file, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), file).CombinedOutput(); err != nil || string(out) != want {
		t.Errorf("says %q, want %q (%v)", out, want, err)
	}
}

func TestTwoPlannedBuildsGiveTheSameDigest(t *testing.T) {
	s := newPlanned(t)
	f, v := s.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%s\n%s", v.Reason(), s.log(t))
	}
	// Another folder, a file that no program has, and caches that nobody has written yet:
	// everything is compiled again.
	clean := newPlanned(t)
	clean.release.Commit, clean.release.ID, clean.release.Ref = s.release.Commit, s.release.ID, "refs/pull/1/head"
	clean.release.Service = s.release.Service
	g, v := clean.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%s\n%s", v.Reason(), clean.log(t))
	}
	if f.Artifact.Digest != g.Artifact.Digest {
		for i, p := range f.Artifact.Platforms {
			a, b := s.open(t, *f.Artifact, p), clean.open(t, *g.Artifact, g.Artifact.Platforms[i])
			t.Errorf("%s: %v\nthen %v", p.Name, a.layers, b.layers)
		}
		t.Errorf("index %s, then %s", f.Artifact.Digest, g.Artifact.Digest)
	}
}

func TestTheEjectedDockerfileGivesTheSameFiles(t *testing.T) {
	s := newPlanned(t)
	f, v := s.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%s\n%s", v.Reason(), s.log(t))
	}
	tree := fstest.MapFS{}
	for name, content := range s.files {
		tree[name] = &fstest.MapFile{Data: []byte(content)}
	}
	p, err := plan.Detect(tree, plan.Ask{Name: "web"})
	if err != nil {
		t.Fatal(err)
	}
	s.files["Dockerfile"] = plan.Dockerfile(p, nil)
	g, v := s.build(t, 2)
	if v.Outcome() != release.Passed {
		t.Fatalf("%s\n%s", v.Reason(), s.log(t))
	}
	for i, p := range f.Artifact.Platforms {
		ours, theirs := s.open(t, *f.Artifact, p), s.open(t, *g.Artifact, g.Artifact.Platforms[i])
		for name := range ours.files {
			if ours.files[name] != theirs.files[name] {
				t.Errorf("%s: %s is %q, of the Dockerfile %q", p.Name, name, ours.files[name], theirs.files[name])
			}
		}
		if len(ours.files) != len(theirs.files) || len(ours.files) < 10 {
			t.Errorf("%s: %d files, of the Dockerfile %d", p.Name, len(ours.files), len(theirs.files))
		}
	}
}

func TestPlannedRefusalsOnTheLab(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*shop)
		want []string
	}{
		{name: "a program that does not compile shows its line", with: func(s *shop) {
			s.files["cmd/web/main.go"] += "\nfunc broken() { undefined() }\n"
			s.pipeline.Spec.Build.Checks = nil
		}, want: []string{"build 1/1", "undefined: undefined", "exit code 1"}},
		{name: "a test that fails shows its lines", with: func(s *shop) {
			s.files["cmd/web/main_test.go"] = "package main\n\nimport \"testing\"\n\nfunc TestIt(t *testing.T) { t.Error(\"the mast is broken\") }\n"
		}, want: []string{"check unit", "the mast is broken"}},
		{name: "a base image that is not there", with: func(s *shop) { s.pipeline.Spec.Build.Plan = &release.BuildPlan{Version: "0.9"} },
			want: []string{"docker.io/library/golang:0.9", "not found"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newPlanned(t)
			c.with(s)
			_, v := s.build(t, 1)
			if v.Outcome() != release.Refused {
				t.Fatalf("%v %s\n%s", v.Outcome(), v.Reason(), s.log(t))
			}
			for _, w := range c.want {
				if !strings.Contains(v.Reason(), w) {
					t.Errorf("reason %q without %q", v.Reason(), w)
				}
			}
			t.Logf("reason: %s\nhint: %s", v.Reason(), v.Hint())
		})
	}
}
