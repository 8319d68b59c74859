package build

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/builder/sbom"
	"github.com/seatrial/seatrial/cmd/seatrial/builds"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// workshop is one repository with its builder and signer, as the server wires them, and
// the same files for buildctl.
type workshop struct {
	c        Config
	lab      lab
	dir      string
	work     string // the files, a clone
	service  release.Service
	epoch    int64 // the time of the last commit
	url      string
	repos    *git.Repos
	builder  *builder.Builder
	signer   *signing.Signer
	registry *oci.Registry
	logs     *logs.Book
}

const dockerfile = `FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod main.go ./
RUN --mount=type=cache,target=/root/.cache/go-build CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/app .

FROM scratch
COPY --from=build /out/app /app
COPY files /files
ENTRYPOINT ["/app"]
`

const pipeline = `apiVersion: seatrial.dev/v1
kind: Pipeline
metadata: {name: %s, team: bench}
spec:
  build: {platforms: [%s]}
  deploy: {manifests: deploy/, environments: [dev]}
`

func newWorkshop(ctx context.Context, c Config, l lab, name string, files int, platforms ...string) (w *workshop, err error) {
	w = &workshop{c: c, lab: l, service: release.Service("bench/" + name)}
	if w.dir, err = os.MkdirTemp(c.Dir, name+"-"); err != nil {
		return nil, err
	}
	w.work, w.url = filepath.Join(w.dir, "work"), "file://"+filepath.Join(w.dir, "work", ".git")
	if err := w.fill(files, fmt.Sprintf(pipeline, name, strings.Join(platforms, ", "))); err != nil {
		return w, err
	}
	return w, errors.Join(w.git(ctx, "init", "-q", "-b", "main"), w.wire())
}

// fill writes the repository: a small program and as many files as wanted, 1 KiB each.
func (w *workshop) fill(files int, pipeline string) error {
	text := map[string]string{
		"Dockerfile": dockerfile, ".seatrial.yaml": pipeline, "go.mod": "module example.org/bench\n\ngo 1.26\n", ".dockerignore": ".git\n",
		"main.go": "package main\n\nfunc main() { println(\"ahoy\") }\n",
	}
	for i := range files - len(text) {
		text[fmt.Sprintf("files/%02d/%d.txt", i%100, i)] = strings.Repeat(fmt.Sprintf("%015d\n", i), 64)
	}
	for name, content := range text {
		file := filepath.Join(w.work, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			return err
		}
	}
	return nil
}

