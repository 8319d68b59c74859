//go:build lab

package builder_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/internal/git/files"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const program = `package main

import "fmt"

var version = "dev"

func main() { fmt.Println("hello from", version) }
`

const dockerfile = `# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH VERSION
WORKDIR /src
COPY go.mod *.go ./
RUN --mount=type=cache,target=/root/.cache/go-build CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/app .

FROM build AS test
RUN go vet ./...

FROM scratch
COPY --from=build /out/app /app
USER 65532
ENTRYPOINT ["/app"]
`

// shop is a repository, its pipeline and a builder on the lab.
type shop struct {
	files     map[string]string
	pipeline  release.Pipeline
	release   release.Release
	registry  *oci.Registry
	book      *logs.Book
	cfg       builder.Config
	secrets   []secret.Text
	mounts    map[string]secret.Text // by name
	tree      string
	unproved  []string // what is wrong with what was built
	committed time.Time
}

func newShop(t *testing.T) *shop {
	t.Helper()
	p := labtest.Open(t)
	reg, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: p.Registry, PlainHTTP: true}}})
	if err != nil {
		t.Fatal(err)
	}
	book, err := logs.Open(t.TempDir(), logs.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	commit := release.Commit(fmt.Sprintf("%040x", time.Now().UnixNano()))
	s := &shop{
		files:    map[string]string{"Dockerfile": dockerfile, "main.go": program, "go.mod": "module example.org/web\n\ngo 1.26\n", "note.txt": string(commit)},
		registry: reg, book: book, tree: string(commit), unproved: []string{"nobody signs here"}, committed: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		cfg:     builder.Config{Addresses: []string{p.BuildKit}, Registry: p.Registry, ID: "https://seatrial.example/builder", State: t.TempDir(), Mirrors: map[string]string{"docker.io": p.Registry}},
		release: release.Release{ID: release.NewID("buildtest/web", commit), Service: "buildtest/web", Repo: "http://127.0.0.1:3000/buildtest/web.git", Ref: "refs/heads/main", Commit: commit},
	}
	s.pipeline.Spec.Build = release.BuildSpec{Platforms: []string{"linux/amd64", "linux/arm64", "linux/ppc64le"}, Checks: []release.BuildCheck{{Name: "vet", Target: "test"}}}
	return s
}

func (s *shop) builder(t *testing.T) *builder.Builder {
	t.Helper()
	b, err := builder.New(s.cfg, builder.Parts{
		Registry: s.registry, Logs: s.book, Secrets: func() []secret.Text { return s.secrets },
		SecretOf: func(_ release.Release, name string) (secret.Text, bool, error) {
			value, allowed := s.mounts[name]
			return value, allowed, nil
		},
		Tree:     func(context.Context, release.Release, string) (string, error) { return s.tree, nil },
		Verify:   func(context.Context, release.Release) ([]string, error) { return s.unproved, nil },
		Pipeline: func(context.Context, release.Release) (release.Pipeline, error) { return s.pipeline, nil },
		Checkout: func(context.Context, release.Release) (fs.FS, time.Time, func() error, error) {
			var entries []files.Entry
			for name, content := range s.files {
				entries = append(entries, files.Entry{Path: name, Mode: 0o644, Size: int64(len(content))})
			}
			read := func(e files.Entry) ([]byte, error) { return []byte(s.files[e.Path]), nil }
			return files.New(entries, s.committed, read), s.committed, func() error { return nil }, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *shop) build(t *testing.T, attempt int) (release.Facts, release.Verdict) {
	t.Helper()
	key := fmt.Sprintf("%s/Building/%d", s.release.ID, attempt)
	f, v, err := s.builder(t).Build(t.Context(), key, s.release)
	if err != nil {
		t.Fatalf("build: %v", err)
	}
	return f, v
}

func (s *shop) log(t *testing.T) string {
	t.Helper()
	p, err := s.book.Read(t.Context(), s.release.ID, 0, 5000)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, l := range p.Lines {
		fmt.Fprintf(&out, "%s %s | %s\n", l.Stream, l.Step, l.Text)
	}
	return out.String()
}

func TestBuildOnTheLab(t *testing.T) {
	s := newShop(t)
	begin := time.Now()
	f, v := s.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%v %s\n%s\n%s", v.Outcome(), v.Reason(), v.Hint(), s.log(t))
	}
	first := time.Since(begin)
	a := *f.Artifact
	if len(a.Platforms) != 3 || !a.Digest.Valid() || !strings.HasPrefix(a.Tag, string(s.release.Commit)+"-") {
		t.Errorf("artifact %+v", a)
	}

	begin = time.Now()
	again, _ := s.build(t, 1)
	if again.Artifact.Digest != a.Digest || again.Artifact.Built != a.Built {
		t.Errorf("a repeated key gives the same answer: %+v, %+v", a, again.Artifact)
	}
	repeated := time.Since(begin)

	begin = time.Now()
	other, _ := s.build(t, 2)
	if other.Artifact.Digest != a.Digest || other.Artifact.Tag == a.Tag {
		t.Errorf("the same commit gives the same digest: %+v, %+v", a, other.Artifact)
	}
	t.Logf("first build %v, repeated key %v, built again unchanged %v", first, repeated, time.Since(begin))

	r := s.release
	r.Artifact = &a
	raw, err := s.builder(t).Provenance(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"docker-image://docker.io/library/golang:1.26"`, string(r.Commit), `"invocationId":"` + string(r.ID) + `/Building/1"`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("provenance without %s: %s", want, raw)
		}
	}
}

