package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const (
	atOnce      = 8 // requests of one call
	emptyConfig = "application/vnd.oci.empty.v1+json"
)

// Created is the annotation with the time something was attached.
const Created = "org.opencontainers.image.created"

// Attachment is a document that belongs to a digest.
type Attachment struct {
	Subject     Manifest // what it belongs to; Raw is not needed
	Type        string   // artifact type, and media type of the content
	Content     []byte
	Annotations map[string]string
}

// Referrer is an attached document as its own manifest describes it.
type Referrer struct {
	Digest      release.Digest // of its manifest
	Type        string         // from the opened manifest, never from the list
	Subject     release.Digest
	Content     release.Digest // of its first layer
	Size        int64          // of its first layer
	Layers      int
	Annotations map[string]string
	Problem     string // why it cannot be used; then only its digest is known
}

// Attach stores a as a referrer of its subject and returns the digest of its manifest.
// Attaching the same again changes nothing.
func (r *Registry) Attach(ctx context.Context, repository string, a Attachment) (release.Digest, error) {
	repo, err := r.repository(repository)
	if err != nil {
		return "", err
	}
	object := repository + "@" + string(a.Subject.Digest)
	m, err := artifactManifest(a)
	if err != nil {
		return "", fmt.Errorf("attach to %s: %w", object, err)
	}
	if err := r.upload(ctx, repo, static.NewLayer([]byte("{}"), emptyConfig), static.NewLayer(a.Content, types.MediaType(a.Type))); err != nil {
		return "", err
	}
	put := func() error {
		defer r.lock(object)()
		// Put, not Push: Push sees that the manifest is there and leaves the list alone.
		return r.explain(ctx, "attach to", object, remote.Put(repo.Digest(string(m.digest)), m, r.options(ctx)...))
	}
	kept := func() (bool, error) {
		listed, err := r.listed(ctx, repository, a.Subject.Digest)
		return slices.Contains(listed, m.digest), err
	}
	if err := r.keep(ctx, Ref{Repository: repository, Tag: fallbackTag(a.Subject.Digest)}, put, kept); err != nil {
		return "", fmt.Errorf("attach to %s: %w", object, err)
	}
	return m.digest, nil
}

func (r *Registry) upload(ctx context.Context, repo name.Repository, layers ...v1.Layer) error {
	opts := r.options(ctx)
	for _, l := range layers {
		if err := remote.WriteLayer(repo, l, opts...); err != nil {
			return r.explain(ctx, "upload to", repo.Name(), err)
		}
	}
	return nil
}

// fallbackTag is where a registry without the referrers API keeps the list of them.
func fallbackTag(d release.Digest) string { return "sha256-" + d.Hex() }

