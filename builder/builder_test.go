package builder_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/internal/git/files"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

var commit = release.Commit(strings.Repeat("3f", 20))

// dock is a builder whose buildkitd is never there: everything before it is real.
type dock struct {
	dir       string // the checkout
	state     string
	server    *ocitest.Server
	pipeline  release.Pipeline
	secrets   []secret.Text
	mountable map[string]secret.Text // by the names that the project may use
	cfg       builder.Config
	checkouts int
	release   release.Release
	tree      string   // of the context
	verified  []string // what is wrong with an artifact
	said      bytes.Buffer
}

func newDock(t *testing.T) *dock {
	t.Helper()
	d := &dock{dir: t.TempDir(), state: t.TempDir(), server: ocitest.New(t, true)}
	d.cfg = builder.Config{Addresses: []string{"unix:///nowhere/buildkitd.sock"}, Registry: d.server.Host, ID: "https://seatrial.example/builder", State: d.state}
	d.release = release.Release{ID: release.NewID("shop/web", commit), Service: "shop/web", Repo: "http://forge.example/shop/web.git", Ref: "refs/heads/main", Commit: commit}
	d.write(t, "Dockerfile", "FROM scratch\n")
	return d
}

func (d *dock) write(t *testing.T, name, content string) {
	t.Helper()
	file := filepath.Join(d.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func (d *dock) builder(t *testing.T) *builder.Builder {
	t.Helper()
	book, err := logs.Open(t.TempDir(), logs.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	b, err := builder.New(d.cfg, builder.Parts{
		Registry: d.server.Registry(t), Logs: book, Secrets: func() []secret.Text { return d.secrets },
		SecretOf: func(_ release.Release, name string) (secret.Text, bool, error) {
			value, allowed := d.mountable[name]
			return value, allowed, nil
		},
		Tree:     func(context.Context, release.Release, string) (string, error) { return d.tree, nil },
		Verify:   func(context.Context, release.Release) ([]string, error) { return slices.Clone(d.verified), nil },
		Log:      slog.New(slog.NewTextHandler(&d.said, nil)),
		Pipeline: func(context.Context, release.Release) (release.Pipeline, error) { return d.pipeline, nil },
		Checkout: func(context.Context, release.Release) (fs.FS, time.Time, func() error, error) {
			d.checkouts++
			return d.committed(t), time.Unix(1_700_000_000, 0), func() error { return nil }, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// committed is what is in the checkout, as git has it.
func (d *dock) committed(t *testing.T) fs.FS {
	t.Helper()
	var entries []files.Entry
	err := filepath.WalkDir(d.dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(d.dir, file)
		entry := files.Entry{Path: name, Mode: info.Mode(), Size: info.Size()}
		if info.Mode()&fs.ModeSymlink != 0 {
			entry.Link, err = os.Readlink(file)
		}
		entries = append(entries, entry)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files.New(entries, time.Time{}, func(e files.Entry) ([]byte, error) { return os.ReadFile(filepath.Join(d.dir, e.Path)) })
}

func TestRefusedBeforeAnythingIsBuilt(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(t *testing.T, d *dock)
		want string
	}{
		{name: "no Dockerfile", with: func(t *testing.T, d *dock) { os.Remove(filepath.Join(d.dir, "Dockerfile")) }, want: "there is no Dockerfile"},
		{name: "a foreign frontend", with: func(t *testing.T, d *dock) {
			d.write(t, "Dockerfile", "# syntax=evil.example/frontend:1\nFROM scratch\n")
		}, want: "Dockerfile:1: # syntax=evil.example/frontend:1 is not allowed"},
		{name: "a frontend that only looks like the official one", with: func(t *testing.T, d *dock) {
			d.write(t, "Dockerfile", "# syntax=docker/dockerfile:1-labs\nFROM scratch\n")
		}, want: "not allowed"},
		{name: "a frontend by build argument", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Args = map[string]string{"BUILDKIT_SYNTAX": "evil.example/frontend:1"}
		}, want: `"BUILDKIT_SYNTAX" is not allowed`},
		{name: "an argument that looks like a secret", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Args = map[string]string{"NPM_TOKEN": "abc"}
		}, want: "looks like a secret"},
		{name: "an argument of a matrix that looks like a secret", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Checks = []release.BuildCheck{{Name: "test", Target: "test", Matrix: map[string][]string{"NPM_TOKEN": {"abc"}}}}
		}, want: "looks like a secret"},
		{name: "a secret's value as an argument", with: func(_ *testing.T, d *dock) {
			d.secrets = []secret.Text{"correct-horse"}
			d.pipeline.Spec.Build.Args = map[string]string{"GREETING": "say correct-horse"}
		}, want: "value of a secret"},
		{name: "a context outside the repository", with: func(_ *testing.T, d *dock) { d.pipeline.Spec.Build.Context = "../other" }, want: "outside the repository"},
		{name: "a context that is a link out of the repository", with: func(t *testing.T, d *dock) {
			if err := os.Symlink("/etc", filepath.Join(d.dir, "out")); err != nil {
				t.Fatal(err)
			}
			d.pipeline.Spec.Build.Context = "out"
		}, want: "escapes"},
		{name: "a Dockerfile that is a link out of the repository", with: func(t *testing.T, d *dock) {
			os.Remove(filepath.Join(d.dir, "Dockerfile"))
			if err := os.Symlink("/etc/passwd", filepath.Join(d.dir, "Dockerfile")); err != nil {
				t.Fatal(err)
			}
		}, want: "escapes"},
		{name: "a platform that is none", with: func(_ *testing.T, d *dock) { d.pipeline.Spec.Build.Platforms = []string{"arm64"} }, want: `platform "arm64"`},
		{name: "a platform twice", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Platforms = []string{"linux/arm64", "linux/arm64"}
		}, want: "each once"},
		{name: "a context that is too large", with: func(t *testing.T, d *dock) {
			d.cfg.MaxContext = 1 << 20
			d.write(t, "a/small", "x")
			d.write(t, "big/file", strings.Repeat("x", 2<<20))
		}, want: "over 1 MiB: big has 2 MiB of it"},
		{name: "a context of too many files", with: func(t *testing.T, d *dock) {
			d.cfg.MaxFiles = 5
			for i := range 10 {
				d.write(t, fmt.Sprintf("f%d", i), "")
			}
		}, want: "over 5 files"},
		{name: "a secret that is mounted and not declared", with: func(t *testing.T, d *dock) {
			d.write(t, "Dockerfile", "FROM scratch\n\nRUN --mount=type=secret,id=npmrc npm ci\n")
		}, want: "Dockerfile:3: secret npmrc is mounted and not declared"},
		{name: "a secret that the project may not use", with: func(_ *testing.T, d *dock) { d.mount("correct-horse"); d.mountable = nil },
			want: `project shop/web has no secret "npm-token"`},
		{name: "a secret that the server does not have", with: func(_ *testing.T, d *dock) { d.mount("") }, want: `secret "npm-token" has no value on the server`},
		{name: "a secret that cannot be masked", with: func(_ *testing.T, d *dock) { d.mount("1234") }, want: "too short to be kept out of the build's log"},
		{name: "a secret for a pull request", with: func(_ *testing.T, d *dock) { d.mount("correct-horse"); d.release.Ref = "refs/pull/7/head" },
			want: "secrets are for branches and tags, not for refs/pull/7/head"},
		{name: "a mounted secret's value as an argument", with: func(_ *testing.T, d *dock) {
			d.mount("correct-horse")
			d.pipeline.Spec.Build.Args = map[string]string{"GREETING": "Y29ycmVjdC1ob3JzZQ=="}
		}, want: "value of a secret"},
		{name: "a named context outside of the repository", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Contexts = map[string]string{"shared": "../other"}
		}, want: `context shared: "../other" is neither a folder of the repository`},
		{name: "a named context that is a link out of the repository", with: func(t *testing.T, d *dock) {
			if err := os.Symlink("/etc", filepath.Join(d.dir, "shared")); err != nil {
				t.Fatal(err)
			}
			d.pipeline.Spec.Build.Contexts = map[string]string{"shared": "shared"}
		}, want: "escapes"},
		{name: "a named context that is not there", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Contexts = map[string]string{"shared": "shared"}
		}, want: `"shared": file does not exist`},
		{name: "a named context that is an image by tag", with: func(_ *testing.T, d *dock) {
			d.pipeline.Spec.Build.Contexts = map[string]string{"base": "docker-image://golang:1.26"}
		}, want: "docker-image://NAME@sha256:…"},
		{name: "contexts that are too large together", with: func(t *testing.T, d *dock) {
			d.cfg.MaxContext = 1 << 20
			d.write(t, "web/half", strings.Repeat("x", 600<<10))
			d.write(t, "shared/half", strings.Repeat("x", 600<<10))
			d.pipeline.Spec.Build.Context, d.pipeline.Spec.Build.Contexts = "web", map[string]string{"shared": "shared"}
		}, want: "over 1 MiB"},
		{name: "a Dockerfile of 2 MiB", with: func(t *testing.T, d *dock) { d.write(t, "Dockerfile", strings.Repeat("#", 2<<20)) }, want: "over 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDock(t)
			c.with(t, d)
			_, v, err := d.builder(t).Build(t.Context(), "k", d.release)
			if err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), c.want) {
				t.Errorf("%v %q %v, want %q", v.Outcome(), v.Reason(), err, c.want)
			}
			if v.Hint() == "" || strings.Contains(v.Reason(), d.dir) {
				t.Errorf("reason %q, hint %q: a next step, and no path of the server", v.Reason(), v.Hint())
			}
		})
	}
}

