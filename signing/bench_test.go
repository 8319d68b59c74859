package signing_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// listing is an SBOM of the size that a Go service has.
func listing(_ context.Context, a release.Artifact, p release.Platform) ([]byte, error) {
	var components []map[string]any
	for i := range 200 {
		name := fmt.Sprintf("example.com/modules/module-%d", i)
		components = append(components, map[string]any{
			"type": "library", "bom-ref": name, "name": name, "version": "v1.2.3", "purl": "pkg:golang/" + name + "@v1.2.3",
			"hashes":   []map[string]string{{"alg": "SHA-256", "content": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}},
			"licenses": []map[string]any{{"license": map[string]string{"id": "Apache-2.0"}}},
		})
	}
	return json.Marshal(map[string]any{
		"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components,
		"metadata": map[string]any{"component": map[string]any{"name": a.Repository, "version": p.Digest}},
	})
}

// BenchmarkVerify verifies an index of three platforms: 12 documents. With a pause it
// stands for a registry that is not on this machine.
func BenchmarkVerify(b *testing.B) {
	for _, pause := range []time.Duration{0, 5 * time.Millisecond} {
		for _, api := range []bool{true, false} {
			b.Run(fmt.Sprintf("pause=%s/api=%v", pause, api), func(b *testing.B) {
				s := ocitest.New(b, api)
				reg := s.Registry(b)
				a := s.Push(b, "shop/web", "v1", "linux/amd64", "linux/arm64", "linux/ppc64le")
				r := release.Release{Service: "shop/web", Repo: "http://forge.example/shop/web.git", Commit: "3f2a91c07d0b3f2a91c07d0b3f2a91c07d0b3f2a", Artifact: &a}
				key, err := sharedKey()
				if err != nil {
					b.Fatal(err)
				}
				signer, err := benchSigner(key, reg)
				if err != nil {
					b.Fatal(err)
				}
				if _, v, err := signer.Sign(b.Context(), "key", r); err != nil || v.Outcome() != release.Passed {
					b.Fatal(v.Reason(), err)
				}
				v, err := signing.NewVerifier(reg, key.Public())
				if err != nil {
					b.Fatal(err)
				}
				if pause > 0 {
					s.Fail(func(*http.Request) int { <-time.After(pause); return 0 })
				}
				for b.Loop() {
					report, err := v.Verify(b.Context(), a.Reference(), signing.ExpectOf(r, builderID))
					if err != nil || !report.OK() {
						b.Fatal(report.Refusals(), err)
					}
				}
			})
		}
	}
}

func benchSigner(key *signing.Key, reg *oci.Registry) (*signing.Signer, error) {
	ring, err := signing.NewRing(key)
	if err != nil {
		return nil, err
	}
	return signing.NewSigner(signing.Config{Keys: ring, Registry: reg, Builder: builderID, SBOM: listing, Provenance: provenance})
}
