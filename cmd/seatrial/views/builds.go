package views

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/builder"
	"github.com/seatrial/seatrial/builder/sbom"
	"github.com/seatrial/seatrial/builder/sbom/bill"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/builds"
)

// Builds tells how images were made.
type Builds struct {
	Release func(context.Context, release.ID) (release.Release, error)
	Report  func(context.Context, release.Release) (builder.Report, error)
	Bill    func(context.Context, release.Artifact, release.Platform) ([]byte, error) // the SBOM
}

// Build is how the image of a release was built.
func (v Builds) Build(ctx context.Context, id release.ID) (builds.Build, error) {
	r, err := v.Release(ctx, id)
	if err != nil {
		return builds.Build{}, known(err)
	}
	rep, err := v.Report(ctx, r)
	if errors.Is(err, fs.ErrNotExist) {
		err = as{err, web.ErrNotFound}
	}
	if err != nil {
		return builds.Build{}, err
	}
	out := builds.Build{
		Release: id, ID: rep.Build, RanFor: rep.RanFor, Why: rep.Why, Unchanged: rep.Unchanged, Failed: rep.Failed, Image: rep.Image, Tag: rep.Tag, Committed: rep.Committed, Started: rep.Started, Finished: rep.Finished,
		BuildKit: rep.BuildKit, Plan: rep.Plan, LeftOut: rep.LeftOut, Attached: documents(r), Platforms: append([]release.Platform{}, rep.Platforms...),
		Changed: []builds.Change{}, Inputs: []builds.Input{}, Bases: []builds.Base{}, Steps: make([]builds.Step, 0, len(rep.Steps)),
	}
	for _, c := range rep.Changed {
		out.Changed = append(out.Changed, builds.Change(c))
	}
	for _, i := range rep.Inputs {
		out.Inputs = append(out.Inputs, builds.Input(i))
	}
	for _, b := range rep.Bases {
		out.Bases = append(out.Bases, builds.Base(b))
	}
	for _, s := range rep.Steps {
		out.Steps = append(out.Steps, builds.Step(s))
	}
	return out, nil
}

// documents joins what is attached to an artifact with what the release's own evidence
// says of it: the last verification counts.
func documents(r release.Release) []builds.Document {
	out := []builds.Document{}
	if r.Artifact == nil {
		return out
	}
	platforms := map[release.Digest]string{}
	for _, p := range r.Artifact.Platforms {
		if p.Digest != r.Artifact.Digest {
			platforms[p.Digest] = p.Name
		}
	}
	said := map[string]builds.Document{}
	for _, j := range r.Verdicts {
		for _, e := range j.Verdict.Evidence() {
			if e.Gate == "signature" && e.Facts["bundle"] != "" {
				said[e.Facts["bundle"]+e.Facts["subject"]] = builds.Document{Key: e.Facts["key"], Verified: e.Holds, At: j.At, Detail: e.Detail}
			}
		}
	}
	for _, a := range r.Artifact.Signed {
		d := said[string(a.Digest)+string(a.Subject)]
		d.Subject, d.PredicateType, d.Digest, d.Platform = a.Subject, a.PredicateType, a.Digest, platforms[a.Subject]
		out = append(out, d)
	}
	return out
}

// Components is a page of what is in one platform of a release's image.
func (v Builds) Components(ctx context.Context, id release.ID, f builds.Filter) (builds.Components, error) {
	document, p, err := v.document(ctx, id, f.Platform)
	if err != nil {
		return builds.Components{}, err
	}
	all, err := bill.Read(document)
	if err != nil {
		return builds.Components{}, fmt.Errorf("SBOM of %s for %s: %w", id, p.Name, err)
	}
	found := bill.Find(all, f.Query)
	page, next, err := bill.Page(found, f.After, f.Limit)
	if err != nil {
		return builds.Components{}, as{err, web.ErrInvalid}
	}
	out := builds.Components{Platform: p, Total: len(all), Matches: len(found), Next: next, Items: make([]builds.Component, 0, len(page))}
	for _, c := range page {
		out.Items = append(out.Items, builds.Component{Name: c.Name, Version: c.Version, PURL: c.PURL, Type: c.Type, Licences: append([]string{}, c.Licences...)})
	}
	return out, nil
}

// document is the SBOM of one platform of a release's image.
func (v Builds) document(ctx context.Context, id release.ID, platform string) ([]byte, release.Platform, error) {
	r, err := v.Release(ctx, id)
	if err != nil {
		return nil, release.Platform{}, known(err)
	}
	p, err := platformOf(r, platform)
	if err != nil {
		return nil, p, err
	}
	raw, err := v.Bill(oci.As(ctx, r.Project), *r.Artifact, p)
	return raw, p, err
}

// SBOM is the document of one platform of a release's image; without a version as it is
// signed.
func (v Builds) SBOM(ctx context.Context, id release.ID, platform, version string) ([]byte, error) {
	if version != "" && !slices.Contains(sbom.Versions(), version) {
		err := fmt.Errorf("SBOM of %s: no CycloneDX %q", id, version)
		return nil, as{hint.Add(err, "ask for version="+strings.Join(sbom.Versions(), " or version=")), web.ErrInvalid}
	}
	raw, _, err := v.document(ctx, id, platform)
	if err != nil || version == "" {
		return raw, err
	}
	return sbom.As(raw, version)
}

// platformOf is a platform of a release's image by its name, or the first.
func platformOf(r release.Release, name string) (release.Platform, error) {
	if r.Artifact == nil || len(r.Artifact.Platforms) == 0 {
		return release.Platform{}, as{hint.Add(fmt.Errorf("SBOM of %s: it has no image", r.ID), "it is made when the image is signed"), web.ErrNotFound}
	}
	for _, p := range r.Artifact.Platforms {
		if p.Name == name || name == "" {
			return p, nil
		}
	}
	return release.Platform{}, as{fmt.Errorf("SBOM of %s: its image has no platform %q", r.ID, name), web.ErrNotFound}
}