func TestAPullRequestIsBuiltOnTheLabAndKeptNowhere(t *testing.T) {
	for _, planned := range []bool{false, true} {
		s := newShop(t)
		if planned {
			delete(s.files, "Dockerfile")
			s.pipeline.Spec.Build.Platforms = []string{"linux/amd64", "linux/arm64"}
		}
		s.release = pullOf(s.release, true)
		f, v := s.build(t, 1)
		if v.Outcome() != release.Passed || f.Artifact != nil {
			t.Fatalf("planned %v: %v %s, artifact %+v\n%s", planned, v.Outcome(), v.Reason(), f.Artifact, s.log(t))
		}
		tag := oci.Ref{Repository: s.cfg.Registry + "/" + string(s.release.Service), Tag: builder.Tag(s.release.Commit, string(s.release.ID)+"/Building/1")}
		if d, err := s.registry.Resolve(t.Context(), tag); !errors.Is(err, oci.ErrNotFound) {
			t.Errorf("planned %v: the registry has %s, %v", planned, d, err)
		}
		if rep, err := s.builder(t).Report(t.Context(), s.release); err != nil || len(rep.Steps) == 0 || rep.Image != "" {
			t.Errorf("planned %v: the report is %+v, %v", planned, rep, err)
		}
		s.files["main.go"] = "package main\n\nfunc main() { fmt.Println() }\n"
		if _, v := s.build(t, 2); v.Outcome() != release.Refused {
			t.Errorf("planned %v: what does not compile is %v: %s", planned, v.Outcome(), v.Reason())
		}
	}
}

func TestTwoCleanBuildsGiveTheSameDigest(t *testing.T) {
	s := newShop(t)
	f, v := s.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%s\n%s", v.Reason(), s.log(t))
	}
	// Another cache mount and another stage name: nothing of the first build is reused
	// for compiling, and every file gets another time.
	clean := newShop(t)
	clean.release.Commit, clean.release.ID = s.release.Commit, s.release.ID
	clean.files["note.txt"] = s.files["note.txt"]
	clean.files["Dockerfile"] = strings.ReplaceAll(dockerfile, "target=/root/.cache/go-build", fmt.Sprintf("id=clean-%s,target=/root/.cache/go-build", s.release.Commit.Short()))
	g, v := clean.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%s\n%s", v.Reason(), clean.log(t))
	}
	for i, p := range f.Artifact.Platforms {
		if p != g.Artifact.Platforms[i] {
			t.Errorf("%s: %s, then %s", p.Name, p.Digest, g.Artifact.Platforms[i].Digest)
		}
	}
	if f.Artifact.Digest != g.Artifact.Digest {
		t.Errorf("index %s, then %s", f.Artifact.Digest, g.Artifact.Digest)
	}
}

