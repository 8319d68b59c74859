package builder_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/inputs"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const tree = "3f2a91c07d0b3f2a91c07d0b3f2a91c07d0b3f2a"

// proved puts the record of the build with the key "k" where the next build with the
// same inputs finds it, beside an artifact in the registry that verifies. edit changes
// the record before it is written.
func (d *dock) proved(t *testing.T, edit func(rec map[string]any)) release.Artifact {
	t.Helper()
	a := d.built(t, "k")
	d.tree = tree
	file := filepath.Join(d.state, string(d.release.ID)+".8254c329.json")
	raw, err := os.ReadFile(file)
	var rec map[string]any
	if err := errors.Join(err, json.Unmarshal(raw, &rec)); err != nil {
		t.Fatal(err)
	}
	set := d.inputs()
	rec["inputs"], rec["bases"] = set, []any{}
	if edit != nil {
		edit(rec)
	}
	raw, err = json.Marshal(rec)
	if err := errors.Join(err, os.WriteFile(file, raw, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, pointer := range []string{filepath.Join("same", set.Digest().Hex()), filepath.Join("last", "shop.web")} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(d.state, pointer)), 0o700), os.WriteFile(filepath.Join(d.state, pointer), []byte(filepath.Base(file)), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// inputs is all that the dock's build depends on, spelled out: nothing may be added or
// left out by accident.
func (d *dock) inputs() inputs.Set {
	return inputs.Set{
		{Name: "the tree of ./", Value: tree}, {Name: "the context", Value: "."}, {Name: "the Dockerfile's name", Value: "Dockerfile"},
		{Name: "the platforms", Value: "linux/amd64"},
		{Name: "what else is planned", Value: digestOf(builder.Plan{})},
		{Name: "the builder", Value: "https://seatrial.example/builder "},
		{Name: "BuildKit's compatibility version", Value: "30"},
		{Name: "the repository of the image", Value: d.server.Host + "/shop/web"},
		{Name: "the source", Value: d.release.Repo},
		{Name: ".seatrial.yaml", Value: digestOf(d.pipeline)},
		{Name: "the commit", Value: string(commit)},
	}
}

// digestOf is that of what the dock leaves empty.
func digestOf(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(raw))
}

func TestTheSameInputsAreProvedAndNotBuilt(t *testing.T) {
	d := newDock(t)
	a := d.proved(t, nil)
	d.release.Ref = "refs/heads/release" // the same commit on another branch
	b := d.builder(t)
	f, v, err := b.Build(t.Context(), "other key", d.release)
	if err != nil || v.Outcome() != release.Passed || f.Artifact.Digest != a.Digest || d.checkouts != 0 {
		t.Fatalf("%v %q %v, %d checkouts; said %s", v.Outcome(), v.Reason(), err, d.checkouts, d.said.String())
	}
	const why = "unchanged: proved against build 8254c329"
	if e := v.Evidence()[0]; v.Reason() != why || e.Facts["why"] != why || e.Facts["inputs"] != string(d.inputs().Digest()) || !strings.HasSuffix(e.Detail, why) {
		t.Errorf("reason %q, evidence %+v", v.Reason(), e)
	}
	if f.Artifact.Tag == a.Tag || !strings.HasPrefix(f.Artifact.Tag, string(commit)+"-") {
		t.Errorf("tag %s", f.Artifact.Tag)
	}
	if got, err := d.server.Registry(t).Resolve(t.Context(), oci.Ref{Repository: a.Repository, Tag: f.Artifact.Tag}); err != nil || got != a.Digest {
		t.Errorf("the new tag names %s, %v", got, err)
	}
	for i, suffix := range []string{"-amd64", "-arm64"} {
		got, err := d.server.Registry(t).Resolve(t.Context(), oci.Ref{Repository: a.Repository, Tag: f.Artifact.Tag + suffix})
		if err != nil || got != a.Platforms[i].Digest {
			t.Errorf("the new tag%s names %s, %v", suffix, got, err)
		}
	}
	r := d.release
	r.Artifact = f.Artifact
	raw, err := b.Provenance(t.Context(), r)
	if err != nil || !strings.Contains(string(raw), `"invocationId":"k"`) || !strings.Contains(string(raw), `"ref":"refs/heads/main"`) {
		t.Errorf("the provenance is about the build that made it: %s, %v", raw, err)
	}
	third, v, err := d.builder(t).Build(t.Context(), "third key", d.release)
	if err != nil || third.Artifact.Digest != a.Digest || v.Reason() != why {
		t.Errorf("a proved build is no build to prove against: %q, %v", v.Reason(), err)
	}
}

func TestEveryRebuildSaysWhy(t *testing.T) {
	base := map[string]any{"name": "BASE", "digest": "sha256:" + strings.Repeat("cd", 32)}
	for _, c := range []struct {
		name string
		edit func(rec map[string]any)
		with func(d *dock)
		want string
	}{
		{name: "the tree", with: func(d *dock) { d.tree = "9b1c22d" + tree[7:] }, want: "rebuilt because, since build 8254c329, the tree of ./ changed: 3f2a91c -> 9b1c22d"},
		{name: "the platforms", with: func(d *dock) { d.pipeline.Spec.Build.Platforms = []string{"linux/amd64", "linux/arm64"} },
			want: "the platforms changed: linux/amd64 -> linux/amd64, linux/arm64"},
		{name: "an argument", with: func(d *dock) { d.pipeline.Spec.Build.Args = map[string]string{"GREETING": "ahoy"} }, want: "new: argument GREETING (ahoy)"},
		{name: "a check", with: func(d *dock) {
			d.pipeline.Spec.Build.Checks = []release.BuildCheck{{Name: "vet", Target: "test"}}
		}, want: "new: check vet (test)"},
		{name: "the matrix of a check", with: func(d *dock) {
			d.pipeline.Spec.Build.Checks = []release.BuildCheck{{Name: "vet", Target: "test", Matrix: map[string][]string{"GO": {"1.25", "1.26"}}}}
		}, want: "new: check vet (test, GO=1.25|1.26)"},
		{name: "a secret", with: func(d *dock) { d.mount("correct-horse") }, want: "new: secret npmrc ("},
		{name: "another value of a secret", edit: func(rec map[string]any) {
			rec["inputs"] = append(rec["inputs"].(inputs.Set), inputs.Part{Name: "secret npmrc", Value: "hmac-sha256:" + strings.Repeat("ab", 32)})
		}, with: func(d *dock) { d.mount("correct-horse") }, want: "secret npmrc changed: abababa -> "},
		{name: "a named context", with: func(d *dock) {
			d.pipeline.Spec.Build.Contexts = map[string]string{"shared": "./"}
		}, want: "new: context shared (.); new: the tree of context shared (3f2a91c)"},
		{name: "another commit with the same files", with: func(d *dock) { d.release.Commit = release.Commit(strings.Repeat("4e", 20)) },
			want: "since build 8254c329, the commit changed: 3f3f3f3 -> 4e4e4e4"},
		{name: "another version of the platform", with: func(d *dock) { d.cfg.Version = "v2" }, want: "the builder changed"},
		{name: "another repo with the same commit", with: func(d *dock) { d.release.Repo = "http://forge.example/fork/web.git" }, want: "the source changed"},
		{name: "another service has nothing to do with it", with: func(d *dock) { d.release.Service = "shop/cart" }, want: "built because no earlier build of shop/cart is on record"},
		{name: "what is not signed", with: func(d *dock) { d.verified = []string{"signature index: nothing is attached", "b", "c", "d", "e"} },
			want: "rebuilt because build 8254c329 is not proved: signature index: nothing is attached; b; c; and 2 more"},
		{name: "a layer that the registry has lost", with: func(d *dock) {
			d.server.Fail(func(r *http.Request) int {
				if r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/blobs/") {
					return http.StatusNotFound
				}
				return 0
			})
		}, want: "the registry no longer holds all of build 8254c329"},
		{name: "a base image that has moved", edit: func(rec map[string]any) { rec["bases"] = []any{base} }, want: "golang:1 changed: cdcdcdc -> "},
		{name: "a base image of a check that has moved", edit: func(rec map[string]any) { rec["checkBases"] = []any{base} }, want: "golang:1 changed: cdcdcdc -> "},
		{name: "a base image that nobody can be asked for", edit: func(rec map[string]any) {
			rec["bases"] = []any{map[string]any{"name": "127.0.0.1:1/none:1", "digest": base["digest"]}}
		}, want: "base 127.0.0.1:1/none:1 cannot be asked for"},
		{name: "a step that reads from the network", edit: func(rec map[string]any) { rec["loose"] = []string{"[2/3] ADD https://example.org/tool /bin/"} },
			want: "rebuilt because it reads from the network what nothing pins: [2/3] ADD https://example.org/tool /bin/"},
		{name: "a record of other inputs than those that lead to it", edit: func(rec map[string]any) { rec["inputs"] = inputs.Set{{Name: "the commit", Value: "x"}} },
			want: "new: the tree of ./ (3f2a91c)"},
		{name: "an argument that turned out to be a secret", edit: func(rec map[string]any) {
			rec["inputs"] = append(rec["inputs"].(inputs.Set), inputs.Part{Name: "argument GREETING", Value: "correct-horse"})
		}, with: func(d *dock) { d.secrets = []secret.Text{"correct-horse"} }, want: "gone: argument GREETING (***)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDock(t)
			d.server.Push(t, "library/golang", "1", "linux/amd64")
			base["name"] = "docker.io/library/golang:1"
			d.cfg.Mirrors = map[string]string{"docker.io": d.server.Host}
			d.proved(t, c.edit)
			if c.with != nil {
				c.with(d)
			}
			if _, v, err := d.builder(t).Build(t.Context(), "other key", d.release); err == nil || d.checkouts != 1 {
				t.Errorf("it was not built: %v %q %v", v.Outcome(), v.Reason(), err)
			}
			if !strings.Contains(d.said.String(), c.want) {
				t.Errorf("said %s\nwant %s", d.said.String(), c.want)
			}
		})
	}
}