// mount lets the build mount a secret with a value, "" for one that is not set.
func (d *dock) mount(value secret.Text) {
	d.mountable = map[string]secret.Text{"npm-token": value}
	d.pipeline.Spec.Build.Secrets = []release.BuildSecret{{ID: "npmrc", Name: "npm-token"}}
}

func TestWhatIsLetThrough(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(t *testing.T, d *dock)
	}{
		{name: "a plain Dockerfile", with: func(*testing.T, *dock) {}},
		{name: "the official syntax", with: func(t *testing.T, d *dock) {
			d.write(t, "Dockerfile", "# syntax=docker.io/docker/dockerfile:1.7\nFROM scratch\n")
		}},
		{name: "an allowed frontend", with: func(t *testing.T, d *dock) {
			d.cfg.Frontends = []string{"reg.example/front:2"}
			d.write(t, "Dockerfile", "# syntax=reg.example/front:2\nFROM scratch\n")
		}},
		{name: "a Dockerfile below its context", with: func(t *testing.T, d *dock) {
			os.Remove(filepath.Join(d.dir, "Dockerfile"))
			d.write(t, "web/Dockerfile", "FROM scratch\n")
			d.pipeline.Spec.Build.Context = "web"
		}},
		{name: "a declared secret", with: func(t *testing.T, d *dock) {
			d.mount("correct-horse")
			d.write(t, "Dockerfile", "FROM scratch\nRUN --mount=type=secret,id=npmrc npm ci\n")
		}},
		{name: "named contexts, with an ignore file of their own", with: func(t *testing.T, d *dock) {
			d.cfg.MaxContext = 1 << 20
			d.write(t, "web/main.go", "")
			d.write(t, "shared/big/file", strings.Repeat("x", 2<<20))
			d.write(t, "shared/.dockerignore", "big\n")
			d.pipeline.Spec.Build.Context = "web"
			d.pipeline.Spec.Build.Contexts = map[string]string{"shared": "shared", "base": "docker-image://golang:1.26@sha256:" + strings.Repeat("ab", 32)}
		}},
		{name: "large files that .dockerignore leaves out", with: func(t *testing.T, d *dock) {
			d.cfg.MaxContext = 1 << 20
			d.write(t, "big/file", strings.Repeat("x", 2<<20))
			d.write(t, ".dockerignore", "big\n")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDock(t)
			c.with(t, d)
			_, v, err := d.builder(t).Build(t.Context(), "k", d.release)
			if err == nil || !strings.Contains(err.Error(), "buildkitd at unix:///nowhere/buildkitd.sock does not answer") || hint.Of(err) == "" {
				t.Errorf("it should get as far as buildkitd: %v %q %v", v.Outcome(), v.Reason(), err)
			}
		})
	}
}

