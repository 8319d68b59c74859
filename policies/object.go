package policies

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of what is judged at once. Manifests come from outside.
const (
	maxObjects = 5000
	maxDepth   = 100 // of nesting within an object
)

// object is one manifest with what names it.
type object struct {
	group, version, kind string
	namespace, name      string
	body                 map[string]any
}

// String is how people name it: "Deployment shop/web".
func (o object) String() string {
	name := o.name
	if name == "" {
		name = "(no name)"
	}
	if o.namespace != "" {
		name = o.namespace + "/" + name
	}
	return o.kind + " " + name
}

// qualified is the kind with its group: "Rollout.argoproj.io".
func (o object) qualified() string {
	if o.group == "" {
		return o.kind
	}
	return o.kind + "." + o.group
}

// core reports whether the object is of a kind of Kubernetes itself.
func (o object) is(group string, kinds ...string) bool {
	return o.group == group && slices.Contains(kinds, o.kind)
}

// objects reads manifests, lists taken apart. What is not an object is a problem.
func objects(manifests []map[string]any) ([]object, []Problem) {
	var out []object
	var problems []Problem
	add := func(m map[string]any) {
		o, err := newObject(m)
		if err != nil {
			problems = append(problems, Problem{Policy: ruleObjects, Object: o.String(), Why: err.Error(), Fix: "every manifest needs apiVersion, kind and metadata.name, as text"})
			return
		}
		out = append(out, o)
	}
	for i := 0; i < len(manifests); i++ {
		m := manifests[i]
		items, isList := m["items"].([]any)
		if kind, _ := m["kind"].(string); !isList || !strings.HasSuffix(kind, "List") {
			add(m)
			continue
		}
		for _, item := range items {
			if inner, ok := item.(map[string]any); ok && len(manifests) < 2*maxObjects {
				manifests = append(manifests[:len(manifests):len(manifests)], inner)
				continue
			}
			problems = append(problems, Problem{Policy: ruleObjects, Object: fmt.Sprint(m["kind"]), Why: "an item is not an object, or there are too many", Fix: "write the objects one by one"})
			break
		}
	}
	if len(out) > maxObjects {
		problems = append(problems, Problem{Policy: ruleObjects, Object: "the manifests", Why: fmt.Sprintf("there are %d objects, at most %d are judged", len(out), maxObjects), Fix: "split the service"})
		out = out[:maxObjects]
	}
	return out, problems
}

func newObject(m map[string]any) (object, error) {
	o := object{body: m}
	apiVersion, _ := m["apiVersion"].(string)
	o.kind, _ = m["kind"].(string)
	meta, _ := m["metadata"].(map[string]any)
	o.name, _ = meta["name"].(string)
	if ns, there := meta["namespace"]; there && ns != nil {
		text, ok := ns.(string)
		if !ok {
			return o, fmt.Errorf("metadata.namespace is not text")
		}
		o.namespace = text
	}
	if group, version, ok := strings.Cut(apiVersion, "/"); ok {
		o.group, o.version = group, version
	} else {
		o.version = apiVersion
	}
	switch {
	case o.kind == "":
		o.kind = "object"
		return o, fmt.Errorf("it has no kind")
	case o.version == "":
		return o, fmt.Errorf("it has no apiVersion")
	case o.name == "" && meta["generateName"] != nil:
		return o, fmt.Errorf("it has a generateName: every sync would make another one")
	case o.name == "":
		return o, fmt.Errorf("it has no metadata.name")
	case tooDeep(m, maxDepth):
		return o, fmt.Errorf("it is nested more than %d levels deep", maxDepth)
	}
	return o, nil
}

func tooDeep(v any, left int) bool {
	if left == 0 {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			if tooDeep(inner, left-1) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if tooDeep(inner, left-1) {
				return true
			}
		}
	}
	return false
}

// each calls fn with every map inside v and its path, itself included.
func each(v any, path string, fn func(path string, m map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		fn(path, v)
		for _, key := range keys(v) {
			each(v[key], join(path, key), fn)
		}
	case []any:
		for i, inner := range v {
			each(inner, fmt.Sprintf("%s[%d]", path, i), fn)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