func TestASecretIsKnownAgainByAKeyOfTheServer(t *testing.T) {
	d := newDock(t)
	d.mount("correct-horse")
	b := d.builder(t)
	key, err := os.ReadFile(filepath.Join(d.state, "secrets.key"))
	if err != nil {
		t.Fatal(err)
	}
	part := inputs.Keyed(key, "npmrc", "correct-horse")
	d.proved(t, func(rec map[string]any) { rec["inputs"] = append(rec["inputs"].(inputs.Set), part) })
	// The record leads to itself under its new inputs.
	set := append(d.inputs(), part)
	if err := os.Rename(filepath.Join(d.state, "same", d.inputs().Digest().Hex()), filepath.Join(d.state, "same", set.Digest().Hex())); err != nil {
		t.Fatal(err)
	}
	if _, v, err := b.Build(t.Context(), "other key", d.release); err != nil || !strings.HasPrefix(v.Reason(), "unchanged: proved") {
		t.Errorf("%q, %v; said %s", v.Reason(), err, d.said.String())
	}
	d.mount("correct-house")
	if _, _, err := d.builder(t).Build(t.Context(), "third key", d.release); err == nil || d.checkouts != 1 {
		t.Errorf("another value is another build: %v", err)
	}
	if strings.Contains(d.said.String(), "correct-ho") {
		t.Errorf("said %s", d.said.String())
	}
}

func TestABaseThatIsPinnedIsNotAskedFor(t *testing.T) {
	d := newDock(t)
	a := d.proved(t, func(rec map[string]any) {
		rec["bases"] = []any{map[string]any{"name": "127.0.0.1:1/none:1", "digest": "sha256:" + strings.Repeat("cd", 32), "pinned": true}}
	})
	if f, v, err := d.builder(t).Build(t.Context(), "other key", d.release); err != nil || f.Artifact.Digest != a.Digest {
		t.Errorf("%q %v", v.Reason(), err)
	}
}

func TestARegistryThatDoesNotAnswerIsNoReasonToBuild(t *testing.T) {
	d := newDock(t)
	d.proved(t, nil)
	d.server.Fail(func(*http.Request) int { return http.StatusServiceUnavailable })
	if _, _, err := d.builder(t).Build(t.Context(), "other key", d.release); err == nil || d.checkouts != 0 {
		t.Errorf("%v, %d checkouts", err, d.checkouts)
	}
}
