package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/seatrial/seatrial/release"
)

// maxTagged is how many documents an image of documents may have.
const maxTagged = 256

// Document is one layer of an image that consists of documents, as cosign kept
// signatures before registries knew referrers.
type Document struct {
	Type        string
	Digest      release.Digest // of the content
	Annotations map[string]string
}

// Documents lists what an image of documents has, and its own digest. ErrNotFound: there
// is no such image.
func (r *Registry) Documents(ctx context.Context, ref Ref) (release.Digest, []Document, error) {
	m, layers, err := r.layers(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	var out []Document
	for _, l := range layers {
		out = append(out, Document{Type: string(l.MediaType), Digest: release.Digest(l.Digest.String()), Annotations: l.Annotations})
	}
	return m, out, nil
}

func (r *Registry) layers(ctx context.Context, ref Ref) (release.Digest, []v1.Descriptor, error) {
	m, err := r.Get(ctx, ref)
	if err != nil {
		return "", nil, err
	}
	var man v1.Manifest
	if err := json.Unmarshal(m.Raw, &man); err != nil || !types.MediaType(m.MediaType).IsImage() {
		return "", nil, fmt.Errorf("read %s: it is no image: %w", ref, ErrMalformed)
	}
	if len(man.Layers) > maxTagged {
		return "", nil, fmt.Errorf("read %s: %d documents, at most %d are read: %w", ref, len(man.Layers), maxTagged, ErrTooLarge)
	}
	return m.Digest, man.Layers, nil
}

// AddDocument adds a document to the image under a tag, and makes the image when there is
// none. What is there stays, and adding the same again changes nothing.
func (r *Registry) AddDocument(ctx context.Context, ref Ref, mediaType string, content []byte, annotations map[string]string) error {
	repo, err := r.repository(ref.Repository)
	if err != nil {
		return err
	}
	if err := r.upload(ctx, repo, static.NewLayer(content, types.MediaType(mediaType))); err != nil {
		return err
	}
	added := describe(content, types.MediaType(mediaType))
	added.Annotations = annotations
	same := func(l v1.Descriptor) bool { return l.Digest == added.Digest && maps.Equal(l.Annotations, annotations) }
	write := func() error {
		defer r.lock(ref.String())()
		_, layers, err := r.layers(ctx, ref)
		if err != nil && !errors.Is(err, ErrNotFound) || slices.ContainsFunc(layers, same) {
			return err
		}
		m, config, err := documents(append(layers, added))
		if err != nil {
			return fmt.Errorf("add to %s: %w", ref, err)
		}
		if err := r.upload(ctx, repo, static.NewLayer(config, types.OCIConfigJSON)); err != nil {
			return err
		}
		return r.explain(ctx, "add to", ref.String(), remote.Put(repo.Tag(ref.Tag), m, r.options(ctx)...))
	}
	kept := func() (bool, error) {
		_, layers, err := r.layers(ctx, ref)
		return slices.ContainsFunc(layers, same), err
	}
	return r.keep(ctx, ref, write, kept)
}

// documents encodes the manifest and the config of an image that consists of layers.
func documents(layers []v1.Descriptor) (manifest, []byte, error) {
	var c v1.ConfigFile
	c.RootFS.Type = "layers"
	for _, l := range layers {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, l.Digest)
	}
	config, err := json.Marshal(c)
	if err != nil {
		return manifest{}, nil, err
	}
	raw, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: describe(config, types.OCIConfigJSON), Layers: layers})
	if err != nil {
		return manifest{}, nil, err
	}
	return manifest{raw, release.Digest(describe(raw, "").Digest.String()), types.OCIManifestSchema1}, config, nil
}