func (w *workshop) git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", w.work, "-c", "user.name=bench", "-c", "user.email=bench@localhost"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (w *workshop) wire() (err error) {
	if w.registry, err = oci.New(oci.Config{Hosts: []oci.Host{{Name: w.lab.Registry, PlainHTTP: true}}}); err != nil {
		return err
	}
	if w.repos, err = git.Open(git.Config{Dir: filepath.Join(w.dir, "git"), AllowFile: true, Timeout: 10 * time.Minute}); err != nil {
		return err
	}
	if w.logs, err = logs.Open(filepath.Join(w.dir, "logs"), logs.Config{}); err != nil {
		return err
	}
	key, err := signing.LoadOrCreateKey(filepath.Join(w.dir, "signing.key"), secret.Text("only for measuring"))
	if err != nil {
		return err
	}
	ring, err := signing.NewRing(key)
	if err != nil {
		return err
	}
	verifier, err := signing.NewVerifier(w.registry, key.Public())
	if err != nil {
		return err
	}
	const id = "https://seatrial.example/builder"
	ask := builds.Sources{Repos: w.repos, URL: func(string) string { return w.url }, Builder: id,
		Verifier: func() *signing.Verifier { return verifier }, Rego: func() map[string]string { return nil }}
	w.builder, err = builder.New(builder.Config{Addresses: []string{w.lab.BuildKit}, Registry: w.lab.Registry, ID: id, State: filepath.Join(w.dir, "builds"),
		Mirrors: map[string]string{"docker.io": w.lab.Registry},
	}, builder.Parts{Checkout: ask.Checkout, Pipeline: ask.Pipeline, Tree: ask.Tree, Verify: ask.Verify, Policies: ask.Policies,
		Registry: w.registry, Logs: w.logs, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	boms, err := w.generator(filepath.Join(w.dir, "sboms"))
	if err != nil {
		return err
	}
	w.signer, err = signing.NewSigner(signing.Config{Keys: ring, Registry: w.registry, Builder: id, SBOM: boms.Generate, Provenance: w.builder.Provenance})
	return err
}

func (w *workshop) generator(state string) (*sbom.Generator, error) {
	return sbom.New(sbom.Config{Exec: filepath.Join(w.c.Bin, "seatrial"), State: state}, w.registry.Fetch)
}

// commit changes one line and commits; the mirror has the commit afterwards, as it has
// when a push has been read.
func (w *workshop) commit(ctx context.Context, line string) (release.Release, error) {
	return w.commitFile(ctx, "files/00/0.txt", line+"\n")
}

// program commits another program; one line of it has changed.
func (w *workshop) program(ctx context.Context, says string) (release.Release, error) {
	return w.commitFile(ctx, "main.go", fmt.Sprintf("package main\n\nfunc main() { println(%q) }\n", says))
}

func (w *workshop) commitFile(ctx context.Context, file, content string) (release.Release, error) {
	if err := os.WriteFile(filepath.Join(w.work, file), []byte(content), 0o644); err != nil {
		return release.Release{}, err
	}
	if err := errors.Join(w.git(ctx, "add", "-A"), w.git(ctx, "commit", "-q", "-m", "one line")); err != nil {
		return release.Release{}, err
	}
	head, err := w.repos.Head(ctx, w.url, "refs/heads/main")
	if err != nil {
		return release.Release{}, err
	}
	info, err := w.repos.Info(ctx, w.url, "refs/heads/main", head)
	if err != nil {
		return release.Release{}, err
	}
	w.epoch = info.Time.Unix()
	return release.Release{ID: release.NewID(w.service, head), Service: w.service, Repo: w.url, Ref: "refs/heads/main", Commit: head}, nil
}

// build is one build of ours; the time is that of the builder.
func (w *workshop) build(ctx context.Context, r release.Release, key string) (release.Release, time.Duration, string, error) {
	begin := time.Now()
	f, v, err := w.builder.Build(ctx, key, r)
	took := time.Since(begin)
	if err != nil {
		return r, took, "", err
	}
	if v.Outcome() != release.Passed {
		return r, took, "", fmt.Errorf("build: %s (%s)", v.Reason(), v.Hint())
	}
	r.Artifact = f.Artifact
	return r, took, v.Reason(), nil
}

func (w *workshop) sign(ctx context.Context, r release.Release) error {
	_, v, err := w.signer.Sign(ctx, "sign", r)
	if err == nil && v.Outcome() != release.Passed {
		err = fmt.Errorf("sign: %s (%s)", v.Reason(), v.Hint())
	}
	return err
}

// buildctl is the raw tool on the same folder; push makes it do what a build of ours does:
// an image whose files are of the commit's time.
func (w *workshop) buildctl(ctx context.Context, push bool, platforms ...string) (time.Duration, error) {
	args := []string{"--addr", w.lab.BuildKit, "build", "--progress=plain", "--frontend=dockerfile.v0", "--local=context=" + w.work, "--local=dockerfile=" + w.work,
		"--opt=platform=" + strings.Join(platforms, ",")}
	if push {
		args = append(args, fmt.Sprintf("--output=type=image,push=true,registry.insecure=true,oci-mediatypes=true,rewrite-timestamp=true,source-date-epoch=%d,unpack=false,name=%s/%s:buildctl",
			w.epoch, w.lab.Registry, w.service))
	}
	begin := time.Now()
	err := raw(ctx, w.c.Buildctl, args...)
	return time.Since(begin), err
}

// raw runs a tool of somebody else.
func raw(ctx context.Context, tool string, args ...string) error {
	out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(tool), err, out)
	}
	return nil
}

func (w *workshop) close() error {
	var err error
	if w.logs != nil {
		err = w.logs.Close()
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}
