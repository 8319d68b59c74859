package signing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

// SBOM makes the CycloneDX 1.6 document of one platform of an artifact, or of its index
// when the platform has no name. The document's main component has the digest as version.
type SBOM func(ctx context.Context, a release.Artifact, p release.Platform) ([]byte, error)

// Provenance makes the SLSA v1 predicate of the build that gave a release its artifact;
// fs.ErrNotExist when nothing is known about it.
type Provenance func(ctx context.Context, r release.Release) ([]byte, error)

// Config says what a Signer works with.
type Config struct {
	Keys       *Ring
	Registry   *oci.Registry
	Builder    string // the builder's id that provenances carry
	Compat     Compat // default Bundle
	SBOM       SBOM
	Provenance Provenance
	Now        func() time.Time // default time.Now
}

// Signer attaches and signs.
type Signer struct {
	keys       *Ring
	registry   *oci.Registry
	verifier   *Verifier
	sbom       SBOM
	provenance Provenance
	builder    string
	compat     Compat
	now        func() time.Time
	slots      chan struct{} // one release at a time holds an SBOM in memory
}

// NewSigner makes a Signer.
func NewSigner(c Config) (*Signer, error) {
	if c.Compat == "" {
		c.Compat = Bundle
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := c.Compat.Validate(); err != nil {
		return nil, err
	}
	v, err := NewVerifier(c.Registry, c.Keys.Public()...)
	if err != nil {
		return nil, err
	}
	v.now = c.Now
	return &Signer{
		keys: c.Keys, registry: c.Registry, verifier: v, sbom: c.SBOM, provenance: c.Provenance, builder: c.Builder,
		compat: c.Compat, now: c.Now, slots: make(chan struct{}, 1),
	}, nil
}

// ExpectOf is what the artifact of a release has to be.
func ExpectOf(r release.Release, builder string) Expect {
	e := Expect{Builder: builder, Source: r.Repo, Commit: r.Commit, Service: r.Service}
	if r.Artifact != nil {
		for _, p := range r.Artifact.Platforms {
			e.Platforms = append(e.Platforms, p.Name)
		}
	}
	return e
}

// Sign is the action of the phase Signing. What is already attached and verifies stays;
// only what is missing is made, the signatures last. It passes when a full verification
// afterwards does.
func (s *Signer) Sign(ctx context.Context, _ string, r release.Release) (release.Facts, release.Verdict, error) {
	if r.Origin == release.FromPull || r.Pull != nil { // the journey never comes here with one
		return release.Facts{}, release.Refuse("what is built for a pull request is never signed", "merge it"), nil
	}
	if r.Artifact == nil {
		return release.Facts{}, release.Refuse("there is no artifact to sign", "run: seatrial release retry "+string(r.ID)), nil
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	default:
		return release.Facts{}, release.Wait("another artifact is being signed", 500*time.Millisecond), nil
	}
	a := *r.Artifact
	img, err := s.registry.Open(ctx, oci.Ref{Repository: a.Repository, Digest: a.Digest})
	if errors.Is(err, oci.ErrNotFound) {
		return release.Facts{}, release.Refuse(fmt.Sprintf("the registry has lost %s", a.Reference()), "build it again: seatrial release retry "+string(r.ID)), nil
	}
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	if problem := samePlatforms(img, a); problem != "" {
		return release.Facts{}, release.Refuse(problem, "somebody else may write to this registry; find out before building again"), nil
	}
	if v, err := s.attachAll(ctx, r, img); err != nil || v.Outcome() != release.NoOutcome {
		return release.Facts{}, v, err
	}
	report, err := s.verifier.Verify(ctx, a.Reference(), ExpectOf(r, s.builder))
	if err != nil {
		return release.Facts{}, release.Verdict{}, err
	}
	if !report.OK() {
		return release.Facts{}, release.Refuse("signed, but it does not verify: "+strings.Join(report.Refusals(), "; "), "").With(report.Evidence()...), nil
	}
	a.Signed = report.attached()
	return release.Facts{Artifact: &a}, release.Pass(report.Evidence()...), nil
}

// samePlatforms compares what was built with what the registry holds now.
func samePlatforms(img oci.Image, a release.Artifact) string {
	for _, p := range img.Platforms {
		if !slices.Contains(a.Platforms, release.Platform{Name: p.Name, Digest: p.Digest}) {
			return fmt.Sprintf("%s holds %s %s, which was not built", a.Reference(), p.Name, p.Digest)
		}
	}
	if len(img.Platforms) != len(a.Platforms) {
		return fmt.Sprintf("%s holds %d platforms, %d were built", a.Reference(), len(img.Platforms), len(a.Platforms))
	}
	return ""
}

// work is the signing of one artifact.
type work struct {
	release  release.Release
	key      *Key
	subjects []subject
	digests  []release.Digest
	have     map[release.Digest][]finding
}

// attachAll goes through the kinds of documents in order, and for each through the
// platforms and then the index. The zero verdict means that all is attached.
func (s *Signer) attachAll(ctx context.Context, r release.Release, img oci.Image) (release.Verdict, error) {
	w := work{release: r, subjects: subjects(img), have: map[release.Digest][]finding{}}
	var err error
	if w.key, err = s.keys.signing(s.now()); err != nil {
		return release.Verdict{}, err
	}
	want := ExpectOf(r, s.builder)
	want.legacy = s.compat != Bundle
	all, err := s.verifier.all(ctx, r.Artifact.Repository, w.subjects, want)
	if err != nil {
		return release.Verdict{}, err
	}
	for i, sub := range w.subjects {
		found := all[i]
		if i := slices.IndexFunc(found, func(f finding) bool { return f.bundle == "" && (!f.legacy || want.legacy) }); i >= 0 {
			return release.Refuse(found[i].last().Detail, "remove what is at that place in the registry, then run: seatrial release retry "+string(r.ID)), nil
		}
		w.have[sub.manifest.Digest] = found
		w.digests = append(w.digests, sub.manifest.Digest)
	}
	for _, predicateType := range required() {
		err := s.attachEach(ctx, w, predicateType)
		if errors.Is(err, fs.ErrNotExist) {
			return release.Refuse("how this artifact was built is no longer known", "build it again: seatrial release retry "+string(r.ID)), nil
		}
		if err != nil {
			return release.Verdict{}, err
		}
	}
	return release.Verdict{}, nil
}

// attachEach attaches one kind of document to every digest that lacks it. Documents are
// made one after the other, and the registry is waited for together.
func (s *Signer) attachEach(ctx context.Context, w work, predicateType string) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(subjectsAtOnce)
	for _, sub := range w.subjects {
		d := sub.manifest.Digest
		has := func(legacy bool) bool {
			return slices.ContainsFunc(w.have[d], func(f finding) bool { return f.predicate == predicateType && f.legacy == legacy && f.good() })
		}
		sign := predicateType == PredicateSignature
		if sign && s.compat != Bundle && !has(true) {
			g.Go(func() error { return s.signLegacy(gctx, w.key, w.release.Artifact.Repository, d) })
		}
		if sign && s.compat == Legacy || has(false) {
			continue
		}
		payload, err := s.payload(ctx, w, predicateType, sub)
		if err != nil {
			g.Go(func() error { return err })
			break
		}
		g.Go(func() error {
			return s.attach(gctx, w.key, w.release.Artifact.Repository, predicateType, sub.manifest, payload)
		})
	}
	return g.Wait()
}

