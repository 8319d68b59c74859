package signing_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

const simpleType = "application/vnd.dev.cosign.simplesigning.v1+json"

func legacyTag(a release.Artifact, d release.Digest) oci.Ref {
	return oci.Ref{Repository: a.Repository, Tag: "sha256-" + d.Hex() + ".sig"}
}

func TestFormsOfSignatures(t *testing.T) {
	for _, api := range []bool{true, false} {
		for _, c := range []struct {
			compat         signing.Compat
			bundle, legacy bool
		}{{signing.Bundle, true, false}, {signing.Legacy, false, true}, {signing.Both, true, true}} {
			t.Run(fmt.Sprintf("%s, referrers API %v", c.compat, api), func(t *testing.T) {
				y := newYard(t, api)
				y.signer = y.signs(t, signing.Config{Compat: c.compat}, y.key)
				a := y.sign(t)
				y.sign(t)
				if r := y.report(t); !r.OK() || len(a.Signed) != 9 {
					t.Fatalf("%d documents, refusals %q", len(a.Signed), r.Refusals())
				}
				for _, d := range all(a) {
					_, docs, err := y.reg.Documents(t.Context(), legacyTag(a, d))
					if c.legacy && (err != nil || len(docs) != 1 || docs[0].Type != simpleType) || !c.legacy && !errors.Is(err, oci.ErrNotFound) {
						t.Errorf("the legacy tag: %+v, %v", docs, err)
					}
					if _, bundle := y.bundles(t, d)[sig]; bundle != c.bundle {
						t.Errorf("a bundle with a signature: %v", bundle)
					}
				}
			})
		}
	}
}

func TestAChangedFormSignsWhatIsThere(t *testing.T) {
	y := newYard(t, true)
	y.sign(t)
	boms := y.boms
	y.signer = y.signs(t, signing.Config{Compat: signing.Both}, y.key)
	a := y.sign(t)
	if _, docs, err := y.reg.Documents(t.Context(), legacyTag(a, a.Digest)); err != nil || len(docs) != 1 || y.boms != boms {
		t.Errorf("%d documents, %d SBOMs made anew, %v", len(docs), y.boms-boms, err)
	}
}

func TestLegacyRefuses(t *testing.T) {
	good := func(repository string, d release.Digest) string {
		return fmt.Sprintf(`{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, repository, d)
	}
	for _, c := range []struct {
		name    string
		payload func(repository string, d release.Digest) string
		spoil   func(sig string) string
		want    string // empty: it is accepted
	}{
		{name: "what cosign writes is accepted", payload: good},
		{name: "a flipped byte in the signature", payload: good, spoil: func(s string) string { return "AAAA" + s[4:] }, want: "key: signed by none of the trusted keys"},
		{name: "no signature at all", payload: good, spoil: func(string) string { return "" }, want: "key: signed by none of the trusted keys"},
		{name: "a signature that is not base64", payload: good, spoil: func(string) string { return "%" }, want: "bundle: illegal base64"},
		{name: "no document", payload: func(string, release.Digest) string { return "[" }, want: "bundle: unexpected end"},
		{name: "another digest", payload: func(repository string, _ release.Digest) string { return good(repository, "sha256:0") }, want: "subject: it is about sha256:0"},
		{name: "another repository", payload: func(_ string, d release.Digest) string { return good("registry.example/shop/web", d) }, want: `repository: it was signed for repository "registry.example/shop/web"`},
		{name: "no image signature", payload: func(repository string, d release.Digest) string {
			return strings.Replace(good(repository, d), "cosign container image signature", "atomic container signature", 1)
		}, want: "content: it is a"},
		{name: "a time that is yet to come", payload: func(repository string, d release.Digest) string {
			return strings.Replace(good(repository, d), "null", `{"dev.seatrial.signed":"2999-01-01T00:00:00Z"}`, 1)
		}, want: "window: it says it was signed at 2999-01-01T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t, true)
			a := y.sign(t)
			y.rehang(t, func(_ release.Digest, predicate string, content []byte) []byte {
				if predicate == sig {
					return nil
				}
				return content
			})
			for _, d := range all(a) {
				payload := []byte(c.payload(a.Repository, d))
				made, err := y.key.SignSimple(bytes.NewReader(payload))
				if err != nil {
					t.Fatal(err)
				}
				if c.spoil != nil {
					made = c.spoil(made)
				}
				if err := y.reg.AddDocument(t.Context(), legacyTag(a, d), simpleType, payload, map[string]string{"dev.cosignproject.cosign/signature": made}); err != nil {
					t.Fatal(err)
				}
			}
			r := y.report(t)
			if r.OK() != (c.want == "") || !strings.Contains(strings.Join(r.Refusals(), "\n"), c.want) {
				t.Errorf("OK %v, refusals %q, want %q", r.OK(), r.Refusals(), c.want)
			}
		})
	}
}
