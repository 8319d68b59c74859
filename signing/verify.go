package signing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

const (
	subjectsAtOnce = 4
	bundlesAtOnce  = 4
	maxAtOnce      = 2 * maxBundle // bytes of documents in memory at the same time
)

// Verifier checks images with public keys, offline but for the registry itself.
type Verifier struct {
	registry *oci.Registry
	keys     []PublicKey
	room     *semaphore.Weighted // bytes of documents
	now      func() time.Time

	mu     sync.Mutex // guards opened
	opened map[release.Digest]opened
}

// NewVerifier makes a Verifier that accepts signatures by any of keys.
func NewVerifier(registry *oci.Registry, keys ...PublicKey) (*Verifier, error) {
	if len(keys) == 0 {
		return nil, errors.New("verifier: no public key to verify with")
	}
	return &Verifier{registry: registry, keys: keys, room: semaphore.NewWeighted(maxAtOnce), now: time.Now, opened: map[release.Digest]opened{}}, nil
}

// subject is one digest that needs signature, SBOM and provenance.
type subject struct {
	manifest oci.Manifest
	platform string // "index" or "linux/arm64"
	whole    bool   // what the reference names, not one of its platforms
}

// Verify checks the index and every platform of an image for a signature, a CycloneDX
// SBOM and a SLSA provenance by one of the keys, and what they say against want. An
// error means the registry could not be asked; a refusal is in the report.
func (v *Verifier) Verify(ctx context.Context, ref string, want Expect) (Report, error) {
	r, err := oci.ParseRef(ref)
	if err != nil {
		return Report{}, err
	}
	report := Report{Image: ref}
	img, err := v.registry.Open(ctx, r)
	if gone(err) {
		report.Checks = []Check{{Name: "image", Detail: err.Error()}}
		return report, nil
	}
	if err != nil {
		return Report{}, err
	}
	report.Repository, report.Digest = r.Repository, img.Digest
	for _, p := range img.Platforms {
		report.Platforms = append(report.Platforms, release.Platform{Name: p.Name, Digest: p.Digest})
	}
	all := subjects(img)
	held := make(chan error, 1)
	go func() { // waited for below
		c, err := v.platforms(ctx, r.Repository, img, want.Platforms)
		report.Checks = []Check{c}
		held <- err
	}()
	found, err := v.all(ctx, r.Repository, all, want)
	if err := errors.Join(<-held, err); err != nil {
		return Report{}, err
	}
	for i, s := range all {
		report.Checks = append(report.Checks, judge(s, found[i], asked(s, want))...)
	}
	return report, nil
}

// all are the findings of each subject.
func (v *Verifier) all(ctx context.Context, repository string, of []subject, want Expect) ([][]finding, error) {
	out := make([][]finding, len(of))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(subjectsAtOnce)
	for i, s := range of {
		g.Go(func() (err error) {
			out[i], err = v.findings(gctx, repository, s.manifest.Digest, want)
			return err
		})
	}
	return out, g.Wait()
}

// asked are the documents that a subject needs. A summary is about the image as a whole.
func asked(s subject, want Expect) []string {
	if want.Verifier != "" && s.whole {
		return append(required(), PredicateSummary)
	}
	return required()
}

// subjects are the platforms and then the index, which is signed last.
func subjects(img oci.Image) []subject {
	if !img.Index() {
		return []subject{{manifest: img.Manifest, platform: img.Platforms[0].Name, whole: true}}
	}
	var out []subject
	for _, p := range img.Platforms {
		out = append(out, subject{manifest: oci.Manifest{Digest: p.Digest, MediaType: p.MediaType, Size: p.Size}, platform: p.Name})
	}
	return append(out, subject{manifest: img.Manifest, platform: "index", whole: true})
}