// payload makes one statement. The provenance is one statement about all digests, the
// others are about one digest each.
func (s *Signer) payload(ctx context.Context, w work, predicateType string, sub subject) ([]byte, error) {
	a, d := w.release.Artifact, sub.manifest.Digest
	switch predicateType {
	case PredicateProvenance:
		predicate, err := s.provenance(ctx, w.release)
		if err != nil {
			return nil, fmt.Errorf("provenance of %s: %w", w.release.ID, err)
		}
		return encodeStatement(a.Repository, predicateType, predicate, s.now(), w.digests...)
	case PredicateSBOM:
		p := release.Platform{Name: sub.platform, Digest: d}
		if d == a.Digest && len(w.digests) > 1 {
			p.Name = ""
		}
		bom, err := s.sbom(ctx, *a, p)
		if err != nil {
			return nil, fmt.Errorf("SBOM of %s@%s: %w", a.Repository, d, err)
		}
		return encodeStatement(a.Repository, predicateType, bom, s.now(), d)
	}
	return encodeStatement(a.Repository, predicateType, []byte("{}"), s.now(), d)
}

func (s *Signer) attach(ctx context.Context, k *Key, repository, predicateType string, to oci.Manifest, payload []byte) error {
	content, err := k.seal(ctx, payload)
	if err != nil {
		return err
	}
	if len(content) > maxBundle {
		return fmt.Errorf("attach %s to %s: %d bytes, at most %d are accepted", predicateType, to.Digest, len(content), maxBundle)
	}
	_, err = s.registry.Attach(ctx, repository, oci.Attachment{
		Subject: to, Type: bundleType, Content: content,
		Annotations: map[string]string{
			oci.Created:                         s.now().UTC().Format(time.RFC3339),
			"dev.sigstore.bundle.content":       "dsse-envelope",
			"dev.sigstore.bundle.predicateType": predicateType,
		},
	})
	return err
}
