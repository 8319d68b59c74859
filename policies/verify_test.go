package policies_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

// report is what a well-made image of two platforms carries.
func report() policies.ImageReport {
	r := policies.ImageReport{Repository: artifact().Repository, Digest: "sha256:" + hexA, Platforms: platforms()}
	for _, p := range append(platforms(), release.Platform{Digest: r.Digest}) {
		for _, t := range []string{policies.PredicateProvenance, policies.PredicateSBOM, policies.PredicateSignature} {
			r.Attached = append(r.Attached, policies.Attested{PredicateType: t, Subject: p.Digest, Key: "k1"})
		}
	}
	return r
}

func drop(predicate string) func(*policies.ImageReport) {
	return func(r *policies.ImageReport) {
		r.Attached = slices.DeleteFunc(r.Attached, func(a policies.Attested) bool { return a.PredicateType == predicate })
	}
}

func edit(predicate string, change func(*policies.Attested)) func(*policies.ImageReport) {
	return func(r *policies.ImageReport) {
		for i := range r.Attached {
			if r.Attached[i].PredicateType == predicate {
				change(&r.Attached[i])
			}
		}
	}
}

func TestSignedImages(t *testing.T) {
	const other = release.Digest("sha256:" + hexB)
	for _, c := range []struct {
		name   string
		change func(*policies.ImageReport)
		config policies.Config
		says   string // empty: it passes
	}{
		{name: "an image with signature, SBOMs and provenance passes"},
		{name: "an SBOM type with a version passes", change: edit(policies.PredicateSBOM, func(a *policies.Attested) { a.PredicateType += "/v1.6" })},
		{name: "an index without an SBOM of its own passes", change: func(r *policies.ImageReport) {
			r.Attached = slices.DeleteFunc(r.Attached, func(a policies.Attested) bool {
				return a.PredicateType == policies.PredicateSBOM && a.Subject == r.Digest
			})
		}},
		{name: "an empty report is refused", change: func(r *policies.ImageReport) { *r = policies.ImageReport{} }, says: "the index is not signed"},
		{name: "an image without a signature is refused", change: drop(policies.PredicateSignature), says: "the index is not signed"},
		{name: "an image without an SBOM is refused", change: drop(policies.PredicateSBOM), says: "linux/amd64 has no signed SBOM"},
		{name: "an SBOM missing for one platform is refused", change: func(r *policies.ImageReport) { r.Attached = slices.Delete(r.Attached, 4, 5) }, says: "linux/arm64 has no signed SBOM"},
		{name: "one SBOM of the index does not speak for two platforms", change: edit(policies.PredicateSBOM, func(a *policies.Attested) { a.Subject = "sha256:" + hexA }), says: "linux/arm64 has no signed SBOM"},
		{name: "an image without provenance is refused", change: drop(policies.PredicateProvenance), says: "the index has no signed provenance"},
		{name: "provenance of another version of the format is refused", change: edit(policies.PredicateProvenance, func(a *policies.Attested) { a.PredicateType = "https://slsa.dev/provenance/v0.2" }), says: "the index has no signed provenance"},
		{name: "an unsigned platform is refused", change: func(r *policies.ImageReport) { r.Attached = slices.Delete(r.Attached, 2, 3) }, says: "linux/amd64 is not signed"},
		{name: "a signature by an unknown key is refused", config: policies.Config{Keys: []string{"k2"}}, says: `key "k1", which is not trusted`},
		{name: "a signature without a key is refused", change: edit(policies.PredicateSignature, func(a *policies.Attested) { a.Key = "" }), says: "the index is not signed"},
		{name: "a signature for another image is refused", change: edit(policies.PredicateSignature, func(a *policies.Attested) { a.Subject = other }), says: "which is not this image"},
		{name: "an SBOM for another image is refused", change: edit(policies.PredicateSBOM, func(a *policies.Attested) { a.Subject = other }), says: "the SBOM is about"},
		{name: "a report about another image is refused", change: func(r *policies.ImageReport) { r.Digest = other }, says: "what was verified is"},
		{name: "a report about this digest in another repository is refused", change: func(r *policies.ImageReport) { r.Repository = "registry.example/shop/other" }, says: `what was verified is "registry.example/shop/other@sha256:`},
		{name: "what verification found wrong is refused", change: func(r *policies.ImageReport) { r.Problems = []string{"a bundle does not parse"} }, says: "a bundle does not parse"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			gate := newGate(t, c.config, func(_ context.Context, ref string, want policies.Expect) (policies.ImageReport, error) {
				asked++
				if ref != imageA || want.Commit != commit || want.Source != repo || want.Service != "shop/web" || len(want.Platforms) != 2 {
					t.Errorf("asked about %s, %+v", ref, want)
				}
				r := report()
				if c.change != nil {
					c.change(&r)
				}
				return r, nil
			})
			in := input(manifests(t, workload("web@sha256", "web:some-tag@sha256"))...)
			in.Release.Artifact = artifact()
			in.Environment.Spec.Policies = []string{policies.SignedImages}
			v := check(t, gate, in)
			if c.says == "" {
				expect(t, v, release.Passed, nil, "")
			} else {
				expect(t, v, release.Refused, []string{"Deployment shop/web container app", c.says}, "seatrial verify")
			}
			if asked != 1 {
				t.Errorf("asked %d times about one image", asked)
			}
			if e := evidenceOf(t, v, policies.SignedImages); e.Gate != "signature" || c.says == "" && e.Facts["keys"] != "k1" {
				t.Errorf("evidence %+v", e)
			}
		})
	}
}

