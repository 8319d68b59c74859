package strict

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder writes nodes into Go values and collects what does not fit; it goes on after
// a problem, so that a person sees all of them at once.
type decoder struct {
	file     string
	ignored  []string // keys of the root that need no field
	problems []Problem
}

func (d *decoder) problem(n *yaml.Node, path, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if path != "" {
		message = path + ": " + message
	}
	d.problems = append(d.problems, Problem{File: d.file, Line: n.Line, Column: n.Column, Message: message})
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	n = resolve(n)
	if v.Kind() == reflect.Interface && v.NumMethod() == 0 {
		d.any(n, v, path)
		return
	}
	if isNull(n) {
		d.problem(n, path, "has no value: give it one or leave the key out")
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem(), path)
		return
	}
	if d.unmarshaler(n, v, path) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.dictionary(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) any(n *yaml.Node, v reflect.Value, path string) {
	p, err := plain(n)
	if err != nil {
		d.problem(n, path, "%v", err)
		return
	}
	if p != nil {
		v.Set(reflect.ValueOf(p))
	}
}

// unmarshaler serves types that read themselves; a time.Duration is read like them.
func (d *decoder) unmarshaler(n *yaml.Node, v reflect.Value, path string) bool {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		parsed, err := time.ParseDuration(n.Value)
		if err != nil || n.Kind != yaml.ScalarNode {
			d.problem(n, path, "want a duration like 90s or 5m, got %s", describe(n))
		}
		v.SetInt(int64(parsed))
		return true
	}
	if !v.CanAddr() {
		return false
	}
	switch u := v.Addr().Interface().(type) {
	case json.Unmarshaler:
		d.viaJSON(n, u, path)
	case encoding.TextUnmarshaler:
		if n.Kind != yaml.ScalarNode {
			d.problem(n, path, "want text, got %s", describe(n))
		} else if err := u.UnmarshalText([]byte(n.Value)); err != nil {
			d.problem(n, path, "%v", err)
		}
	default:
		return false
	}
	return true
}

func (d *decoder) viaJSON(n *yaml.Node, u json.Unmarshaler, path string) {
	p, err := plain(n)
	if err == nil {
		var b []byte
		if b, err = json.Marshal(p); err == nil {
			err = u.UnmarshalJSON(b)
		}
	}
	if err != nil {
		d.problem(n, path, "%v", err)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, "want a map with fields, got %s", describe(n))
		return
	}
	fields := fieldsOf(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		f, ok := fields.byName(key.Value)
		switch {
		case ok:
			d.value(value, fieldByIndex(v, f.index), join(path, key.Value))
		case path == "" && slices.Contains(d.ignored, key.Value):
		default:
			d.problem(key, "", "unknown field %q%s", key.Value, Suggest(key.Value, fields.names()))
		}
	}
}

// fieldByIndex makes embedded pointers on the way to the field.
func fieldByIndex(v reflect.Value, index []int) reflect.Value {
	for i, x := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v
}

func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, path, "want a map, got %s", describe(n))
		return
	}
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		panic("strict: " + t.String() + " has keys that are not text")
	}
	m := reflect.MakeMapWithSize(t, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		element := reflect.New(t.Elem()).Elem()
		d.value(n.Content[i+1], element, join(path, n.Content[i].Value))
		m.SetMapIndex(reflect.ValueOf(n.Content[i].Value).Convert(t.Key()), element)
	}
	v.Set(m)
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		d.problem(n, path, "want a list, got %s", describe(n))
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.value(c, s.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(s)
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n, path, "want %s, got %s", wanted(v.Kind()), describe(n))
		return
	}
	switch tag := n.ShortTag(); {
	case v.Kind() == reflect.String && isText(n):
		v.SetString(n.Value)
	case v.Kind() == reflect.String && tag != "!!binary":
		d.problem(n, path, "want text, got %s: write it in quotes, %q", describe(n), short(n.Value))
	case v.Kind() == reflect.Bool && tag == "!!bool" && n.Decode(new(bool)) == nil:
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case v.CanInt() && tag == "!!int", v.CanUint() && tag == "!!int", v.CanFloat() && (tag == "!!int" || tag == "!!float"):
		d.number(n, v, path)
	default:
		d.problem(n, path, "want %s, got %s", wanted(v.Kind()), describe(n))
	}
}

func (d *decoder) number(n *yaml.Node, v reflect.Value, path string) {
	var fits bool
	switch {
	case v.CanInt():
		i, err := strconv.ParseInt(n.Value, 0, 64)
		if fits = err == nil && !v.OverflowInt(i); fits {
			v.SetInt(i)
		}
	case v.CanUint():
		u, err := strconv.ParseUint(n.Value, 0, 64)
		if fits = err == nil && !v.OverflowUint(u); fits {
			v.SetUint(u)
		}
	default:
		var f float64
		if fits = n.Decode(&f) == nil && !v.OverflowFloat(f); fits {
			v.SetFloat(f)
		}
	}
	if !fits {
		d.problem(n, path, "the number %s is out of range", short(n.Value))
	}
}

func wanted(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
