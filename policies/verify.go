package policies

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// The predicate types that an image has to carry.
const (
	PredicateSignature  = "https://sigstore.dev/cosign/sign/v1"
	PredicateSBOM       = "https://cyclonedx.org/bom" // also with a version behind it
	PredicateProvenance = "https://slsa.dev/provenance/v1"
)

// VerifyImage checks the signatures of everything attached to ref ("repository@digest")
// with the platform's keys and reports what it found; signatures by other keys are left
// out of the report or named in Problems. An error means that it could not ask, for
// example that the registry did not answer; an image without signatures is a report.
type VerifyImage func(ctx context.Context, ref string, expect Expect) (ImageReport, error)

// Expect is what the content of an image's statements has to say; verification holds
// them to it. Empty fields demand nothing.
type Expect struct {
	Repository string
	Digest     release.Digest
	Platforms  []release.Platform // of the release's own artifact
	Service    release.Service
	Source     string // the repo that the provenance names
	Commit     release.Commit
}

// ImageReport is what is attached to an image with good signatures and good content.
type ImageReport struct {
	Repository string         // that was looked at
	Digest     release.Digest // of the index that was looked at
	Platforms  []release.Platform
	Attached   []Attested
	Problems   []string // what is missing or did not verify, in words; each refuses
}

// Attested is one statement whose signature and content verified.
type Attested struct {
	PredicateType string
	Subject       release.Digest // the index or one of its platforms
	Key           string         // id of the key that signed it
}

// verifier asks about each image once per Check.
type verifier struct {
	gate *Gate
	in   Input
	seen map[string][]string // by reference: what is wrong with it
	keys map[string]bool     // that signed something good
}

// wrong lists what is wrong with an image; nothing means that it may run.
func (v *verifier) wrong(ctx context.Context, repository string, digest release.Digest) ([]string, error) {
	ref := repository + "@" + string(digest)
	if found, ok := v.seen[ref]; ok {
		return found, nil
	}
	if v.gate.verify == nil {
		return []string{"no image verification is configured"}, nil
	}
	want := Expect{Repository: repository, Digest: digest}
	if a := v.in.Release.Artifact; a != nil && a.Digest == digest && a.Repository == repository {
		want.Platforms, want.Service = a.Platforms, v.in.Release.Service
		want.Source, want.Commit = v.in.Release.Repo, v.in.Release.Commit
	}
	report, err := v.gate.verify(ctx, ref, want)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", ref, err)
	}
	found := judge(report, want, v.gate.config)
	v.seen[ref] = found
	for _, a := range report.Attached {
		v.keys[a.Key] = true
	}
	return found, nil
}

// judge says what an image lacks. It relies on no problem having been reported: what
// has to be there is looked for by predicate type, subject and key.
func judge(report ImageReport, want Expect, c Config) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, clip(fmt.Sprintf(format, args...), maxText)) }
	for _, p := range report.Problems {
		say("%s", p)
	}
	if len(wrong) > 0 {
		return wrong // what is missing is among them
	}
	if report.Repository != want.Repository || report.Digest != want.Digest {
		say("what was verified is %q, not this image", report.Repository+"@"+string(report.Digest))
	}
	platforms := want.Platforms
	if len(platforms) == 0 {
		platforms = report.Platforms
	}
	subjects := []release.Platform{{Name: "the index", Digest: want.Digest}}
	for _, p := range platforms {
		if p.Digest != want.Digest {
			subjects = append(subjects, p)
		}
	}
	good := map[release.Digest][]Attested{}
	for _, a := range report.Attached {
		switch {
		case a.Key == "" || len(c.Keys) > 0 && !slices.Contains(c.Keys, a.Key):
			say("%s is signed by key %q, which is not trusted", predicateName(a.PredicateType), a.Key)
		case !slices.ContainsFunc(subjects, func(p release.Platform) bool { return p.Digest == a.Subject }):
			say("%s is about %q, which is not this image", predicateName(a.PredicateType), a.Subject)
		default:
			good[a.Subject] = append(good[a.Subject], a)
		}
	}
	for i, s := range subjects {
		has := func(is func(Attested) bool) bool { return slices.ContainsFunc(good[s.Digest], is) }
		if !has(func(a Attested) bool { return a.PredicateType == PredicateSignature }) {
			say("%s is not signed", s.Name)
		}
		if !has(func(a Attested) bool { return a.PredicateType == PredicateProvenance }) {
			say("%s has no signed provenance", s.Name)
		}
		if (i > 0 || len(subjects) == 1) && !has(isSBOM) { // what an index contains is in its platforms
			say("%s has no signed SBOM", s.Name)
		}
	}
	return wrong
}

