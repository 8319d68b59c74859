package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seatrial/seatrial/release"
)

// Manifest is one manifest as the registry holds it, checked against its digest.
type Manifest struct {
	MediaType string
	Digest    release.Digest
	Size      int64
	Raw       []byte
}

// Image is an opened image: an index with its platforms, or a single image, which has
// itself as its only platform.
type Image struct {
	Manifest
	Platforms []Platform
}

// Platform is one image of an index.
type Platform struct {
	Name      string // "linux/arm64"
	Digest    release.Digest
	MediaType string
	Size      int64 // of the manifest
}

// Index reports whether the image has several platforms in an index.
func (i Image) Index() bool { return types.MediaType(i.MediaType).IsIndex() }

// Resolve asks for the digest a name has now. ErrNotFound: there is no such image.
func (r *Registry) Resolve(ctx context.Context, ref Ref) (release.Digest, error) {
	n, err := r.named(ref)
	if err != nil {
		return "", err
	}
	d, err := remote.Head(n, r.reading(ctx)...)
	if err != nil {
		return "", r.explain(ctx, "resolve", ref.String(), err)
	}
	got := release.Digest(d.Digest.String())
	if !got.Valid() {
		return "", fmt.Errorf("resolve %s: digest %q is not sha256: %w", ref, got, ErrMalformed)
	}
	return got, nil
}

func (r *Registry) get(ctx context.Context, ref Ref) (Manifest, error) {
	n, err := r.named(ref)
	if err != nil {
		return Manifest{}, err
	}
	d, err := remote.Get(n, r.reading(ctx)...)
	if err != nil {
		return Manifest{}, r.explain(ctx, "read", ref.String(), err)
	}
	return Manifest{MediaType: string(d.MediaType), Digest: release.Digest(d.Digest.String()), Size: d.Size, Raw: d.Manifest}, nil
}

// Open reads an image and its platforms. BuildKit's own attestations (platform
// unknown/unknown) are no platforms.
func (r *Registry) Open(ctx context.Context, ref Ref) (Image, error) {
	m, err := r.Get(ctx, ref)
	if err != nil {
		return Image{}, err
	}
	img := Image{Manifest: m}
	switch mt := types.MediaType(m.MediaType); {
	case mt.IsIndex():
		img.Platforms, err = platforms(m.Raw)
	case mt.IsImage():
		img.Platforms, err = r.single(ctx, ref, m)
	default:
		err = fmt.Errorf("media type %q is no image: %w", m.MediaType, ErrMalformed)
	}
	if err != nil {
		return Image{}, fmt.Errorf("open %s: %w", ref, err)
	}
	return img, nil
}

func platforms(raw []byte) ([]Platform, error) {
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("index: %v: %w", err, ErrMalformed)
	}
	var out []Platform
	for _, d := range index.Manifests {
		p := Platform{Digest: release.Digest(d.Digest.String()), MediaType: string(d.MediaType), Size: d.Size}
		if d.Platform == nil || d.Platform.OS == "unknown" {
			continue
		}
		if !p.Digest.Valid() || !d.MediaType.IsImage() {
			return nil, fmt.Errorf("index: entry %s is no image: %w", d.Digest, ErrMalformed)
		}
		p.Name = d.Platform.String()
		out = append(out, p)
	}
	return out, nil
}

func (r *Registry) single(ctx context.Context, ref Ref, m Manifest) ([]Platform, error) {
	var man v1.Manifest
	if err := json.Unmarshal(m.Raw, &man); err != nil {
		return nil, fmt.Errorf("manifest: %v: %w", err, ErrMalformed)
	}
	raw, err := r.Blob(ctx, ref.Repository, release.Digest(man.Config.Digest.String()), maxManifest)
	if err != nil {
		return nil, err
	}
	var c v1.ConfigFile
	if err := json.Unmarshal(raw, &c); err != nil || c.OS == "" {
		return nil, fmt.Errorf("config %s names no platform: %w", man.Config.Digest, ErrMalformed)
	}
	return []Platform{{Name: c.Platform().String(), Digest: m.Digest, MediaType: m.MediaType, Size: m.Size}}, nil
}

// Blob reads one blob of at most limit bytes and checks its digest.
func (r *Registry) Blob(ctx context.Context, repository string, d release.Digest, limit int64) ([]byte, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("read blob %q: not a sha256 digest: %w", d, ErrMalformed)
	}
	repo, err := r.repository(repository)
	if err != nil {
		return nil, err
	}
	object := repository + "@" + string(d)
	layer, err := r.client(ctx).puller.Layer(ctx, repo.Digest(string(d)))
	if err != nil {
		return nil, r.explain(ctx, "read blob", object, err)
	}
	body, err := layer.Compressed() // checks the digest while reading
	if err != nil {
		return nil, r.explain(ctx, "read blob", object, err)
	}
	defer body.Close()
	out, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, r.explain(ctx, "read blob", object, err)
	}
	if int64(len(out)) > limit {
		return nil, fmt.Errorf("read blob %s: over %d bytes: %w", object, limit, ErrTooLarge)
	}
	return out, nil
}

// Fetch writes one platform's image into dir as an OCI layout, layer by layer, without
// holding a layer in memory.
func (r *Registry) Fetch(ctx context.Context, repository string, d release.Digest, dir string) error {
	n, err := r.named(Ref{Repository: repository, Digest: d})
	if err != nil {
		return err
	}
	img, err := remote.Image(n, r.reading(ctx)...)
	if err != nil {
		return r.explain(ctx, "fetch", n.String(), err)
	}
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("fetch %s: make the layout: %w", n, err)
	}
	if err := p.AppendImage(img); err != nil {
		return r.explain(ctx, "fetch", n.String(), err)
	}
	return nil
}

func (r *Registry) named(ref Ref) (name.Reference, error) {
	repo, err := r.repository(ref.Repository)
	if err != nil {
		return nil, err
	}
	switch {
	case ref.Digest.Valid():
		return repo.Digest(string(ref.Digest)), nil
	case ref.Digest == "" && ref.Tag != "" && !strings.ContainsAny(ref.Tag, ":@/"):
		return repo.Tag(ref.Tag), nil
	}
	return nil, fmt.Errorf("image %s: neither a valid digest nor a tag", ref)
}
