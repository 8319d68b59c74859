package render

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/release"
)

// MaxVariants is how many variants one environment may have.
const MaxVariants = 20

// Variant is what clusters with some labels get instead of the rest's objects.
type Variant struct {
	Name     string
	Clusters release.Selector
	Rendered Rendered // without variants of its own
}

// With is the content with variants, in their order. Its digest covers all of them and
// whom they are for; without variants it stays what it is.
func (r Rendered) With(variants []Variant) Rendered {
	r.Variants = variants
	if len(variants) == 0 {
		return r
	}
	type part struct {
		Name     string            `json:"name"`
		Clusters map[string]string `json:"clusters"`
		Digest   release.Digest    `json:"digest"`
	}
	parts := []part{{Digest: r.Digest}}
	for _, v := range variants {
		parts = append(parts, part{v.Name, v.Clusters.MatchLabels, v.Rendered.Digest})
		r.Notes = append(r.Notes[:len(r.Notes):len(r.Notes)], v.Rendered.Notes...)
	}
	text, err := json.Marshal(parts) // maps have their keys sorted
	if err != nil {
		panic(fmt.Sprintf("strings that are no JSON: %v", err))
	}
	sum := sha256.Sum256(text)
	r.Digest = release.Digest("sha256:" + hex.EncodeToString(sum[:]))
	return r
}

// For are the objects of a cluster with these labels: those of the first variant that it
// is one for, else those of the rest.
func (r Rendered) For(labels map[string]string) []*unstructured.Unstructured {
	if v := r.variant(labels); v != nil {
		return v.Rendered.Objects
	}
	return r.Objects
}

func (r Rendered) variant(labels map[string]string) *Variant {
	for i := range r.Variants {
		if r.Variants[i].Clusters.Matches(labels) {
			return &r.Variants[i]
		}
	}
	return nil
}

// NameFor is the name of the variant that For gives; "" is the rest's.
func (r Rendered) NameFor(labels map[string]string) string {
	if v := r.variant(labels); v != nil {
		return v.Name
	}
	return ""
}

// Each are the contents that a cluster may get, the rest's first, under no name.
func (r Rendered) Each(visit func(name string, only Rendered) error) error {
	rest := r
	rest.Variants = nil
	if err := visit("", rest); err != nil {
		return err
	}
	for _, v := range r.Variants {
		if err := visit(v.Name, v.Rendered); err != nil {
			return err
		}
	}
	return nil
}

// Size is how many bytes of manifests there are.
func (r Rendered) Size() int {
	n := len(r.YAML)
	for _, v := range r.Variants {
		n += len(v.Rendered.YAML)
	}
	return n
}

// RenderAll renders for an environment: its content, and a variant for each of the entries
// of paramsFor.
func (r *Renderer) RenderAll(ctx context.Context, root fs.FS, o Options, env release.EnvironmentSpec) (Rendered, error) {
	rest, err := r.Render(ctx, root, o)
	if err != nil {
		return rest, err
	}
	var variants []Variant
	for _, p := range env.ParamsFor {
		o.Params = release.ParamsOf(env, p)
		out, err := r.Render(ctx, root, o)
		if err != nil {
			return rest, fmt.Errorf("with the params for %s: %w", p.Name, err)
		}
		variants = append(variants, Variant{Name: p.Name, Clusters: p.Clusters, Rendered: out})
	}
	return rest.With(variants), nil
}