func isSBOM(a Attested) bool {
	return a.PredicateType == PredicateSBOM || strings.HasPrefix(a.PredicateType, PredicateSBOM+"/")
}

func predicateName(t string) string {
	switch {
	case t == PredicateSignature:
		return "the signature"
	case t == PredicateProvenance:
		return "the provenance"
	case isSBOM(Attested{PredicateType: t}):
		return "the SBOM"
	}
	return fmt.Sprintf("a statement of type %q", t)
}

// checkArtifact holds the release's own image to its signatures, whether or not the
// environment lists signed-images.
func (v *verifier) checkArtifact(ctx context.Context, images []image) (result, error) {
	a := v.in.Release.Artifact
	res := result{policy: ruleArtifact, claim: fmt.Sprintf("%s is signed, has an SBOM and says where it came from", a.Reference()), facts: map[string]string{"image": a.Reference()}}
	add := func(p Problem) { p.Policy = ruleArtifact; res.problems = append(res.problems, p) }
	if _, _, ok := parseRef(a.Reference()); !ok {
		add(Problem{Object: "the artifact", Why: fmt.Sprintf("%q is not a repository with a digest", a.Reference()), Fix: "build it again"})
		return res, nil
	}
	wrong, err := v.wrong(ctx, a.Repository, a.Digest)
	if err != nil {
		return res, err
	}
	for _, why := range wrong {
		add(Problem{Object: "image " + a.Reference(), Why: why, Fix: unsignedFix})
	}
	if len(images) > 0 && !slices.ContainsFunc(images, func(i image) bool {
		repository, digest, _ := parseRef(i.ref)
		return repository == a.Repository && digest == a.Digest
	}) {
		res.warnings = append(res.warnings, Problem{Policy: ruleArtifact, Object: "the manifests", Why: "they do not use the image that this release built",
			Fix: fmt.Sprintf("name the container's image %q", v.in.Release.Service)})
	}
	res.facts["keys"] = strings.Join(keys(v.keys), ", ")
	return res, nil
}

const unsignedFix = "deploy only what this platform has built and signed; seatrial verify IMAGE shows what an image carries"

// checkSigned holds every image of the manifests to the same.
func (v *verifier) checkSigned(ctx context.Context, images []image) (result, error) {
	res := result{policy: SignedImages, claim: "every image is signed, has an SBOM and says where it came from", facts: map[string]string{"images": fmt.Sprint(len(images))}}
	for _, i := range images {
		repository, digest, ok := parseRef(i.ref)
		if !ok {
			res.problems = append(res.problems, Problem{Policy: SignedImages, Object: i.owner.String(), Container: i.container,
				Why: fmt.Sprintf("image %q has no digest that a signature could be for", clip(i.ref, maxText)), Fix: "name the image by its digest, repository@sha256:…"})
			continue
		}
		if i.ref == v.in.Unbuilt {
			continue
		}
		wrong, err := v.wrong(ctx, repository, digest)
		if err != nil {
			return res, err
		}
		for _, why := range wrong {
			res.problems = append(res.problems, Problem{Policy: SignedImages, Object: i.owner.String(), Container: i.container, Why: i.ref + ": " + why, Fix: unsignedFix})
		}
	}
	res.facts["keys"] = strings.Join(keys(v.keys), ", ")
	return res, nil
}