// platforms reads each platform's manifest: an index vouches for its children only as
// long as the registry holds them.
func (v *Verifier) platforms(ctx context.Context, repository string, img oci.Image, want []string) (Check, error) {
	var names []string
	c := Check{Name: "platforms", Subject: img.Digest, OK: len(img.Platforms) > 0}
	for _, p := range img.Platforms {
		names = append(names, p.Name)
		if p.Digest == img.Digest {
			continue
		}
		_, err := v.registry.Get(ctx, oci.Ref{Repository: repository, Digest: p.Digest})
		if gone(err) {
			c.OK, c.Detail = false, fmt.Sprintf("%s: %v", p.Name, err)
		} else if err != nil {
			return Check{}, err
		}
	}
	has := strings.Join(names, ", ")
	for _, w := range want {
		if !slices.Contains(names, w) {
			c.OK, c.Detail = false, fmt.Sprintf("%s is missing, the image has %s", w, has)
		}
	}
	switch {
	case len(names) == 0:
		c.Detail = "the index holds no image"
	case c.OK:
		c.Detail = has
	}
	return c, nil
}

// findings opens everything attached to one digest. What cannot be listed as it should
// is a finding, too: the registry answered.
func (v *Verifier) findings(ctx context.Context, repository string, d release.Digest, want Expect) ([]finding, error) {
	list, err := v.registry.Referrers(ctx, repository, d)
	if gone(err) {
		list, err = []oci.Referrer{{Problem: err.Error()}}, nil
	}
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(r oci.Referrer) bool { return r.Problem == "" && (r.Type != bundleType || r.Layers != 1) })
	out := make([]finding, len(list))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(bundlesAtOnce)
	for i, ref := range list {
		g.Go(func() (err error) {
			out[i], err = v.finding(gctx, repository, d, ref, want)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(out, func(f finding) bool { return f.predicate == PredicateSignature && f.good() }) && !want.legacy {
		return out, nil
	}
	old, err := v.legacy(ctx, repository, d)
	return append(out, old...), err
}

func (v *Verifier) finding(ctx context.Context, repository string, d release.Digest, ref oci.Referrer, want Expect) (finding, error) {
	f := finding{bundle: ref.Digest}
	problem := ref.Problem
	if ref.Size < 0 || ref.Size > maxBundle {
		problem = fmt.Sprintf("it says it has %d bytes, at most %d are read", ref.Size, maxBundle)
	}
	if problem != "" {
		f.ask("bundle", problem, "")
		return f, nil
	}
	if err := v.room.Acquire(ctx, ref.Size); err != nil {
		return finding{}, err
	}
	defer v.room.Release(ref.Size)
	raw, err := v.registry.Blob(ctx, repository, ref.Content, ref.Size)
	if gone(err) {
		f.ask("bundle", err.Error(), "")
		return f, nil
	}
	if err != nil {
		return finding{}, err
	}
	v.examine(&f, ref.Content, raw, repository, d, want)
	return f, nil
}

// judge answers, for one subject, whether each document asked for is there and good.
func judge(s subject, found []finding, types []string) []Check {
	var out []Check
	for _, t := range types {
		c := Check{Name: names()[t], Subject: s.manifest.Digest, Platform: s.platform}
		var problems []string
		for _, f := range found {
			switch {
			case c.OK:
			case f.predicate == t && f.good():
				c.OK, c.Bundle, c.Key, c.Signed, c.Answers, c.Detail = true, f.bundle, f.key.ID, f.signed, f.answers, f.said()
				if f.key.Window != (Window{}) {
					c.Window = f.key.Window.String()
				}
			case f.predicate == t || f.predicate == "":
				problems = append(problems, fmt.Sprintf("%s: %s: %s", f.bundle, f.last().Question, f.last().Detail))
				c.Answers = f.answers
			}
		}
		if !c.OK {
			c.Detail = missing(t, len(found), problems)
		}
		if c.Answers == nil {
			c.Answers = []Answer{{Question: "type", Detail: c.Detail}}
		}
		out = append(out, c)
	}
	return out
}

func missing(predicateType string, attached int, problems []string) string {
	if len(problems) > 3 {
		problems = append(problems[:3:3], fmt.Sprintf("and %d more", len(problems)-3))
	}
	switch {
	case len(problems) > 0:
		return strings.Join(problems, "; ")
	case attached == 0:
		return "nothing is attached"
	}
	return fmt.Sprintf("%d attached, none of type %s", attached, predicateType)
}
