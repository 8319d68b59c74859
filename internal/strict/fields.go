package strict

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// field is one json field of a struct.
type field struct {
	name     string
	index    []int
	optional bool // its tag says omitempty or omitzero
	typ      reflect.Type
}

type fields []field

// fieldsOf lists a struct's fields under their json names, embedded structs flattened.
func fieldsOf(t reflect.Type) fields {
	var all fields
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-" && options == "":
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			for _, e := range fieldsOf(inner) {
				e.index = append([]int{i}, e.index...)
				all = append(all, e)
			}
		case !f.IsExported():
		default:
			if name == "" {
				name = f.Name
			}
			all = append(all, field{name: name, index: []int{i}, typ: f.Type,
				optional: strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")})
		}
	}
	return all
}

func (fs fields) byName(name string) (field, bool) {
	for _, f := range fs {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (fs fields) names() []string {
	all := make([]string, len(fs))
	for i, f := range fs {
		all[i] = f.name
	}
	return all
}

// required is the rule that the published JSON Schemas follow too: a field has to be
// there unless its tag says omitempty or omitzero, or it is a struct that requires nothing.
func (f field) required() bool {
	if f.optional {
		return false
	}
	if f.typ.Kind() != reflect.Struct {
		return true
	}
	return slices.ContainsFunc(fieldsOf(f.typ), field.required)
}

// Missing lists the fields of out's type that a document has to have and has not. Call
// it beside Decode, when absent must not mean empty.
func (d Document) Missing(out any) []Issue {
	t := reflect.TypeOf(out)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return missing(resolve(d.root), t, nil)
}

func missing(n *yaml.Node, t reflect.Type, path []any) []Issue {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var issues []Issue
	switch {
	case t.Kind() == reflect.Struct && n.Kind == yaml.MappingNode:
		for _, f := range fieldsOf(t) {
			_, value := child(n, f.name)
			switch {
			case value != nil:
				issues = append(issues, missing(resolve(value), f.typ, with(path, f.name))...)
			case f.required():
				issues = append(issues, At(`"`+f.name+`" is missing`, path...))
			}
		}
	case t.Kind() == reflect.Slice && n.Kind == yaml.SequenceNode:
		for i, c := range n.Content {
			issues = append(issues, missing(resolve(c), t.Elem(), with(path, i))...)
		}
	case t.Kind() == reflect.Map && n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			issues = append(issues, missing(resolve(n.Content[i+1]), t.Elem(), with(path, n.Content[i].Value))...)
		}
	}
	return issues
}

func with(path []any, step any) []any { return append(path[:len(path):len(path)], step) }
