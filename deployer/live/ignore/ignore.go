// Package ignore decides which fields of an object belong to somebody else on the
// cluster, as Argo CD's ignoreDifferences name them, and leaves them out: of a comparison
// and of what is applied.
//
// Start at Compile, then Set.Paths. It never asks a cluster, and an expression never runs
// for longer than its limits allow.
package ignore

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Path leads to one field of one object: a string is a key, an int an index.
type Path []any

// Set is an environment's rules, ready to use. It is never changed.
type Set struct{ rules []rule }

type rule struct {
	release.IgnoreRule
	pointers []Path // segments that are all strings
	queries  []query
}

// Compile checks the rules.
func Compile(rules []release.IgnoreRule) (*Set, error) {
	s := &Set{}
	for i, r := range rules {
		c := rule{IgnoreRule: r}
		if len(r.JSONPointers)+len(r.JQPathExpressions)+len(r.ManagedFieldsManagers) == 0 {
			return nil, hint.Add(fmt.Errorf("ignoreDifferences[%d] names no field", i), "write at least one of jsonPointers, jqPathExpressions, managedFieldsManagers")
		}
		for _, p := range r.JSONPointers {
			path, err := pointer(p)
			if err != nil {
				return nil, fmt.Errorf("ignoreDifferences[%d]: %w", i, err)
			}
			c.pointers = append(c.pointers, path)
		}
		for _, expr := range r.JQPathExpressions {
			q, err := compileQuery(expr)
			if err != nil {
				return nil, fmt.Errorf("ignoreDifferences[%d]: %w", i, err)
			}
			c.queries = append(c.queries, q)
		}
		s.rules = append(s.rules, c)
	}
	return s, nil
}

// pointer reads "/spec/replicas" (RFC 6901).
func pointer(s string) (Path, error) {
	if len(s) < 2 || s[0] != '/' {
		return nil, hint.Add(fmt.Errorf("%q is not a JSON pointer to a field", s), "write it like /spec/replicas; a slash within a name is ~1")
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	var p Path
	for part := range strings.SplitSeq(s[1:], "/") {
		p = append(p, unescape.Replace(part))
	}
	if protected(p) {
		return nil, hint.Add(fmt.Errorf("%q is what an object is known by", s), "only fields that somebody else sets can be ignored")
	}
	return p, nil
}

// protected are the fields without which an object is another one, or nobody's.
func protected(p Path) bool {
	switch {
	case p[0] == "apiVersion", p[0] == "kind":
		return true
	case p[0] != "metadata":
		return false
	}
	return len(p) == 1 || p[1] == "name" || p[1] == "namespace" || p[1] == "annotations" && len(p) == 2
}

// Matches reports whether any rule is about an object.
func (s *Set) Matches(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(s.rules, func(r rule) bool { return r.about(o) })
}

// NeedsManagers reports whether a rule about an object asks who owns which field.
func (s *Set) NeedsManagers(o *unstructured.Unstructured) bool {
	return slices.ContainsFunc(s.rules, func(r rule) bool { return r.about(o) && len(r.ManagedFieldsManagers) > 0 })
}

func (r rule) about(o *unstructured.Unstructured) bool {
	gk := o.GroupVersionKind().GroupKind()
	fits := func(want, is string) bool { return want == "*" || want == is }
	return fits(r.Group, gk.Group) && fits(r.Kind, gk.Kind) &&
		(r.Name == "" || r.Name == o.GetName()) && (r.Namespace == "" || r.Namespace == o.GetNamespace())
}

// Paths lists the ignored fields that an object has. managed are the owners of the live
// object's fields.
func (s *Set) Paths(ctx context.Context, o *unstructured.Unstructured, managed []metav1.ManagedFieldsEntry) ([]Path, error) {
	var out []Path
	for _, r := range s.rules {
		if !r.about(o) {
			continue
		}
		for _, p := range r.pointers {
			if q, ok := resolve(o.Object, p); ok {
				out = append(out, q)
			}
		}
		for _, q := range r.queries {
			paths, err := q.paths(ctx, o)
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", o.GetKind(), o.GetName(), err)
			}
			out = append(out, paths...)
		}
		for _, m := range managed {
			if slices.Contains(r.ManagedFieldsManagers, m.Manager) {
				out = append(out, ownedBy(m, o.Object)...)
			}
		}
	}
	return slices.DeleteFunc(out, protected), nil
}

// resolve turns the segments of a pointer into keys and indexes, when the field is there.
func resolve(v any, p Path) (Path, bool) {
	out := make(Path, 0, len(p))
	for _, seg := range p {
		name := seg.(string)
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[name]
			if !ok {
				return nil, false
			}
			v, out = next, append(out, name)
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil, false
			}
			v, out = at[i], append(out, i)
		default:
			return nil, false
		}
	}
	return out, true
}

// ownedBy lists the fields of an object that one manager owns.
func ownedBy(m metav1.ManagedFieldsEntry, o map[string]any) []Path {
	var out []Path
	fieldsOf(m).Leaves().Iterate(func(fp fieldpath.Path) {
		if p, ok := locate(o, fp); ok {
			out = append(out, p)
		}
	})
	return out
}

func fieldsOf(m metav1.ManagedFieldsEntry) *fieldpath.Set {
	set := &fieldpath.Set{}
	if m.FieldsV1 == nil || set.FromJSON(bytes.NewReader(m.FieldsV1.GetRawBytes())) != nil {
		return &fieldpath.Set{}
	}
	return set
}

// locate finds a field that is named by the keys of list elements.
func locate(v any, fp fieldpath.Path) (Path, bool) {
	var out Path
	for _, el := range fp {
		next, step, ok := descend(v, el)
		if !ok {
			return nil, false
		}
		v, out = next, append(out, step)
	}
	return out, len(out) > 0
}

func descend(v any, el fieldpath.PathElement) (next, step any, ok bool) {
	switch at := v.(type) {
	case map[string]any:
		if el.FieldName == nil {
			return nil, nil, false
		}
		next, ok = at[*el.FieldName]
		return next, *el.FieldName, ok
	case []any:
		for i, item := range at {
			if names(el, i, item) {
				return item, i, true
			}
		}
	}
	return nil, nil, false
}

// names reports whether a path element means this item of a list.
func names(el fieldpath.PathElement, i int, item any) bool {
	switch {
	case el.Index != nil:
		return *el.Index == i
	case el.Value != nil:
		return fmt.Sprint((*el.Value).Unstructured()) == fmt.Sprint(item)
	case el.Key != nil:
		fields, ok := item.(map[string]any)
		if !ok {
			return false
		}
		for _, f := range *el.Key {
			if fmt.Sprint(f.Value.Unstructured()) != fmt.Sprint(fields[f.Name]) {
				return false
			}
		}
		return true
	}
	return false
}