// built puts the record of a finished build where a restart would find it.
func (d *dock) built(t *testing.T, key string) release.Artifact {
	t.Helper()
	const id = "8254c329" // of the key "k"
	a := d.server.Push(t, "shop/web", string(commit)+"-"+id, "linux/amd64", "linux/arm64")
	a.Built = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	raw, err := json.Marshal(map[string]any{
		"key": key, "release": d.release.ID, "repository": a.Repository, "tag": a.Tag, "digest": a.Digest, "platforms": a.Platforms, "finished": a.Built,
		"plan": map[string]any{
			"service": "shop/web", "repository": d.release.Repo, "ref": d.release.Ref, "commit": commit,
			"pipeline": "sha256:" + strings.Repeat("ab", 32), "dockerfile": "Dockerfile", "args": map[string]string{"GREETING": "ahoy sailor"},
			"secrets": []string{"npmrc"}, "contexts": map[string]string{"base": "docker-image://alpine:3@sha256:" + strings.Repeat("ef", 32)},
		},
		"bases": []any{map[string]any{"name": "docker.io/library/golang:1.26", "digest": "sha256:" + strings.Repeat("cd", 32)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.state, string(d.release.ID)+"."+id+".json"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestARepeatedKeyIsNotBuiltAgain(t *testing.T) {
	d := newDock(t)
	a := d.built(t, "k")
	f, v, err := d.builder(t).Build(t.Context(), "k", d.release)
	if err != nil || v.Outcome() != release.Passed || f.Artifact.Digest != a.Digest || !f.Artifact.Built.Equal(a.Built) || d.checkouts != 0 {
		t.Errorf("%v %q %v, artifact %+v, %d checkouts", v.Outcome(), v.Reason(), err, f.Artifact, d.checkouts)
	}
	if _, _, err := d.builder(t).Build(t.Context(), "other key", d.release); err == nil || d.checkouts != 1 {
		t.Errorf("another key is built: %v", err)
	}
	d.server.Fail(func(*http.Request) int { return http.StatusServiceUnavailable })
	if _, _, err := d.builder(t).Build(t.Context(), "k", d.release); err == nil || d.checkouts != 1 {
		t.Errorf("a registry that does not answer is an error, not a reason to build: %v", err)
	}
	d.server.Fail(func(r *http.Request) int {
		if strings.Contains(r.URL.Path, "/manifests/") {
			return http.StatusNotFound
		}
		return 0
	})
	if _, _, err := d.builder(t).Build(t.Context(), "k", d.release); err == nil || d.checkouts != 2 {
		t.Errorf("an image that the registry has lost is built again: %v", err)
	}
}

func TestATagAloneProvesNothing(t *testing.T) {
	d := newDock(t)
	d.server.Push(t, "shop/web", string(commit)+"-8254c329", "linux/amd64") // by somebody who guessed the tag
	if _, v, err := d.builder(t).Build(t.Context(), "k", d.release); err == nil || d.checkouts != 1 {
		t.Errorf("a tag without our record must not be taken for a build: %v %v", v.Outcome(), err)
	}
}

func TestACheckRunsWithEveryCombinationOfItsMatrix(t *testing.T) {
	d := newDock(t)
	d.pipeline.Spec.Build = release.BuildSpec{Args: map[string]string{"GO": "1.24"}, Checks: []release.BuildCheck{
		{Name: "vet", Target: "vet"},
		{Name: "test", Target: "test", Matrix: map[string][]string{"TAGS": {"", "race"}, "GO": {"1.26", "1.25"}}},
	}}
	names, commands, err := builder.Goals(d.release, d.pipeline)
	want := []string{"vet", "test (GO=1.26, TAGS=)", "test (GO=1.26, TAGS=race)", "test (GO=1.25, TAGS=)", "test (GO=1.25, TAGS=race)"}
	if err != nil || !slices.Equal(names, want) {
		t.Fatalf("%q, %v", names, err)
	}
	for i, part := range []string{`--target vet --build-arg COMMIT=`, ` GO="1.26"`, `TAGS="race"`, ` GO="1.25"`, `TAGS="race"`} {
		if !strings.Contains(commands[i], part) {
			t.Errorf("%s: %s", names[i], commands[i])
		}
	}
	if strings.Contains(commands[0], "TAGS") || !strings.Contains(commands[0], `GO="1.24"`) {
		t.Errorf("the matrix of one check is no other's: %s", commands[0])
	}
}

func TestProvenance(t *testing.T) {
	d := newDock(t)
	a := d.built(t, "k")
	d.release.Artifact = &a
	raw, err := d.builder(t).Provenance(t.Context(), d.release)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"gitCommit":"` + string(commit) + `"`, `"uri":"docker-image://docker.io/library/golang:1.26"`, `"id":"https://seatrial.example/builder"`,
		`"invocationId":"k"`, `"buildType":"` + builder.BuildType + `"`, `"ref":"refs/heads/main"`, `"GREETING":"ahoy sailor"`,
		`"secrets":["npmrc"]`, `"contexts":{"base":"docker-image://alpine:3@sha256:efef`, `{"uri":"docker-image://alpine:3","digest":{"sha256":"efef`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("provenance without %s:\n%s", want, raw)
		}
	}
	d.secrets = []secret.Text{"ahoy sailor"}
	if _, err := d.builder(t).Provenance(t.Context(), d.release); err == nil || !strings.Contains(err.Error(), "value of a secret") {
		t.Errorf("a secret's value must not be published: %v", err)
	}
	other := a
	other.Digest = a.Platforms[0].Digest
	d.release.Artifact = &other
	if _, err := d.builder(t).Provenance(t.Context(), d.release); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a digest that we did not build has no provenance: %v", err)
	}
}

func TestBuildsWaitForAPlace(t *testing.T) {
	d := newDock(t)
	d.cfg.Parallel = 1
	book, err := logs.Open(t.TempDir(), logs.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	inside, leave := make(chan struct{}), make(chan struct{})
	b, err := builder.New(d.cfg, builder.Parts{
		Registry: d.server.Registry(t), Logs: book,
		Pipeline: func(context.Context, release.Release) (release.Pipeline, error) {
			close(inside)
			<-leave
			return release.Pipeline{}, errors.New("enough")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { _, _, err := b.Build(t.Context(), "a", d.release); done <- err }()
	<-inside
	if _, v, err := b.Build(t.Context(), "b", d.release); err != nil || v.Outcome() != release.Waiting {
		t.Errorf("%v %v", v.Outcome(), err)
	}
	close(leave)
	if err := <-done; err == nil {
		t.Error("want the error of the pipeline")
	}
}
