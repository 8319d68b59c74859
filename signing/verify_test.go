package signing_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

// flip changes one byte inside the payload of a bundle and keeps it readable.
func flip(t *testing.T, bundle []byte, from, to string) []byte {
	t.Helper()
	var b map[string]any
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	env := b["dsseEnvelope"].(map[string]any)
	payload, err := base64.StdEncoding.DecodeString(env["payload"].(string))
	if err != nil || !bytes.Contains(payload, []byte(from)) {
		t.Fatalf("payload without %q: %v", from, err)
	}
	env["payload"] = base64.StdEncoding.EncodeToString(bytes.Replace(payload, []byte(from), []byte(to), 1))
	out, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestVerifyRefuses: every case starts from an image whose bundles were all made
// properly by a signer, takes them all away and attaches what the case says.
func TestVerifyRefuses(t *testing.T) {
	type attach func(d release.Digest, content []byte)
	for _, c := range []struct {
		name string
		with func(t *testing.T, y *yard, index release.Digest, docs map[release.Digest]map[string][]byte, put attach)
		want string
	}{
		{name: "zero bundles", want: "nothing is attached",
			with: func(*testing.T, *yard, release.Digest, map[release.Digest]map[string][]byte, attach) {}},
		{name: "a signed SBOM and no signature", want: "signature index",
			with: func(_ *testing.T, _ *yard, _ release.Digest, docs map[release.Digest]map[string][]byte, put attach) {
				for d, by := range docs {
					put(d, by[bom])
					put(d, by[prov])
				}
			}},
		{name: "a signature and no provenance on one platform", want: "provenance linux/arm64",
			with: func(_ *testing.T, y *yard, _ release.Digest, docs map[release.Digest]map[string][]byte, put attach) {
				for d, by := range docs {
					put(d, by[sig])
					put(d, by[bom])
					if d != y.release.Artifact.Platforms[1].Digest {
						put(d, by[prov])
					}
				}
			}},
		{name: "a flipped byte in the predicate of the SBOM", want: "signed by none of the trusted keys",
			with: func(t *testing.T, _ *yard, _ release.Digest, docs map[release.Digest]map[string][]byte, put attach) {
				for d, by := range docs {
					put(d, by[sig])
					put(d, by[prov])
					put(d, flip(t, by[bom], "stdlib", "stdlob"))
				}
			}},
		{name: "a flipped byte in the provenance", want: "signed by none of the trusted keys",
			with: func(t *testing.T, _ *yard, _ release.Digest, docs map[release.Digest]map[string][]byte, put attach) {
				for d, by := range docs {
					put(d, by[sig])
					put(d, by[bom])
					put(d, flip(t, by[prov], "forge.example", "forgf.example"))
				}
			}},
		{name: "a bundle that is cut off", want: "not a sigstore bundle",
			with: func(_ *testing.T, _ *yard, _ release.Digest, docs map[release.Digest]map[string][]byte, put attach) {
				for d, by := range docs {
					put(d, by[sig][:len(by[sig])-2])
					put(d, by[bom])
					put(d, by[prov])
				}
			}},
		{name: "signatures swapped between two platforms", want: "signature linux/arm64",
			with: func(_ *testing.T, y *yard, index release.Digest, docs map[release.Digest]map[string][]byte, put attach) {
				p := y.release.Artifact.Platforms
				put(p[0].Digest, docs[p[1].Digest][sig])
				put(p[1].Digest, docs[p[0].Digest][sig])
				put(index, docs[index][sig])
				for d, by := range docs {
					put(d, by[bom])
					put(d, by[prov])
				}
			}},
		{name: "the SBOM of the other platform", want: "sbom linux/amd64",
			with: func(_ *testing.T, y *yard, _ release.Digest, docs map[release.Digest]map[string][]byte, put attach) {
				p := y.release.Artifact.Platforms
				for d, by := range docs {
					put(d, by[sig])
					put(d, by[prov])
					put(d, docs[p[1].Digest][bom])
				}
			}},
		{name: "the right content under the wrong predicate type", want: "signed by none of the trusted keys",
			with: func(t *testing.T, _ *yard, _ release.Digest, docs map[release.Digest]map[string][]byte, put attach) {
				for d, by := range docs {
					put(d, by[bom])
					put(d, by[prov])
					put(d, flip(t, by[bom], bom, sig))
				}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t, true)
			a := y.sign(t)
			docs := map[release.Digest]map[string][]byte{}
			for _, d := range all(a) {
				docs[d] = y.bundles(t, d)
			}
			if r := y.report(t); !r.OK() { // what it knows by now excuses nothing
				t.Fatalf("before: %q", r.Refusals())
			}
			y.server.Detach(t, a.Repository, all(a)...)
			c.with(t, y, a.Digest, docs, func(d release.Digest, content []byte) { y.attach(t, a, d, content) })
			r, err := y.verify.Verify(t.Context(), a.Reference(), signing.ExpectOf(y.release, builderID))
			if err != nil || r.OK() || !strings.Contains(strings.Join(r.Refusals(), "\n"), c.want) {
				t.Errorf("err %v, OK %v, refusals:\n%s\nwant %q", err, r.OK(), strings.Join(r.Refusals(), "\n"), c.want)
			}
		})
	}
}

