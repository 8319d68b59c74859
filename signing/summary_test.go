package signing_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
)

const gateID = "https://seatrial.example/gate"

func gate() signing.Gate {
	asked := release.Digest("sha256:" + strings.Repeat("cd", 32))
	return signing.Gate{ID: gateID, Policies: map[release.Env]release.Digest{"staging": asked, "prod": asked}, Level: "SLSA_BUILD_LEVEL_2"}
}

func (y *yard) summarize(t *testing.T, by signing.Gate) release.Attached {
	t.Helper()
	at, v, err := y.signer.Summarize(t.Context(), y.release, by)
	if err != nil || v.Outcome() != release.Passed {
		t.Fatalf("%v %q %v", v.Outcome(), v.Reason(), err)
	}
	if e := v.Evidence(); len(e) != 1 || !e[0].Holds || e[0].Facts["bundle"] != string(at.Digest) || e[0].Facts["key"] != y.key.Public().ID {
		t.Errorf("evidence %+v of %+v", e, at)
	}
	return at
}

// asked verifies and demands a summary of a gate.
func (y *yard) asked(t *testing.T, id string) signing.Report {
	t.Helper()
	want := signing.ExpectOf(y.release, builderID)
	want.Verifier = id
	r, err := y.verify.Verify(t.Context(), y.release.Artifact.Reference(), want)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheGateVouchesOnce(t *testing.T) {
	for _, api := range []bool{true, false} {
		t.Run(fmt.Sprintf("referrers API %v", api), func(t *testing.T) {
			y := newYard(t, api)
			y.sign(t)
			if r := y.asked(t, gateID); r.OK() || !strings.Contains(r.Refusals()[0], "summary index") {
				t.Errorf("before the gate has passed it: %q", r.Refusals())
			}
			first := y.summarize(t, gate())
			if again := y.summarize(t, gate()); again != first {
				t.Errorf("said again: %+v, then %+v", first, again)
			}
			if r := y.asked(t, gateID); !r.OK() {
				t.Error(r.Refusals())
			}
			if r := y.asked(t, "https://elsewhere.example/gate"); r.OK() || !strings.Contains(r.Refusals()[0], `want "https://elsewhere.example/gate"`) {
				t.Errorf("another gate: %q", r.Refusals())
			}
			changed := gate()
			changed.Policies["prod"] = release.Digest("sha256:" + strings.Repeat("ef", 32))
			if other := y.summarize(t, changed); other.Digest == first.Digest {
				t.Error("other policies are another summary")
			}
			if r := y.report(t); !r.OK() {
				t.Errorf("a summary beside the documents harms nothing: %q", r.Refusals())
			}
		})
	}
}

func TestTheGateVouchesForNothingThatDoesNotVerify(t *testing.T) {
	y := newYard(t, true)
	if _, v, err := y.signer.Summarize(t.Context(), y.release, gate()); err != nil || v.Outcome() != release.Refused || !strings.Contains(v.Reason(), "nothing is attached") {
		t.Errorf("%v %q %v", v.Outcome(), v.Reason(), err)
	}
	if docs := y.bundles(t, y.release.Artifact.Digest); len(docs) != 0 {
		t.Errorf("%d documents attached", len(docs))
	}
}

func TestSummaryRefuses(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"a gate that refused", "PASSED", "FAILED", `the gate's verdict is "FAILED"`},
		{"another image", "shop%2Fweb", "shop%2Fapi", "the summary is about"},
		{"no attestations to rest on", `"inputAttestations":[`, `"x":[`, "what it rests on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := newYard(t, true)
			y.sign(t)
			y.summarize(t, gate())
			y.rehang(t, func(d release.Digest, predicate string, content []byte) []byte {
				if predicate != signing.PredicateSummary {
					return content
				}
				said := predicateOf(t, content)
				if !strings.Contains(said, c.from) {
					t.Fatalf("%s has no %q", said, c.from)
				}
				return y.seal(t, predicate, strings.Replace(said, c.from, c.to, 1), here(y, d)...)
			})
			if r := y.asked(t, gateID); r.OK() || len(r.Refusals()) != 1 || !strings.Contains(r.Refusals()[0], c.want) {
				t.Errorf("refusals %q, want %q", r.Refusals(), c.want)
			}
		})
	}
	t.Run("a summary is no signature", func(t *testing.T) {
		y := newYard(t, true)
		y.sign(t)
		y.summarize(t, gate())
		y.rehang(t, func(_ release.Digest, predicate string, content []byte) []byte {
			if predicate == sig {
				return nil
			}
			return content
		})
		if r := y.asked(t, gateID); r.OK() || !strings.HasPrefix(r.Refusals()[0], "signature") {
			t.Errorf("refusals %q", r.Refusals())
		}
	})
}
