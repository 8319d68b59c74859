package signing_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

const (
	builderID  = "https://seatrial.example/builder"
	bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// yard is a registry with one image of two platforms and a signer.
type yard struct {
	server  *ocitest.Server
	reg     *oci.Registry
	key     *signing.Key
	signer  *signing.Signer
	verify  *signing.Verifier
	release release.Release
	boms    int // how many SBOMs were asked for
}

func newYard(t *testing.T, referrersAPI bool) *yard {
	t.Helper()
	y := &yard{server: ocitest.New(t, referrersAPI)}
	y.reg = y.server.Registry(t)
	var err error
	if y.key, err = sharedKey(); err != nil {
		t.Fatal(err)
	}
	a := y.server.Push(t, "shop/web", "v1", "linux/amd64", "linux/arm64")
	y.release = release.Release{
		ID: "shop.web.3f2a91c07d0b", Service: "shop/web", Repo: "http://forge.example/shop/web.git",
		Commit: release.Commit(strings.Repeat("3f", 20)), Artifact: &a,
	}
	y.signer = y.signs(t, signing.Config{}, y.key)
	if y.verify, err = signing.NewVerifier(y.reg, y.key.Public()); err != nil {
		t.Fatal(err)
	}
	return y
}

// signs makes a signer with some settings.
func (y *yard) signs(t *testing.T, c signing.Config, keys ...*signing.Key) *signing.Signer {
	t.Helper()
	ring, err := signing.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	c.Keys, c.Builder = ring, builderID
	if c.Registry == nil {
		c.Registry = y.reg
	}
	if c.SBOM == nil {
		c.SBOM = y.sbom
	}
	if c.Provenance == nil {
		c.Provenance = provenance
	}
	s, err := signing.NewSigner(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sharedKey is made once: opening a key file takes half a second on purpose.
var sharedKey = sync.OnceValues(func() (*signing.Key, error) {
	dir, err := os.MkdirTemp("", "key-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return signing.LoadOrCreateKey(filepath.Join(dir, "cosign.key"), secret.Text("a long passphrase"))
})

// newKey is a key that was never in a file.
func newKey(t *testing.T) *signing.Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signature.LoadECDSASigner(private, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	k, err := signing.NewKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (y *yard) sbom(_ context.Context, a release.Artifact, p release.Platform) ([]byte, error) {
	y.boms++
	return fmt.Appendf(nil, `{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"name":%q,"version":%q}},"components":[{"name":"stdlib"}]}`, a.Repository, p.Digest), nil
}

func provenance(_ context.Context, r release.Release) ([]byte, error) {
	return json.Marshal(map[string]any{
		"buildDefinition": map[string]any{
			"externalParameters": map[string]any{
				"service": r.Service, "source": map[string]any{"repository": r.Repo, "commit": r.Commit},
			},
			"resolvedDependencies": []any{map[string]any{"uri": "git+" + r.Repo, "digest": map[string]string{"gitCommit": string(r.Commit)}}},
		},
		"runDetails": map[string]any{"builder": map[string]string{"id": builderID}},
	})
}

func (y *yard) sign(t *testing.T) release.Artifact {
	t.Helper()
	facts, v, err := y.signer.Sign(t.Context(), "key", y.release)
	if err != nil || v.Outcome() != release.Passed {
		t.Fatalf("sign: %v %q %v", v.Outcome(), v.Reason(), err)
	}
	return *facts.Artifact
}

func (y *yard) report(t *testing.T) signing.Report {
	t.Helper()
	r, err := y.verify.Verify(t.Context(), y.release.Artifact.Reference(), signing.ExpectOf(y.release, builderID))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bundles reads what is attached to a digest, by predicate type.
func (y *yard) bundles(t *testing.T, d release.Digest) map[string][]byte {
	t.Helper()
	list, err := y.reg.Referrers(t.Context(), y.release.Artifact.Repository, d)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, ref := range list {
		raw, err := y.reg.Blob(t.Context(), y.release.Artifact.Repository, ref.Content, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		out[ref.Annotations["dev.sigstore.bundle.predicateType"]] = raw
	}
	return out
}

// attach puts a document on a digest as anybody with access to the registry could.
func (y *yard) attach(t *testing.T, a release.Artifact, d release.Digest, content []byte) {
	t.Helper()
	m, err := y.reg.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: d})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := y.reg.Attach(t.Context(), a.Repository, oci.Attachment{Subject: m, Type: bundleType, Content: content}); err != nil {
		t.Fatal(err)
	}
}

// all is every digest of an artifact that has to be signed.
func all(a release.Artifact) []release.Digest {
	out := []release.Digest{a.Digest}
	for _, p := range a.Platforms {
		out = append(out, p.Digest)
	}
	return out
}
