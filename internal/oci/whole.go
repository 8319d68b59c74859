package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/release"
)

const maxParts = 2000 // manifests and blobs of one image

// Whole asks whether the registry holds all of an image: the index, every manifest in
// it, and the config and layers of each. Blobs are asked for, not read. ErrNotFound names
// what is gone.
func (r *Registry) Whole(ctx context.Context, ref Ref) (Manifest, error) {
	top, err := r.Get(ctx, ref)
	if err != nil {
		return Manifest{}, err
	}
	children := []Manifest{top}
	if types.MediaType(top.MediaType).IsIndex() {
		if children, err = r.children(ctx, ref, top); err != nil {
			return Manifest{}, err
		}
	}
	blobs := map[release.Digest]bool{}
	for _, m := range children {
		var man v1.Manifest
		if err := json.Unmarshal(m.Raw, &man); err != nil {
			return Manifest{}, fmt.Errorf("read %s: %v: %w", ref.At(m.Digest), err, ErrMalformed)
		}
		for _, d := range append(man.Layers, man.Config) {
			blobs[release.Digest(d.Digest.String())] = true
		}
	}
	if len(blobs) > maxParts {
		return Manifest{}, fmt.Errorf("read %s: %d blobs: %w", ref, len(blobs), ErrTooLarge)
	}
	repo, err := r.repository(ref.Repository)
	if err != nil {
		return Manifest{}, err
	}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for d := range blobs {
		g.Go(func() error { return r.hasBlob(within, repo, d) })
	}
	return top, g.Wait()
}

func (r *Registry) children(ctx context.Context, ref Ref, top Manifest) ([]Manifest, error) {
	parts, err := childrenOf(top)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", ref, err)
	}
	out := make([]Manifest, len(parts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, d := range parts {
		g.Go(func() (err error) {
			out[i], err = r.Get(ctx, ref.At(d))
			return err
		})
	}
	return out, g.Wait()
}

func childrenOf(m Manifest) ([]release.Digest, error) {
	if !types.MediaType(m.MediaType).IsIndex() {
		return nil, nil
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(m.Raw, &index); err != nil {
		return nil, fmt.Errorf("index %s: %v: %w", m.Digest, err, ErrMalformed)
	}
	if len(index.Manifests) > maxParts {
		return nil, fmt.Errorf("index %s: %d manifests: %w", m.Digest, len(index.Manifests), ErrTooLarge)
	}
	out := make([]release.Digest, 0, len(index.Manifests))
	for _, d := range index.Manifests {
		out = append(out, release.Digest(d.Digest.String()))
	}
	return out, nil
}

func (r *Registry) hasBlob(ctx context.Context, repo name.Repository, d release.Digest) error {
	object := repo.Name() + "@" + string(d)
	if !d.Valid() {
		return fmt.Errorf("ask for blob %q: not a sha256 digest: %w", d, ErrMalformed)
	}
	layer, err := r.client(ctx).puller.Layer(ctx, repo.Digest(string(d)))
	if err != nil {
		return r.explain(ctx, "ask for blob", object, err)
	}
	held, err := partial.Exists(layer)
	if err == nil && !held {
		return fmt.Errorf("ask for blob %s: %w", object, ErrNotFound)
	}
	return r.explain(ctx, "ask for blob", object, err)
}

// Tag lets a tag of the repository name a manifest that the repository holds.
func (r *Registry) Tag(ctx context.Context, ref Ref, m Manifest) error {
	n, err := r.named(Ref{Repository: ref.Repository, Tag: ref.Tag})
	if err != nil {
		return err
	}
	put := manifest{raw: m.Raw, digest: m.Digest, mediaType: types.MediaType(m.MediaType)}
	return r.explain(ctx, "tag", n.String(), remote.Put(n, put, append(r.options(ctx), remote.Reuse(r.client(ctx).pusher))...))
}

// TagPlatforms gives every platform of an index a tag of its own beside the index's, as
// for clusters that run one architecture. It names the index's own manifest, so that what
// is attached to that applies.
func (r *Registry) TagPlatforms(ctx context.Context, ref Ref, platforms []release.Platform) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, p := range platforms {
		g.Go(func() error {
			m, err := r.Get(ctx, ref.At(p.Digest))
			if err != nil {
				return err
			}
			return r.Tag(ctx, Ref{Repository: ref.Repository, Tag: PlatformTag(ref.Tag, p.Name)}, m)
		})
	}
	return g.Wait()
}

// PlatformTag is the tag of one platform beside that of its index: "TAG-arm64" for
// linux/arm64, "TAG-arm-v7" for linux/arm/v7, "TAG-windows-amd64" for windows/amd64.
func PlatformTag(tag, platform string) string {
	return tag + "-" + strings.ReplaceAll(strings.TrimPrefix(platform, "linux/"), "/", "-")
}
