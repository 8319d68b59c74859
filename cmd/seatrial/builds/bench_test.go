package builds_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/inputs"
	"github.com/seatrial/seatrial/builder/logs"
	"github.com/seatrial/seatrial/cmd/seatrial/builds"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// bom is an SBOM of the size that a Go service has.
func bom(_ context.Context, a release.Artifact, p release.Platform) ([]byte, error) {
	var components []map[string]any
	for i := range 100 {
		name := fmt.Sprintf("example.com/modules/module-%d", i)
		components = append(components, map[string]any{"type": "library", "bom-ref": name, "name": name, "version": "v1.2.3", "purl": "pkg:golang/" + name + "@v1.2.3"})
	}
	return json.Marshal(map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components,
		"metadata": map[string]any{"component": map[string]any{"name": a.Repository, "version": p.Digest}}})
}

func provenance(_ context.Context, r release.Release) ([]byte, error) {
	return fmt.Appendf(nil, `{"buildDefinition":{"externalParameters":{"service":%q,"source":{"repository":%q,"commit":%q}},"resolvedDependencies":[{"uri":"git","digest":{"gitCommit":%[3]q}}]},`+
		`"runDetails":{"builder":{"id":"https://seatrial.example/builder"}}}`, r.Service, r.Repo, r.Commit), nil
}

// proving is a builder that has built a commit, which is signed.
func proving(b *testing.B, server *ocitest.Server, platforms ...string) (*builder.Builder, release.Release) {
	b.Helper()
	url, head := repo(b)
	const id = "https://seatrial.example/builder"
	reg := server.Registry(b)
	key, err := signing.LoadOrCreateKey(filepath.Join(b.TempDir(), "signing.key"), secret.Text("a long passphrase"))
	if err != nil {
		b.Fatal(err)
	}
	ring, err := signing.NewRing(key)
	if err != nil {
		b.Fatal(err)
	}
	verifier, err := signing.NewVerifier(reg, key.Public())
	if err != nil {
		b.Fatal(err)
	}
	signer, err := signing.NewSigner(signing.Config{Keys: ring, Registry: reg, Builder: id, SBOM: bom, Provenance: provenance})
	if err != nil {
		b.Fatal(err)
	}
	a := server.Push(b, "shop/web", "v1", platforms...)
	r := release.Release{ID: release.NewID("shop/web", head), Service: "shop/web", Repo: url, Ref: "refs/heads/main", Commit: head, Artifact: &a}
	if _, v, err := signer.Sign(b.Context(), "sign", r); err != nil || v.Outcome() != release.Passed {
		b.Fatal(v.Reason(), err)
	}
	repos, err := git.Open(git.Config{Dir: b.TempDir(), AllowFile: true})
	if err != nil {
		b.Fatal(err)
	}
	book, err := logs.Open(b.TempDir(), logs.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { book.Close() })
	s := builds.Sources{Repos: repos, URL: func(string) string { return url }, Builder: id,
		Verifier: func() *signing.Verifier { return verifier }, Rego: func() map[string]string { return nil }}
	state := b.TempDir()
	remember(b, s, state, r)
	made, err := builder.New(builder.Config{Addresses: []string{"unix:///nowhere.sock"}, Registry: server.Host, ID: id, State: state},
		builder.Parts{Checkout: s.Checkout, Pipeline: s.Pipeline, Tree: s.Tree, Verify: s.Verify, Registry: reg, Logs: book})
	if err != nil {
		b.Fatal(err)
	}
	r.Artifact = nil
	return made, r
}

// remember puts the record of the release's build where the next one finds it.
func remember(b *testing.B, s builds.Sources, state string, r release.Release) {
	b.Helper()
	digest := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			b.Fatal(err)
		}
		return fmt.Sprintf("sha256:%x", sha256.Sum256(raw))
	}
	p, perr := s.Pipeline(b.Context(), r)
	tree, terr := s.Tree(b.Context(), r, "web")
	if err := errors.Join(perr, terr); err != nil {
		b.Fatal(err)
	}
	set := inputs.Set{
		{Name: "the tree of web/", Value: tree}, {Name: "the context", Value: "web"}, {Name: "the Dockerfile's name", Value: "Dockerfile"},
		{Name: "the platforms", Value: "linux/amd64"}, {Name: "what else is planned", Value: digest(builder.Plan{})},
		{Name: "the builder", Value: s.Builder + " "}, {Name: "BuildKit's compatibility version", Value: "30"},
		{Name: "the repository of the image", Value: r.Artifact.Repository}, {Name: "the source", Value: r.Repo},
		{Name: ".seatrial.yaml", Value: digest(p)}, {Name: "the commit", Value: string(r.Commit)},
	}
	raw, err := json.Marshal(map[string]any{"key": "made", "release": r.ID, "repository": r.Artifact.Repository, "tag": r.Artifact.Tag, "digest": r.Artifact.Digest,
		"platforms": r.Artifact.Platforms, "plan": map[string]any{"service": r.Service, "commit": r.Commit}, "inputs": set, "finished": time.Now()})
	file := string(r.ID) + ".made.json"
	if err := errors.Join(err, os.MkdirAll(filepath.Join(state, "same"), 0o700), os.WriteFile(filepath.Join(state, file), raw, 0o600),
		os.WriteFile(filepath.Join(state, "same", set.Digest().Hex()), []byte(file), 0o600)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkProof proves a commit unchanged: git, the record, the registry, the signatures.
func BenchmarkProof(b *testing.B) {
	for _, platforms := range [][]string{{"linux/amd64"}, {"linux/amd64", "linux/arm64", "linux/ppc64le"}} {
		b.Run(fmt.Sprintf("platforms=%d", len(platforms)), func(b *testing.B) {
			server := ocitest.New(b, true)
			made, r := proving(b, server, platforms...)
			var asked atomic.Int64
			server.Fail(func(*http.Request) int { asked.Add(1); return 0 })
			n := 0
			for b.Loop() {
				n++
				if _, v, err := made.Build(b.Context(), fmt.Sprint("key", n), r); err != nil || !strings.HasPrefix(v.Reason(), "unchanged: proved") {
					b.Fatal(v.Reason(), err)
				}
			}
			b.ReportMetric(float64(asked.Load())/float64(n), "requests/op")
		})
	}
}
