package signing_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

const sig, bom, prov = signing.PredicateSignature, signing.PredicateSBOM, signing.PredicateProvenance

// rehang takes away all that is attached and attaches what change makes of each
// document; nil leaves it out.
func (y *yard) rehang(t *testing.T, change func(d release.Digest, predicate string, content []byte) []byte) {
	t.Helper()
	a := *y.release.Artifact
	docs := map[release.Digest]map[string][]byte{}
	for _, d := range all(a) {
		docs[d] = y.bundles(t, d)
	}
	y.server.Detach(t, a.Repository, all(a)...)
	for d, by := range docs {
		for predicate, content := range by {
			if content = change(d, predicate, content); content != nil {
				y.attach(t, a, d, content)
			}
		}
	}
}

// seal signs, with the trusted key, a statement that a signer would not make.
func (y *yard) seal(t *testing.T, predicateType, predicate string, subjects ...string) []byte {
	t.Helper()
	raw, err := y.key.Seal(t.Context(), fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":%q,"predicate":%s}`,
		strings.Join(subjects, ","), predicateType, predicate))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func target(repository string, d release.Digest) string {
	return fmt.Sprintf(`{"name":%q,"digest":{"sha256":%q}}`, repository, d.Hex())
}

// instead replaces every document of a type by a statement of the trusted key.
func instead(predicateType, sealedType string, predicate func(y *yard, d release.Digest) string, subjects func(y *yard, d release.Digest) []string) func(*testing.T, *yard) {
	return func(t *testing.T, y *yard) {
		y.rehang(t, func(d release.Digest, p string, content []byte) []byte {
			if p != predicateType {
				return content
			}
			return y.seal(t, sealedType, predicate(y, d), subjects(y, d)...)
		})
	}
}

func here(y *yard, d release.Digest) []string {
	return []string{target(y.release.Artifact.Repository, d)}
}

func said(predicate string) func(*yard, release.Digest) string {
	return func(*yard, release.Digest) string { return predicate }
}

func sbomOf(y *yard, d release.Digest) string {
	return fmt.Sprintf(`{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"version":%q}},"components":[{"name":"stdlib"}]}`, d)
}