func artifact() *release.Artifact {
	repository, digest, _ := strings.Cut(imageA, "@")
	return &release.Artifact{Repository: repository, Digest: release.Digest(digest), Platforms: platforms()}
}

func TestArtifact(t *testing.T) {
	good := func(context.Context, string, policies.Expect) (policies.ImageReport, error) { return report(), nil }
	none := func(context.Context, string, policies.Expect) (policies.ImageReport, error) {
		return policies.ImageReport{Repository: artifact().Repository, Digest: "sha256:" + hexA}, nil
	}
	for _, c := range []struct {
		name      string
		verify    policies.VerifyImage
		change    func(*policies.Input)
		manifests string
		outcome   release.Outcome
		says      string
		detail    string
	}{
		{name: "a signed artifact passes", verify: good, manifests: workload(), outcome: release.Passed},
		{name: "an unsigned artifact is refused though no policy asks", verify: none, manifests: workload(), outcome: release.Refused, says: "the index is not signed (artifact-verified)"},
		{name: "without verification every artifact is refused", manifests: workload(), outcome: release.Refused, says: "no image verification is configured"},
		{name: "an artifact without a digest is refused", verify: good, manifests: workload(), outcome: release.Refused, says: "not a repository with a digest",
			change: func(in *policies.Input) { in.Release.Artifact.Digest = "" }},
		{name: "manifests without the artifact leave a warning", verify: good, manifests: workload(imageA, imageB), outcome: release.Passed, detail: "do not use the image that this release built"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := input(manifests(t, c.manifests)...)
			in.Release.Artifact = artifact()
			if c.change != nil {
				c.change(&in)
			}
			v := check(t, newGate(t, policies.Config{}, c.verify), in)
			expect(t, v, c.outcome, []string{c.says}, "")
			if e := evidenceOf(t, v, "artifact-verified"); !strings.Contains(e.Detail, c.detail) {
				t.Errorf("detail %q", e.Detail)
			}
		})
	}
}

// An unsigned image that a person pushed to a desired-state branch has no artifact to
// compare with, and is refused all the same.
func TestUnsignedImageByHand(t *testing.T) {
	gate := newGate(t, policies.Config{}, func(_ context.Context, _ string, want policies.Expect) (policies.ImageReport, error) {
		if want.Commit != "" {
			t.Errorf("a commit was expected of a foreign image: %+v", want)
		}
		return policies.ImageReport{Repository: want.Repository, Digest: want.Digest}, nil
	})
	in := input(manifests(t, workload(imageA, imageB))...)
	in.Release.Origin, in.Environment.Spec.Policies = release.FromDesiredState, []string{policies.SignedImages}
	expect(t, check(t, gate, in), release.Refused, []string{"Deployment shop/web container app: " + imageB + ": the index is not signed"}, "seatrial verify")
}
