package images

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const debianSuite = "bookworm"

// debianMirror is where the machine's own packages come from.
const debianMirror = "http://deb.debian.org/debian"

// SandboxImage is what every pod starts with; clusters cannot run one without it.
func (m *Maker) SandboxImage(name string) (Image, error) {
	program, err := os.ReadFile(m.Sandbox)
	if err != nil {
		return Image{}, fmt.Errorf("make sandbox image: %w", err)
	}
	return Image{
		Names: []string{name}, Platforms: []string{"amd64"},
		Config: Config{Entrypoint: []string{"/pause"}, User: "65535:65535"},
		Layers: []Layer{{
			Name: "sandbox", Recipe: fmt.Sprintf("%x", sha256.Sum256(program)),
			Make: func(_ context.Context, _ string, w *tarWriter) error { return w.file("pause", 0o755, program) },
		}},
	}, nil
}

// BaseImages are what Dockerfiles start from, under the names they use anywhere.
func (m *Maker) BaseImages() []Image {
	const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	debian, golang := debianLayer(), goLayer()
	arch := []string{runtime.GOARCH}
	everywhere := []string{"amd64", "arm64", "ppc64le", "s390x"}
	static := Config{Env: []string{"PATH=" + path, "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"}, WorkingDir: "/"}
	nonroot := static
	nonroot.User, nonroot.WorkingDir = "65532", "/home/nonroot"
	return []Image{
		{Names: []string{"distroless/static:latest", "distroless/static-debian12:latest"}, Layers: []Layer{staticLayer()}, Platforms: everywhere, Config: static},
		{Names: []string{"distroless/static:nonroot", "distroless/static-debian12:nonroot"}, Layers: []Layer{staticLayer()}, Platforms: everywhere, Config: nonroot},
		{
			Names: []string{"library/debian:12-slim", "library/debian:bookworm-slim"}, Layers: []Layer{debian}, Platforms: arch,
			Config: Config{Env: []string{"PATH=" + path}, Cmd: []string{"bash"}},
		},
		{
			Names: []string{"library/golang:1.26", "library/golang:1.26-bookworm"}, Layers: []Layer{debian, golang}, Platforms: arch,
			Config: Config{
				Env: []string{"PATH=/go/bin:/usr/local/go/bin:" + path, "GOPATH=/go", "GOTOOLCHAIN=local"},
				Cmd: []string{"bash"}, WorkingDir: "/go",
			},
		},
	}
}

func debianLayer() Layer {
	return Layer{
		Name: "debian", Recipe: "minbase " + debianSuite + " ca-certificates 1",
		Make: func(ctx context.Context, work string, w *tarWriter) error {
			root := filepath.Join(work, "root")
			cmd := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include=ca-certificates", debianSuite, root, debianMirror)
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("debootstrap: %w: %s", err, last(string(out)))
			}
			return w.tree(ctx, root, "", func(rel string) bool {
				if below(rel, "usr/share/man", "usr/share/info", "usr/share/locale") {
					return true
				}
				return below(filepath.Dir(rel), "var/cache/apt", "var/lib/apt/lists", "var/log", "proc", "sys", "dev")
			})
		},
	}
}

func goLayer() Layer {
	return Layer{
		Name: "golang", Recipe: runtime.Version() + " 1",
		Make: func(ctx context.Context, _ string, w *tarWriter) error {
			out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
			if err != nil {
				return fmt.Errorf("find Go: %w", err)
			}
			if err := w.dir("go", 0o777, 0); err != nil {
				return err
			}
			// Tests and API history are a fifth of it, and no build needs them.
			return w.tree(ctx, strings.TrimSpace(string(out)), "usr/local/go", func(rel string) bool { return below(rel, "test", "api", "doc") })
		},
	}
}

// staticLayer is for programs that need no library: roots of trust, users, a
// home and a /tmp.
func staticLayer() Layer {
	return Layer{Name: "static", Recipe: "certificates users 1", Make: func(_ context.Context, _ string, w *tarWriter) error {
		certs, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
		if err != nil {
			return err
		}
		for _, d := range []struct {
			name string
			mode int64
			uid  int
		}{{"etc", 0o755, 0}, {"etc/ssl", 0o755, 0}, {"etc/ssl/certs", 0o755, 0}, {"home", 0o755, 0}, {"home/nonroot", 0o700, 65532}, {"tmp", 0o1777, 0}} {
			if err := w.dir(d.name, d.mode, d.uid); err != nil {
				return err
			}
		}
		for _, f := range []struct{ name, text string }{
			{"etc/passwd", "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"},
			{"etc/group", "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n"},
			{"etc/nsswitch.conf", "hosts: files dns\n"},
			{"etc/ssl/certs/ca-certificates.crt", string(certs)},
		} {
			if err := w.file(f.name, 0o644, []byte(f.text)); err != nil {
				return err
			}
		}
		return nil
	}}
}

func last(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