// predicateOf is the predicate in a bundle.
func predicateOf(t *testing.T, bundle []byte) string {
	t.Helper()
	var b struct {
		Envelope struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	var s struct {
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := errors.Join(json.Unmarshal(bundle, &b), json.Unmarshal(b.Envelope.Payload, &s)); err != nil {
		t.Fatal(err)
	}
	return string(s.Predicate)
}

// lie lets the registry change one answer.
func lie(part func(y *yard) string, change func(y *yard, body []byte) []byte) func(*testing.T, *yard) {
	return func(_ *testing.T, y *yard) {
		wanted := part(y)
		y.server.Lie(func(r *http.Request, body []byte) ([]byte, bool) {
			return change(y, body), strings.Contains(r.URL.Path, wanted)
		})
	}
}

func flipped(_ *yard, body []byte) []byte {
	out := bytes.Clone(body)
	out[len(out)/2] ^= 1
	return out
}

func path(s string) func(*yard) string { return func(*yard) string { return s } }

// envelope changes the envelope of every bundle of a type.
func envelope(predicateType string, change func(bundle, envelope map[string]any)) func(*testing.T, *yard) {
	return func(t *testing.T, y *yard) {
		y.rehang(t, func(_ release.Digest, p string, content []byte) []byte {
			if p != predicateType {
				return content
			}
			var b map[string]any
			if err := json.Unmarshal(content, &b); err != nil {
				t.Fatal(err)
			}
			env, _ := b["dsseEnvelope"].(map[string]any)
			change(b, env)
			out, err := json.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			return out
		})
	}
}

// TestTamper: every case starts from an image that verifies. What somebody with all
// rights on the registry can do to it, and what a trusted key should never have signed,
// is refused with a reason that names it.
func TestTamper(t *testing.T) {
	for _, c := range []struct {
		name    string
		with    func(t *testing.T, y *yard)
		without bool // the referrers API
		tag     bool // asked by tag
		want    []string
	}{
		{name: "a byte flipped in the index", want: []string{"image: ", "not what its digest says"},
			with: lie(func(y *yard) string { return "/manifests/" + string(y.release.Artifact.Digest) }, flipped)},
		{name: "a byte flipped in the manifest of a platform", want: []string{"platforms: linux/arm64", "not what its digest says"},
			with: lie(func(y *yard) string { return "/manifests/" + string(y.release.Artifact.Platforms[1].Digest) }, flipped)},
		{name: "a byte flipped in every blob", want: []string{"signature index: ", "bundle: ", "not what its digest says"}, with: lie(path("/blobs/"), flipped)},
		{name: "a byte flipped in a signature", want: []string{"signature index: ", "key: signed by none of the trusted keys"},
			with: envelope(sig, func(_, env map[string]any) {
				first := env["signatures"].([]any)[0].(map[string]any)
				raw, _ := base64.StdEncoding.DecodeString(first["sig"].(string))
				raw[len(raw)-1] ^= 1
				first["sig"] = base64.StdEncoding.EncodeToString(raw)
			})},
		{name: "two signatures in one envelope", want: []string{"signature index: ", "key: it has 2 signatures"},
			with: envelope(sig, func(_, env map[string]any) {
				env["signatures"] = append(env["signatures"].([]any), env["signatures"].([]any)[0])
			})},
		{name: "no signature in the envelope", want: []string{"signature index: ", "key: it has 0 signatures"},
			with: envelope(sig, func(_, env map[string]any) { env["signatures"] = []any{} })},
		{name: "a certificate in place of a key", want: []string{"signature index: ", "key: it is not signed with a key"},
			with: envelope(sig, func(b, _ map[string]any) {
				b["verificationMaterial"] = map[string]any{"certificate": map[string]any{"rawBytes": "AAAA"}}
			})},
		{name: "an envelope of another type", want: []string{"signature index: ", "it holds no in-toto statement"},
			with: envelope(sig, func(_, env map[string]any) { env["payloadType"] = "application/json" })},
		{name: "a bundle without an envelope", want: []string{"provenance index: ", "not a sigstore bundle"},
			with: envelope(prov, func(b, _ map[string]any) { delete(b, "dsseEnvelope") })},
		{name: "a bundle of another version", want: []string{"sbom index: ", "not a sigstore bundle"},
			with: envelope(bom, func(b, _ map[string]any) { b["mediaType"] = "application/vnd.dev.sigstore.bundle.v0.9+json" })},
		{name: "bundles of another image", want: []string{"signature index: ", "subject: it is about another digest"}, with: func(t *testing.T, y *yard) { y.swap(t, "shop/api", "v1") }},
		{name: "bundles of another tag of the same repository", want: []string{"signature index: ", "subject: it is about another digest"}, with: func(t *testing.T, y *yard) { y.swap(t, "shop/web", "v2") }},
		{name: "a signed index with a child replaced", tag: true, want: []string{"signature index: nothing is attached"},
			with: lie(path("/manifests/v1"), func(y *yard, body []byte) []byte {
				p := y.release.Artifact.Platforms
				return bytes.Replace(body, []byte(p[1].Digest), []byte(p[0].Digest), 1)
			})},
		{name: "no signature on the index, all else there", want: []string{"signature index: 2 attached, none of type " + sig},
			with: func(t *testing.T, y *yard) {
				y.rehang(t, func(d release.Digest, p string, content []byte) []byte {
					if p == sig && d == y.release.Artifact.Digest {
						return nil
					}
					return content
				})
			}},
		{name: "the predicate of an SBOM, signed as a signature", want: []string{"signature index: ", "content: a signature has no content"}, with: instead(sig, sig, sbomOf, here)},
		{name: "the predicate of a signature, signed as an SBOM", want: []string{"sbom index: ", `content: the SBOM is "" ""`}, with: instead(bom, bom, said("{}"), here)},
		{name: "the predicate of an SBOM, signed as provenance", want: []string{"provenance index: ", "content: it was built by"}, with: instead(prov, prov, sbomOf, here)},
		{name: "the predicate of an SBOM, signed as another type of SBOM", want: []string{"sbom index: 3 attached, none of type " + bom}, with: instead(bom, "https://spdx.dev/Document", sbomOf, here)},
		{name: "an SBOM of another version", want: []string{"sbom index: ", "want CycloneDX 1.6"},
			with: instead(bom, bom, func(y *yard, d release.Digest) string { return strings.Replace(sbomOf(y, d), "1.6", "1.4", 1) }, here)},
		{name: "an SBOM of another digest", want: []string{"sbom index: ", "the SBOM describes"},
			with: instead(bom, bom, func(y *yard, _ release.Digest) string { return sbomOf(y, "sha256:0") }, here)},
		{name: "an SBOM that lists nothing", want: []string{"sbom index: ", "lists no components"},
			with: instead(bom, bom, func(y *yard, d release.Digest) string {
				return strings.Replace(sbomOf(y, d), `{"name":"stdlib"}`, "", 1)
			}, here)},
		{name: "a provenance that names another builder", want: []string{"provenance index: ", "content: it was built by"},
			with: instead(prov, prov, said(`{"runDetails":{"builder":{"id":"https://elsewhere.example"}}}`), here)},
		{name: "a statement about nothing", want: []string{"signature index: ", "subject: it has no subject"}, with: instead(sig, sig, said("{}"), func(*yard, release.Digest) []string { return nil })},
		{name: "a statement about an unknown digest", want: []string{"signature index: ", "subject: it is about another digest"},
			with: instead(sig, sig, said("{}"), func(y *yard, _ release.Digest) []string {
				return []string{target(y.release.Artifact.Repository, release.Digest("sha256:"+strings.Repeat("ab", 32)))}
			})},
		{name: "a statement about this digest in another repository", want: []string{"signature index: ", "repository: it was signed for repository"},
			with: instead(sig, sig, said("{}"), func(_ *yard, d release.Digest) []string { return []string{target("registry.example/shop/web", d)} })},
		{name: "a time of signing that is none", want: []string{"signature index: ", "window: ", "which is no time"},
			with: instead(sig, sig, said("{}"), func(y *yard, d release.Digest) []string {
				return []string{strings.Replace(here(y, d)[0], "{", `{"annotations":{"dev.seatrial.signed":"yesterday"},`, 1)}
			})},
		{name: "an attached manifest about another digest", want: []string{"signature index: ", "bundle: ", "its subject is"},
			with: func(_ *testing.T, y *yard) {
				// The list of one platform is given as that of the index.
				var arm []byte
				a := y.release.Artifact
				y.server.Lie(func(r *http.Request, body []byte) ([]byte, bool) {
					if strings.HasSuffix(r.URL.Path, "/referrers/"+string(a.Platforms[1].Digest)) {
						arm = body
					}
					return arm, strings.HasSuffix(r.URL.Path, "/referrers/"+string(a.Digest)) && arm != nil
				})
				_, _ = y.reg.Referrers(t.Context(), a.Repository, a.Platforms[1].Digest)
			}},
		{name: "a fallback tag that is no index", without: true, want: []string{"signature index: ", "bundle: ", "is no index"},
			with: lie(path("/manifests/sha256-"), func(*yard, []byte) []byte {
				return []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[]}`)
			})},
		{name: "a registry that answers 404 to the referrers call", want: []string{"signature index: nothing is attached"},
			with: func(_ *testing.T, y *yard) {
				y.server.Fail(func(r *http.Request) int {
					if strings.Contains(r.URL.Path, "/referrers/") {
						return http.StatusNotFound
					}
					return 0
				})
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t, !c.without)
			a := y.sign(t)
			if r := y.report(t); !r.OK() {
				t.Fatalf("before: %q", r.Refusals())
			}
			c.with(t, y)
			ref := a.Reference()
			if c.tag {
				ref = a.Repository + ":" + a.Tag
			}
			r, err := y.verify.Verify(t.Context(), ref, signing.ExpectOf(y.release, builderID))
			if err != nil || r.OK() {
				t.Fatalf("OK %v, %v", r.OK(), err)
			}
			for _, want := range c.want {
				if !strings.Contains(strings.Join(r.Refusals(), "\n"), want) {
					t.Errorf("refusals:\n%s\nwant %q", strings.Join(r.Refusals(), "\n"), want)
				}
			}
		})
	}
}

// swap attaches to the yard's image what was made for another one, and nothing else.
func (y *yard) swap(t *testing.T, repository, tag string) {
	t.Helper()
	mine := y.release
	other := y.server.Push(t, repository, tag, "linux/amd64", "linux/arm64")
	y.release.Artifact = &other
	y.sign(t)
	docs := map[int]map[string][]byte{}
	for i, d := range all(other) {
		docs[i] = y.bundles(t, d)
	}
	y.release = mine
	y.server.Detach(t, mine.Artifact.Repository, all(*mine.Artifact)...)
	for i, d := range all(*mine.Artifact) {
		for _, content := range docs[i] {
			y.attach(t, *mine.Artifact, d, content)
		}
	}
}

func TestARegistryThatDoesNotAnswerNeverPasses(t *testing.T) {
	y := newYard(t, true)
	y.sign(t)
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError} {
		y.server.Fail(func(r *http.Request) int {
			if strings.Contains(r.URL.Path, "/referrers/") {
				return status
			}
			return 0
		})
		if r, err := y.verify.Verify(t.Context(), y.release.Artifact.Reference(), signing.Expect{}); err == nil {
			t.Errorf("%d: could not ask is an error, got a report with OK %v", status, r.OK())
		}
	}
}

// What is attached by others under our types, among them megabytes, is answered for.
func TestALargeDocumentIsNotRead(t *testing.T) {
	y := newYard(t, true)
	a := y.sign(t)
	y.server.Detach(t, a.Repository, a.Digest)
	y.attach(t, a, a.Digest, make([]byte, 25<<20))
	r := y.report(t)
	if r.OK() || !strings.Contains(strings.Join(r.Refusals(), "\n"), "at most 25165824 are read") {
		t.Errorf("refusals %q", r.Refusals())
	}
}

func TestEveryQuestionIsAnswered(t *testing.T) {
	y := newYard(t, true)
	y.sign(t)
	for _, c := range y.report(t).Checks {
		if c.Name == "platforms" {
			continue
		}
		var asked []string
		for _, a := range c.Answers {
			if !a.OK || a.Detail == "" {
				t.Errorf("%s %s: %+v", c.Name, c.Platform, a)
			}
			asked = append(asked, a.Question)
		}
		if strings.Join(asked, " ") != "bundle key subject repository window type content" {
			t.Errorf("%s %s: asked %q", c.Name, c.Platform, asked)
		}
		if !strings.Contains(c.Detail, y.key.Public().ID) || !strings.Contains(c.Detail, string(c.Subject)) || !strings.Contains(c.Detail, y.release.Artifact.Repository) {
			t.Errorf("detail %q does not say what was looked at", c.Detail)
		}
	}
}

func FuzzParseBundle(f *testing.F) {
	k, err := sharedKey()
	if err != nil {
		f.Fatal(err)
	}
	good, err := k.Seal(f.Context(), []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"https://cyclonedx.org/bom","predicate":{}}`))
	if err != nil {
		f.Fatal(err)
	}
	var b struct {
		Envelope struct {
			Payload string `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(good, &b); err != nil {
		f.Fatal(err)
	}
	if signed, err := signing.SignedBy(good, k.Public()); err != nil || !signed {
		f.Fatalf("the first seed is signed: %v, %v", signed, err)
	}
	payload := []byte(strings.TrimRight(b.Envelope.Payload, "=")) // padding may be left out
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","messageSignature":{},"verificationMaterial":{"publicKey":{}}}`))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","dsseEnvelope":{"payloadType":"application/vnd.in-toto+json"},"verificationMaterial":{"publicKey":{}}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		signed, err := signing.SignedBy(raw, k.Public())
		if signed && !bytes.Contains(raw, payload) {
			t.Errorf("it counts as signed, and is not what was: %v", err)
		}
	})
}

// The manifest that others wrote at a legacy tag harms nothing but the legacy form.
func TestForeignLegacyTag(t *testing.T) {
	y := newYard(t, true)
	a := y.sign(t)
	m, err := y.reg.Get(t.Context(), oci.Ref{Repository: a.Repository, Digest: a.Digest})
	if err != nil {
		t.Fatal(err)
	}
	y.server.Tag(t, a.Repository, "sha256-"+a.Digest.Hex()+".sig", m.Digest)
	if r := y.report(t); !r.OK() {
		t.Errorf("refusals %q", r.Refusals())
	}
	y.signer = y.signs(t, signing.Config{Compat: signing.Both}, y.key)
	if _, v, err := y.signer.Sign(t.Context(), "key", y.release); err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "it is no image") {
		t.Errorf("%v %q %v", v.Outcome(), v.Reason(), err)
	}
}
