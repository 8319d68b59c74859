package oci

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// What an image says of what it was built on, as the OCI specification names it.
const (
	baseName   = "org.opencontainers.image.base.name"
	baseDigest = "org.opencontainers.image.base.digest"
)

// maxRebased bounds the platforms of an image that is rebased.
const maxRebased = 32

// Rebased says what a Rebase did.
type Rebased struct {
	Base     string         `json:"base"` // the name it was looked up by
	From     release.Digest `json:"from"`
	To       release.Digest `json:"to"` // the same as From: there is nothing newer, and nothing was pushed
	Digest   release.Digest `json:"digest"`
	Platform []string       `json:"platforms"`
}

// Rebase puts the layers of an image on what its base's name stands for now, platform by
// platform, and pushes the result under tag. The image's own layers are neither rebuilt
// nor fetched. The result is another image: nothing that is attached to the old one counts
// for it.
func (r *Registry) Rebase(ctx context.Context, image Ref, tag string) (Rebased, error) {
	ref, err := r.named(image)
	if err != nil {
		return Rebased{}, err
	}
	index, err := remote.Index(ref, r.reading(ctx)...)
	if err != nil {
		return Rebased{}, r.explain(ctx, "read", image.String(), err)
	}
	list, err := index.IndexManifest()
	if err != nil {
		return Rebased{}, r.explain(ctx, "read", image.String(), err)
	}
	if len(list.Manifests) > maxRebased {
		return Rebased{}, fmt.Errorf("rebase %s: over %d entries: %w", image, maxRebased, ErrTooLarge)
	}
	done, out := Rebased{}, mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, d := range list.Manifests {
		if d.Platform == nil || d.Platform.OS == "unknown" {
			continue
		}
		img, err := index.Image(d.Digest)
		if err != nil {
			return Rebased{}, r.explain(ctx, "read", image.String(), err)
		}
		if img, err = r.rebase(ctx, img, *d.Platform, &done); err != nil {
			return Rebased{}, fmt.Errorf("rebase %s for %s: %w", image, d.Platform, err)
		}
		out = mutate.AppendManifests(out, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: d.Platform}})
		done.Platform = append(done.Platform, d.Platform.String())
	}
	if done.From == done.To {
		return done, nil
	}
	sum, err := out.Digest()
	if err != nil {
		return Rebased{}, fmt.Errorf("rebase %s: %w", image, err)
	}
	done.Digest = release.Digest(sum.String())
	err = remote.WriteIndex(ref.Context().Tag(tag), out, r.options(ctx)...)
	return done, r.explain(ctx, "push", image.Repository+":"+tag, err)
}

// rebase is one platform: the newer base, then the layers above the older one.
func (r *Registry) rebase(ctx context.Context, img v1.Image, p v1.Platform, done *Rebased) (v1.Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, r.explain(ctx, "read", "its config", err)
	}
	named, from := config.Config.Labels[baseName], config.Config.Labels[baseDigest]
	if named == "" || from == "" {
		return nil, hint.Add(fmt.Errorf("it has no label %s", baseName), "only images that a planned build put on a base can be rebased: build it again")
	}
	base, err := ParseRef(named)
	if err != nil {
		return nil, err
	}
	older, err := r.onPlatform(ctx, base.At(release.Digest(from)), p)
	if err != nil {
		return nil, err
	}
	to, err := r.Resolve(ctx, base)
	if err != nil {
		return nil, err
	}
	newer, err := r.onPlatform(ctx, base.At(to), p)
	if err != nil {
		return nil, err
	}
	done.Base, done.From, done.To = named, release.Digest(from), to
	own, err := r.above(ctx, img, older)
	if err != nil {
		return nil, err
	}
	out, err := mutate.AppendLayers(mutate.MediaType(newer, types.OCIManifestSchema1), own...)
	if err != nil {
		return nil, err
	}
	stacked, err := out.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.RootFS, config.History = stacked.RootFS, stacked.History
	config.Config.Labels[baseDigest] = string(to)
	return mutate.ConfigFile(mutate.ConfigMediaType(out, types.OCIConfigJSON), config)
}

// above are the layers that an image has over its base, which it has to begin with.
func (r *Registry) above(ctx context.Context, img, base v1.Image) ([]v1.Layer, error) {
	layers, err := img.Layers()
	if err != nil {
		return nil, r.explain(ctx, "read", "its layers", err)
	}
	below, err := base.Layers()
	if err != nil {
		return nil, r.explain(ctx, "read", "the layers of its base", err)
	}
	for i, l := range below {
		want, err := l.Digest()
		if err != nil {
			return nil, err
		}
		if i >= len(layers) {
			return nil, fmt.Errorf("it has fewer layers than its base: %w", ErrMalformed)
		}
		if got, err := layers[i].Digest(); err != nil || got != want {
			return nil, fmt.Errorf("it does not begin with the layers of its base: layer %d is %s, not %s: %w", i+1, got, want, ErrMalformed)
		}
	}
	return layers[len(below):], nil
}

func (r *Registry) onPlatform(ctx context.Context, ref Ref, p v1.Platform) (v1.Image, error) {
	var n name.Reference
	n, err := r.named(ref)
	if err != nil {
		return nil, err
	}
	img, err := remote.Image(n, append(r.reading(ctx), remote.WithPlatform(p))...)
	return img, r.explain(ctx, "read", fmt.Sprintf("%s for %s", ref, p), err)
}