func TestTheNextCommitTakesFromTheCacheWhatHasNotChanged(t *testing.T) {
	s := newShop(t)
	s.pipeline.Spec.Build = release.BuildSpec{}
	s.files["Dockerfile"] = "FROM golang:1.26 AS build\nWORKDIR /src/" + s.release.Commit.Short() + "\nRUN go version > version\nCOPY note.txt ./\nFROM scratch\nCOPY --from=build /src /src\n"
	s.build(t, 1)
	s.committed = s.committed.Add(time.Hour)
	s.files["note.txt"] = "another"
	s.tree = "another"
	_, v := s.build(t, 2)
	if v.Outcome() != release.Passed {
		t.Fatalf("%s\n%s", v.Reason(), s.log(t))
	}
	if log := s.log(t); !strings.Contains(log, "RUN go version > version | cached") {
		t.Errorf("a step behind a WORKDIR ran again:\n%s", log)
	}
}

// base builds an image from one file and gives it the tag "now".
func (s *shop) base(t *testing.T, content string) string {
	t.Helper()
	b := newShop(t)
	b.release.Service, b.pipeline.Spec.Build = "buildtest/base", release.BuildSpec{Platforms: []string{"linux/amd64", "linux/arm64"}}
	b.files = map[string]string{"Dockerfile": "FROM scratch\nCOPY note.txt /\n", "note.txt": content}
	f, v := b.build(t, 1)
	if v.Outcome() != release.Passed {
		t.Fatalf("%s\n%s", v.Reason(), b.log(t))
	}
	tag := oci.Ref{Repository: f.Artifact.Repository, Tag: s.release.Commit.Short()}
	m, err := s.registry.Get(t.Context(), tag.At(f.Artifact.Digest))
	if err == nil {
		err = s.registry.Tag(t.Context(), tag, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tag.String()
}

func TestAnUnchangedCommitIsProvedOnTheLab(t *testing.T) {
	s := newShop(t)
	base := s.base(t, "one")
	s.unproved = nil
	s.pipeline.Spec.Build = release.BuildSpec{Platforms: []string{"linux/amd64", "linux/arm64"}}
	s.files["Dockerfile"] = "FROM " + base + "\nCOPY main.go /\n"
	first, v := s.build(t, 1)
	if v.Outcome() != release.Passed || !strings.HasPrefix(v.Reason(), "built because no earlier build") {
		t.Fatalf("%v %s\n%s", v.Outcome(), v.Reason(), s.log(t))
	}
	begin := time.Now()
	again, v := s.build(t, 2)
	if !strings.HasPrefix(v.Reason(), "unchanged: proved against build ") || again.Artifact.Digest != first.Artifact.Digest || again.Artifact.Tag == first.Artifact.Tag {
		t.Errorf("%s: %+v, then %+v", v.Reason(), first.Artifact, again.Artifact)
	}
	t.Logf("%s in %v", v.Reason(), time.Since(begin))
	s.base(t, "two")
	moved, v := s.build(t, 3)
	if !strings.HasPrefix(v.Reason(), "rebuilt because base "+base+" changed: ") || moved.Artifact.Digest == first.Artifact.Digest {
		t.Errorf("%s: %+v", v.Reason(), moved.Artifact)
	}
	t.Log(v.Reason())
	d, err := s.registry.Compare(t.Context(), oci.Ref{Repository: first.Artifact.Repository, Digest: first.Artifact.Digest}, oci.Ref{Repository: first.Artifact.Repository, Digest: moved.Artifact.Digest})
	if err != nil || d == nil || d.Path != "note.txt" {
		t.Errorf("the first difference is the base's file: %v, %v", d, err)
	}
	t.Log(d)
}

func TestRefusalsOnTheLab(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*shop)
		want []string
	}{
		{name: "a step that fails shows its last lines", with: func(s *shop) { s.files["main.go"] = program + "\nfunc broken() { undefined() }\n" },
			want: []string{"go build -trimpath", "check vet", "undefined: undefined", "exit code 1"}},
		{name: "a Dockerfile that does not parse names its line", with: func(s *shop) { s.files["Dockerfile"] = "FROM scratch\nFRM golang\n" },
			want: []string{"Dockerfile:2", "unknown instruction: FRM"}},
		{name: "a file that is not there", with: func(s *shop) {
			s.files["Dockerfile"] = "FROM scratch\nCOPY nothing.txt /\n"
			s.pipeline.Spec.Build.Checks = nil
		}, want: []string{"nothing.txt", "not found"}},
		{name: "a base image that is not there", with: func(s *shop) {
			s.files["Dockerfile"] = "FROM library/none:1\n"
			s.pipeline.Spec.Build.Checks = nil
		},
			want: []string{"library/none", "not found"}},
		{name: "a target that is not there", with: func(s *shop) { s.pipeline.Spec.Build.Target = "none"; s.pipeline.Spec.Build.Checks = nil },
			want: []string{"none"}},
		{name: "a step that needs an emulator is named", with: func(s *shop) {
			s.files["Dockerfile"] = dockerfile + "RUN [\"/app\"]\n"
			s.pipeline.Spec.Build.Checks, s.pipeline.Spec.Build.Platforms = nil, []string{"linux/amd64", "linux/arm64"}
		}, want: []string{"] RUN [\"/app\"]", "another platform", "needs an emulator"}},
		{name: "a build that takes too long", with: func(s *shop) {
			s.files["Dockerfile"] = "FROM golang:1.26\nCOPY note.txt /\nRUN sleep 600\n"
			s.pipeline.Spec.Build.Checks, s.pipeline.Spec.Build.Platforms = nil, []string{"linux/amd64"}
			s.pipeline.Spec.Build.Timeout = release.Duration(15 * time.Second)
		}, want: []string{"longer than 15s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
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
			if log := s.log(t); !strings.Contains(log, "end  | failed: ") {
				t.Errorf("the log does not end with the failure:\n%s", log)
			}
		})
	}
}