func TestVerifyExpectations(t *testing.T) {
	y := newYard(t, true)
	y.sign(t)
	base := signing.ExpectOf(y.release, builderID)
	for _, c := range []struct {
		name string
		with func(*signing.Expect)
		want string
	}{
		{name: "another builder", with: func(e *signing.Expect) { e.Builder = "https://elsewhere.example" }, want: "built by"},
		{name: "another source repo", with: func(e *signing.Expect) { e.Source = "http://forge.example/shop/other.git" }, want: "built from"},
		{name: "another commit", with: func(e *signing.Expect) { e.Commit = release.Commit(strings.Repeat("0", 40)) }, want: "commit"},
		{name: "another service", with: func(e *signing.Expect) { e.Service = "shop/other" }, want: "service"},
		{name: "a platform that is missing", with: func(e *signing.Expect) { e.Platforms = append(e.Platforms, "linux/ppc64le") }, want: "linux/ppc64le is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := base
			c.with(&e)
			r, err := y.verify.Verify(t.Context(), y.release.Artifact.Reference(), e)
			if err != nil || r.OK() || !strings.Contains(strings.Join(r.Refusals(), "\n"), c.want) {
				t.Errorf("err %v, refusals %q, want %q", err, r.Refusals(), c.want)
			}
		})
	}
}

func TestAnotherKeyIsRefused(t *testing.T) {
	y := newYard(t, true)
	y.sign(t)
	other := newKey(t)
	v, err := signing.NewVerifier(y.reg, other.Public())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := v.Verify(t.Context(), y.release.Artifact.Reference(), signing.Expect{}); err != nil || r.OK() {
		t.Errorf("signed by another key: %v, %v", err, r.OK())
	}
	both, err := signing.NewVerifier(y.reg, other.Public(), y.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := both.Verify(t.Context(), y.release.Artifact.Reference(), signing.Expect{}); err != nil || !r.OK() {
		t.Errorf("any of the trusted keys will do: %v, %q", err, r.Refusals())
	}
}

func TestTheSameDigestInAnotherRepositoryIsRefused(t *testing.T) {
	y := newYard(t, true)
	a := y.sign(t)
	copied := y.server.Copy(t, a, "shop/other")
	for _, d := range all(a) {
		for _, b := range y.bundles(t, d) {
			y.attach(t, copied, d, b)
		}
	}
	r, err := y.verify.Verify(t.Context(), copied.Reference(), signing.ExpectOf(y.release, builderID))
	if err != nil || r.OK() || !strings.Contains(strings.Join(r.Refusals(), "\n"), "signed for repository") {
		t.Errorf("%v %q", err, r.Refusals())
	}
}

func TestGarbageBesideGoodBundlesHarmsNothing(t *testing.T) {
	y := newYard(t, false)
	a := y.sign(t)
	y.attach(t, a, a.Digest, []byte(`{"not":"a bundle"}`))
	y.attach(t, a, a.Digest, y.bundles(t, a.Platforms[0].Digest)[signing.PredicateSignature])
	if r := y.report(t); !r.OK() {
		t.Errorf("refusals %q", r.Refusals())
	}
}

func TestSilenceIsNoRefusal(t *testing.T) {
	y := newYard(t, true)
	y.sign(t)
	for _, part := range []string{"/referrers/", "/blobs/", "/manifests/"} {
		for _, status := range []int{http.StatusInternalServerError, http.StatusUnauthorized} {
			y.server.Fail(func(r *http.Request) int {
				if strings.Contains(r.URL.Path, part) {
					return status
				}
				return 0
			})
			if r, err := y.verify.Verify(t.Context(), y.release.Artifact.Reference(), signing.Expect{}); err == nil {
				t.Errorf("%d for %s: could not ask is an error, got a report with OK %v", status, part, r.OK())
			}
		}
	}
	y.server.Fail(nil)
	r, err := y.verify.Verify(t.Context(), y.release.Artifact.Repository+":none", signing.Expect{})
	if err != nil || r.OK() {
		t.Errorf("an image that is not there is a refusal: %v, OK %v", err, r.OK())
	}
}