// Referrers lists what is attached to a digest, newest first, each entry read from its
// own manifest. Entries that are gone are left out, and so are those beyond the newest
// few: a digest that many commits share collects many.
func (r *Registry) Referrers(ctx context.Context, repository string, subject release.Digest) ([]Referrer, error) {
	listed, err := r.listed(ctx, repository, subject)
	if err != nil {
		return nil, err
	}
	out := make([]Referrer, min(len(listed), r.maxReferrers))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i := range out {
		g.Go(func() error {
			one, err := r.referrer(gctx, repository, listed[i], subject)
			if errors.Is(err, ErrMalformed) || errors.Is(err, ErrTooLarge) {
				one, err = Referrer{Digest: listed[i], Problem: err.Error()}, nil
			}
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			out[i] = one
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out, func(one Referrer) bool { return one.Digest == "" }), nil
}

func (r *Registry) referrer(ctx context.Context, repository string, d, subject release.Digest) (Referrer, error) {
	raw, err := r.Get(ctx, Ref{Repository: repository, Digest: d})
	if err != nil {
		return Referrer{}, err
	}
	var m artifact
	if err := json.Unmarshal(raw.Raw, &m); err != nil {
		return Referrer{}, fmt.Errorf("read %s: %v: %w", d, err, ErrMalformed)
	}
	if m.Subject == nil || len(m.Layers) == 0 {
		return Referrer{}, fmt.Errorf("read %s: no subject or no content: %w", d, ErrMalformed)
	}
	if about := release.Digest(m.Subject.Digest.String()); about != subject {
		return Referrer{}, fmt.Errorf("read %s: its subject is %s: %w", d, about, ErrMalformed)
	}
	out := Referrer{
		Digest: d, Type: m.ArtifactType, Subject: subject, Annotations: m.Annotations,
		Content: release.Digest(m.Layers[0].Digest.String()), Size: m.Layers[0].Size, Layers: len(m.Layers),
	}
	if out.Type == "" {
		out.Type = string(m.Config.MediaType)
	}
	return out, nil
}

// listed is every digest the registry says refers to subject. What else the list says
// about an entry is not trusted.
func (r *Registry) listed(ctx context.Context, repository string, subject release.Digest) ([]release.Digest, error) {
	repo, err := r.repository(repository)
	if err != nil {
		return nil, err
	}
	object := repository + "@" + string(subject)
	if !subject.Valid() {
		return nil, fmt.Errorf("referrers of %s: not a sha256 digest", object)
	}
	index, err := remote.Referrers(repo.Digest(string(subject)), r.reading(ctx)...)
	if err != nil {
		return nil, r.explain(ctx, "list referrers of", object, err)
	}
	raw, err := index.RawManifest()
	if err != nil {
		return nil, r.explain(ctx, "list referrers of", object, err)
	}
	var list struct {
		MediaType types.MediaType  `json:"mediaType"`
		Manifests *[]v1.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("list referrers of %s: %v: %w", object, err, ErrMalformed)
	}
	if list.Manifests == nil || list.MediaType != "" && list.MediaType != types.OCIImageIndex {
		return nil, hint.Add(fmt.Errorf("list referrers of %s: what the registry keeps as the list is no index: %w", object, ErrMalformed),
			"look at the tag "+fallbackTag(subject)+" and remove it")
	}
	return newestFirst(*list.Manifests), nil
}

// newestFirst orders a list by the creation time it claims. That is a hint only: who
// lies about it can push entries out of sight, which refuses an image but passes none.
func newestFirst(list []v1.Descriptor) []release.Digest {
	created := map[release.Digest]string{} // RFC 3339 in UTC sorts as text
	for _, d := range list {
		created[release.Digest(d.Digest.String())] = d.Annotations[Created]
	}
	return slices.SortedFunc(maps.Keys(created), func(a, b release.Digest) int {
		return cmp.Or(cmp.Compare(created[b], created[a]), cmp.Compare(a, b))
	})
}

// artifact is the manifest of an attached document.
type artifact struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        v1.Descriptor     `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Subject       *v1.Descriptor    `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// manifest is an encoded artifact that go-containerregistry can push.
type manifest struct {
	raw       []byte
	digest    release.Digest
	mediaType types.MediaType
}

// RawManifest is the encoded manifest.
func (m manifest) RawManifest() ([]byte, error) { return m.raw, nil }

// MediaType says what the encoded manifest is.
func (m manifest) MediaType() (types.MediaType, error) { return m.mediaType, nil }

func artifactManifest(a Attachment) (manifest, error) {
	subject, err := v1.NewHash(string(a.Subject.Digest))
	if err != nil {
		return manifest{}, fmt.Errorf("subject: %w", err)
	}
	m := artifact{ // OCI 1.1 has no other media type for artifacts than that of images
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: a.Type, Annotations: a.Annotations,
		Config:  describe([]byte("{}"), emptyConfig),
		Layers:  []v1.Descriptor{describe(a.Content, types.MediaType(a.Type))},
		Subject: &v1.Descriptor{MediaType: types.MediaType(a.Subject.MediaType), Size: a.Subject.Size, Digest: subject},
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return manifest{}, fmt.Errorf("encode: %w", err)
	}
	return manifest{raw, release.Digest(describe(raw, "").Digest.String()), m.MediaType}, nil
}

func describe(content []byte, mt types.MediaType) v1.Descriptor {
	l := static.NewLayer(content, mt)
	d, _ := l.Digest() // hashing memory cannot fail
	return v1.Descriptor{MediaType: mt, Size: int64(len(content)), Digest: d}
}