func TestTroubleElsewhereIsAnError(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*shop)
		want string
	}{
		{name: "buildkitd that does not answer", with: func(s *shop) { s.cfg.Addresses = []string{"unix:///nowhere/buildkitd.sock"} }, want: "buildkitd at unix:///nowhere/buildkitd.sock does not answer"},
		{name: "a registry that does not answer", with: func(s *shop) { s.cfg.Registry = "127.0.0.1:1" }, want: "registry 127.0.0.1:1 does not answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(t)
			c.with(s)
			_, v, err := s.builder(t).Build(t.Context(), "k", s.release)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v %q, err %v", v.Outcome(), v.Reason(), err)
			}
			t.Logf("error: %v\nhint: %s", err, hint.Of(err))
		})
	}
}

func TestACancelledBuildEndsSoon(t *testing.T) {
	s := newShop(t)
	s.files["Dockerfile"] = "FROM golang:1.26\nCOPY note.txt /\nRUN echo started; sleep 600\n"
	s.pipeline.Spec.Build = release.BuildSpec{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	following := make(chan error, 1)
	var cancelled time.Time
	go func() {
		following <- s.book.Subscribe(ctx, s.release.ID, 0, func(ls []logs.Line) error {
			for _, l := range ls {
				if l.Text == "started" && l.Stream == "stdout" {
					cancelled = time.Now()
					cancel()
				}
			}
			return nil
		})
	}()
	_, _, err := s.builder(t).Build(ctx, "k", s.release)
	ended := time.Now()
	cancel()
	<-following
	if took := ended.Sub(cancelled); !errors.Is(err, context.Canceled) || took > 2*time.Minute {
		t.Errorf("after %v: %v", took, err)
	}
}

func TestSecretsStayOutOfTheLog(t *testing.T) {
	s := newShop(t)
	s.secrets = []secret.Text{"correct-horse-battery"}
	s.files["Dockerfile"] = "FROM golang:1.26\nCOPY note.txt /\nRUN printf 'correct-horse'; sleep 0.3; printf -- '-battery\\n'; exit 3\n"
	s.pipeline.Spec.Build = release.BuildSpec{}
	_, v := s.build(t, 1)
	if v.Outcome() != release.Refused || strings.Contains(v.Reason()+s.log(t), "correct-horse-battery") || !strings.Contains(v.Reason(), "***") {
		t.Errorf("%v %q\n%s", v.Outcome(), v.Reason(), s.log(t))
	}
	s.pipeline.Spec.Build.Args = map[string]string{"GREETING": "correct-horse-battery"}
	if _, v = s.build(t, 2); v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "value of a secret") {
		t.Errorf("%v %q", v.Outcome(), v.Reason())
	}
}
