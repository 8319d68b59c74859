package ignore

import (
	"cmp"
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// Remove takes fields out of an object.
func Remove(o *unstructured.Unstructured, paths []Path) {
	paths = slices.Clone(paths)
	slices.SortFunc(paths, func(a, b Path) int { return compare(b, a) }) // later items of a list first
	for _, p := range slices.CompactFunc(paths, func(a, b Path) bool { return compare(a, b) == 0 }) {
		o.Object, _ = without(o.Object, p).(map[string]any)
	}
}

func without(v any, p Path) any {
	switch at := v.(type) {
	case map[string]any:
		key, ok := p[0].(string)
		if _, there := at[key]; !ok || !there {
			return v
		}
		if len(p) == 1 {
			delete(at, key)
		} else {
			at[key] = without(at[key], p[1:])
		}
	case []any:
		i, ok := p[0].(int)
		if !ok || i >= len(at) {
			return v
		}
		if len(p) == 1 {
			return slices.Delete(at, i, i+1)
		}
		at[i] = without(at[i], p[1:])
	}
	return v
}

func compare(a, b Path) int {
	return slices.CompareFunc(a, b, func(x, y any) int {
		i, isInt := x.(int)
		j, isInt2 := y.(int)
		switch {
		case isInt && isInt2:
			return cmp.Compare(i, j)
		case !isInt && !isInt2:
			return cmp.Compare(x.(string), y.(string))
		case isInt:
			return -1
		}
		return 1
	})
}

// Yield prepares what is applied over a live object that has ignored fields. A field that
// somebody else owns is left out: applying it would take it away from them. One that only
// manager owns keeps the value it has: leaving it out would remove it.
func (s *Set) Yield(ctx context.Context, target, live *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	managed := live.GetManagedFields()
	paths, err := s.Paths(ctx, target, managed)
	if err != nil || len(paths) == 0 {
		return target, err
	}
	out := target.DeepCopy()
	var leave []Path
	for _, p := range paths {
		now, there := value(live.Object, p)
		if there && onlyOwner(managed, live.Object, p, manager) {
			put(out.Object, p, now)
		} else {
			leave = append(leave, p)
		}
	}
	Remove(out, leave)
	return out, nil
}

func value(v any, p Path) (any, bool) {
	for _, step := range p {
		switch at := v.(type) {
		case map[string]any:
			key, _ := step.(string)
			next, ok := at[key]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, ok := step.(int)
			if !ok || i >= len(at) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func put(v any, p Path, now any) {
	parent, ok := value(v, p[:len(p)-1])
	if !ok {
		return
	}
	switch at := parent.(type) {
	case map[string]any:
		at[p[len(p)-1].(string)] = copied(now)
	case []any:
		at[p[len(p)-1].(int)] = copied(now)
	}
}

// copied keeps two objects from sharing a value.
func copied(v any) any {
	o := unstructured.Unstructured{Object: map[string]any{"v": v}}
	return o.DeepCopy().Object["v"]
}

// onlyOwner reports whether a field is the manager's, by applying it, and nobody else's.
func onlyOwner(managed []metav1.ManagedFieldsEntry, o map[string]any, p Path, manager string) bool {
	mine := false
	for _, m := range managed {
		if !owns(fieldsOf(m), o, p) {
			continue
		}
		if m.Manager != manager || m.Operation != metav1.ManagedFieldsOperationApply {
			return false
		}
		mine = true
	}
	return mine
}

// owns reports whether a set of fields has this one, what is below it, or the whole it is
// a part of.
func owns(set *fieldpath.Set, v any, p Path) bool {
	for i, step := range p {
		el, next, ok := element(set, v, step)
		if !ok {
			return false
		}
		below := set.WithPrefix(el)
		if below.Empty() {
			return set.Members.Has(el) // a leaf: the field itself, or an atomic whole
		}
		if i == len(p)-1 {
			return true
		}
		set, v = below, next
	}
	return false
}

// element finds what a set of fields calls this step of a path.
func element(set *fieldpath.Set, v, step any) (el fieldpath.PathElement, next any, ok bool) {
	fits := func(candidate fieldpath.PathElement) {
		if ok {
			return
		}
		got, at, found := descend(v, candidate)
		if found && at == step {
			el, next, ok = candidate, got, true
		}
	}
	set.Members.Iterate(fits)
	set.Children.Iterate(fits)
	return el, next, ok
}
