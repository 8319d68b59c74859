package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/seatrial/seatrial/internal/oci/apart"
	"github.com/seatrial/seatrial/release"
)

const maxLayer = 16 << 30 // bytes of an unpacked layer that are compared

// Compare finds the first difference of two images, nil when they are the same. Layers
// are read as streams, and only those whose digests differ.
func (r *Registry) Compare(ctx context.Context, a, b Ref) (*apart.Difference, error) {
	first, err := r.Open(ctx, a)
	if err != nil {
		return nil, err
	}
	second, err := r.Open(ctx, b)
	if err != nil || first.Digest == second.Digest {
		return nil, err
	}
	if p, q := names(first), names(second); p != q {
		return &apart.Difference{Aspects: []apart.Aspect{{What: "the list of platforms", A: p, B: q}}}, nil
	}
	for i, p := range first.Platforms {
		q := second.Platforms[i]
		if p.Digest == q.Digest {
			continue
		}
		d, err := r.compareImages(ctx, a.At(p.Digest), b.At(q.Digest))
		if d != nil {
			d.Platform = p.Name
		}
		return d, err
	}
	return fields("the index's ", first.Raw, second.Raw)
}

func names(i Image) string {
	var out []string
	for _, p := range i.Platforms {
		out = append(out, p.Name)
	}
	return strings.Join(out, ", ")
}

// opened is an image for one platform with its config.
type opened struct {
	ref      Ref
	raw      []byte // of the manifest
	manifest v1.Manifest
	config   []byte
	diffIDs  []v1.Hash
}

func (r *Registry) openOne(ctx context.Context, ref Ref) (opened, error) {
	m, err := r.Get(ctx, ref)
	if err != nil {
		return opened{}, err
	}
	o := opened{ref: ref, raw: m.Raw}
	if err := json.Unmarshal(m.Raw, &o.manifest); err != nil {
		return opened{}, fmt.Errorf("read %s: %v: %w", ref, err, ErrMalformed)
	}
	if o.config, err = r.Blob(ctx, ref.Repository, release.Digest(o.manifest.Config.Digest.String()), maxManifest); err != nil {
		return opened{}, err
	}
	var c v1.ConfigFile
	if err := json.Unmarshal(o.config, &c); err != nil {
		return opened{}, fmt.Errorf("read the config of %s: %v: %w", ref, err, ErrMalformed)
	}
	o.diffIDs = c.RootFS.DiffIDs
	return o, nil
}

// compareImages looks at the layers first: what differs there shows in the config, too.
func (r *Registry) compareImages(ctx context.Context, a, b Ref) (*apart.Difference, error) {
	first, err := r.openOne(ctx, a)
	if err != nil {
		return nil, err
	}
	second, err := r.openOne(ctx, b)
	if err != nil {
		return nil, err
	}
	for i := range min(len(first.manifest.Layers), len(second.manifest.Layers)) {
		p, q := first.manifest.Layers[i].Digest, second.manifest.Layers[i].Digest
		if p == q {
			continue
		}
		d, err := r.compareLayers(ctx, first, second, i)
		if err == nil && d == nil { // the same files
			d = &apart.Difference{Aspects: []apart.Aspect{{What: "the packing of the same files", A: p.String(), B: q.String()}}}
		}
		if d != nil {
			d.Layer = i + 1
		}
		return d, err
	}
	if n, m := len(first.manifest.Layers), len(second.manifest.Layers); n != m {
		return &apart.Difference{Aspects: []apart.Aspect{{What: "the number of layers", A: fmt.Sprint(n), B: fmt.Sprint(m)}}}, nil
	}
	if d, err := fields("config: ", first.config, second.config); d != nil || err != nil {
		return d, err
	}
	return fields("manifest: ", first.raw, second.raw)
}

func (r *Registry) compareLayers(ctx context.Context, first, second opened, i int) (*apart.Difference, error) {
	if i < min(len(first.diffIDs), len(second.diffIDs)) && first.diffIDs[i] == second.diffIDs[i] {
		return nil, nil // packed differently
	}
	a, err := r.unpacked(ctx, first, i)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	b, err := r.unpacked(ctx, second, i)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	d, err := apart.Layers(a, b)
	if err != nil {
		return nil, fmt.Errorf("compare layer %d of %s and %s: %w", i+1, first.ref, second.ref, err)
	}
	return d, nil
}

func (r *Registry) unpacked(ctx context.Context, o opened, i int) (io.ReadCloser, error) {
	d := o.manifest.Layers[i].Digest.String()
	repo, err := r.repository(o.ref.Repository)
	if err != nil {
		return nil, err
	}
	layer, err := r.client(ctx).puller.Layer(ctx, repo.Digest(d))
	if err != nil {
		return nil, r.explain(ctx, "read layer", o.ref.Repository+"@"+d, err)
	}
	body, err := layer.Uncompressed()
	if err != nil {
		return nil, r.explain(ctx, "read layer", o.ref.Repository+"@"+d, err)
	}
	return &capped{body, maxLayer, maxLayer}, nil
}

// fields finds the first field in which two documents of a registry differ.
func fields(of string, a, b []byte) (*apart.Difference, error) {
	d, err := apart.Documents(of, a, b)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrMalformed)
	}
	return d, nil
}
