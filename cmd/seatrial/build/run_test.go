package build_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/inputs"
	"github.com/seatrial/seatrial/cmd/seatrial/build"
	"github.com/seatrial/seatrial/internal/git/folder"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// shop is a working folder outside of git, and a registry; there is no buildkitd.
func shop(t *testing.T) (build.Options, *ocitest.Server) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	server := ocitest.New(t, true)
	o := build.Options{Dir: filepath.Join(t.TempDir(), "web"), Push: server.Host + "/mei/web", BuildKit: []string{"unix:///nowhere/buildkitd.sock"},
		PlainHTTP: true, State: t.TempDir(), Version: "v1"}
	write(t, filepath.Join(o.Dir, "Dockerfile"), "FROM scratch\nCOPY . /\n")
	write(t, filepath.Join(o.Dir, ".gitignore"), "*.log\n")
	return o, server
}

func digestOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(raw))
}

// built puts the record of a build of the folder where the next run finds it.
func built(t *testing.T, o build.Options, server *ocitest.Server) release.Artifact {
	t.Helper()
	taken, err := folder.Take(t.Context(), o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tree, err := taken.ObjectID("")
	if err != nil {
		t.Fatal(err)
	}
	c := taken.Commit()
	a := server.Push(t, "mei/web", string(c)+"-0", "linux/"+runtime.GOARCH)
	var p release.Pipeline
	p.Spec.Build.Context, p.Spec.Build.Platforms = ".", []string{"linux/" + runtime.GOARCH}
	set := inputs.Set{
		{Name: "the tree of ./", Value: tree}, {Name: "the context", Value: "."}, {Name: "the Dockerfile's name", Value: "Dockerfile"},
		{Name: "the platforms", Value: "linux/" + runtime.GOARCH},
		{Name: "what else is planned", Value: digestOf(t, builder.Plan{})},
		{Name: "the builder", Value: "https://seatrial.dev/builder/folder v1"},
		{Name: "BuildKit's compatibility version", Value: "30"},
		{Name: "the repository of the image", Value: a.Repository},
		{Name: "the source", Value: "folder:web"},
		{Name: ".seatrial.yaml", Value: digestOf(t, p)},
		{Name: "the commit", Value: string(c)},
	}
	id := release.NewID("local/web", c)
	raw, err := json.Marshal(map[string]any{"key": string(id) + "/" + a.Repository, "release": id, "repository": a.Repository, "tag": a.Tag, "digest": a.Digest,
		"platforms": a.Platforms, "plan": map[string]any{"service": "local/web", "commit": c}, "inputs": set})
	if err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(o.State, "builds")
	write(t, filepath.Join(state, string(id)+".00000000.json"), string(raw))
	write(t, filepath.Join(state, "same", set.Digest().Hex()), string(id)+".00000000.json")
	return a
}

func TestAnUnchangedFolderIsNotBuiltAgain(t *testing.T) {
	o, server := shop(t)
	a := built(t, o, server)
	write(t, filepath.Join(o.Dir, "noise.log"), "git ignores it, so it is not in the image")
	o.Push += ":dev"
	var said bytes.Buffer
	image, err := build.Run(t.Context(), o, &said)
	if err != nil || image != a.Repository+"@"+string(a.Digest) {
		t.Fatalf("%s, %v; said %s", image, err, &said)
	}
	if !strings.Contains(said.String(), "unchanged: proved against build ") {
		t.Errorf("said %s", &said)
	}
	ref := oci.Ref{Repository: a.Repository, Tag: "dev"}
	if got, err := server.Registry(t).Resolve(t.Context(), ref); err != nil || got != a.Digest {
		t.Errorf("%s is %s, %v", ref, got, err)
	}
	write(t, filepath.Join(o.Dir, "main.go"), "package main\n")
	if image, err = build.Run(t.Context(), o, &said); image != "" || err == nil || !strings.Contains(err.Error(), "buildkitd at unix:///nowhere/buildkitd.sock does not answer") || hint.Of(err) == "" {
		t.Errorf("a new file has to be built: %s, %v", image, err)
	}
	left, err := filepath.Glob(filepath.Join(o.State, "run-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// signed signs an image as a run with the key does, and gives the key's file.
func signed(t *testing.T, server *ocitest.Server, a release.Artifact, r release.Release) (key string) {
	t.Helper()
	key = filepath.Join(t.TempDir(), "mei.key")
	k, err := signing.LoadOrCreateKey(key, secret.Text("a long passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewRing(k)
	if err != nil {
		t.Fatal(err)
	}
	const id = "https://seatrial.dev/builder/folder"
	signer, err := signing.NewSigner(signing.Config{Keys: ring, Registry: server.Registry(t), Builder: id,
		SBOM: func(_ context.Context, a release.Artifact, p release.Platform) ([]byte, error) {
			return fmt.Appendf(nil, `{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"name":%q,"version":%q}},"components":[{"name":"a"}]}`, a.Repository, p.Digest), nil
		},
		Provenance: func(_ context.Context, r release.Release) ([]byte, error) {
			return fmt.Appendf(nil, `{"buildDefinition":{"externalParameters":{"service":%q,"source":{"repository":%q,"commit":%q}},"resolvedDependencies":[{"uri":"git","digest":{"gitCommit":%[3]q}}]},`+
				`"runDetails":{"builder":{"id":%[4]q}}}`, r.Service, r.Repo, r.Commit, id), nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	r.Artifact = &a
	if _, v, err := signer.Sign(t.Context(), "sign", r); err != nil || v.Outcome() != release.Passed {
		t.Fatal(v.Reason(), err)
	}
	return key
}

func TestWithAKeyTheProofAsksForSignatures(t *testing.T) {
	o, server := shop(t)
	a := built(t, o, server)
	c := release.Commit(a.Tag[:40])
	o.Key = signed(t, server, a, release.Release{ID: release.NewID("local/web", c), Service: "local/web", Repo: "folder:web", Ref: "folder", Commit: c})
	var said bytes.Buffer
	image, err := build.Run(t.Context(), o, &said)
	if err != nil || image != a.Repository+"@"+string(a.Digest) {
		t.Fatalf("%s, %v; said %s", image, err, &said)
	}
	server.Detach(t, a.Repository, a.Digest)
	if image, err := build.Run(t.Context(), o, &said); image != "" || err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("what is no longer signed is built again: %s, %v", image, err)
	}
	o.Key = ""
	if again, err := build.Run(t.Context(), o, &said); err != nil || again != image {
		t.Errorf("without a key nobody asks: %s, %v", again, err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(t *testing.T, o *build.Options)
		want string
	}{
		{name: "a folder that is not there", with: func(_ *testing.T, o *build.Options) { o.Dir += "/none" }, want: "it is none"},
		{name: "a digest to push to", with: func(_ *testing.T, o *build.Options) { o.Push += "@sha256:" + strings.Repeat("ab", 32) }, want: "--push: image"},
		{name: "a repository without its registry", with: func(_ *testing.T, o *build.Options) { o.Push = "web" }, want: "--push: image"},
		{name: "a key and nothing that is pushed", with: func(_ *testing.T, o *build.Options) { o.Push, o.Key = "", "a.key" }, want: "nothing is pushed that could be signed"},
		{name: "a key that is not there", with: func(t *testing.T, o *build.Options) { o.Key = filepath.Join(t.TempDir(), "a.key") }, want: "--key: "},
		{name: "a platform that is none", with: func(_ *testing.T, o *build.Options) { o.Platforms = []string{"arm64"} }, want: `platform "arm64"`},
		{name: "a pipeline with a mistake", with: func(t *testing.T, o *build.Options) { write(t, filepath.Join(o.Dir, ".seatrial.yaml"), "kind: Pipe\n") }, want: ".seatrial.yaml:1"},
		{name: "a secret without a value", with: func(t *testing.T, o *build.Options) {
			write(t, filepath.Join(o.Dir, ".seatrial.yaml"), "apiVersion: seatrial.dev/v1\nkind: Pipeline\nmetadata: {name: web, team: shop}\nspec:\n"+
				"  build: {secrets: [{id: npmrc, name: npm-token}]}\n  deploy: {manifests: deploy/, environments: [dev]}\n")
		}, want: "secret npm-token: it has no value"},
		{name: "a foreign frontend", with: func(t *testing.T, o *build.Options) {
			write(t, filepath.Join(o.Dir, "Dockerfile"), "# syntax=evil.example/front:1\nFROM scratch\n")
		}, want: "is not allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, _ := shop(t)
			c.with(t, &o)
			image, err := build.Run(t.Context(), o, &bytes.Buffer{})
			if image != "" || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s, %v, want %q", image, err, c.want)
			}
			if hint.Of(err) == "" && !strings.Contains(c.want, ".seatrial.yaml") {
				t.Errorf("%v: no next step", err)
			}
		})
	}
}
