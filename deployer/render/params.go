package render

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/deployer/render/manifest"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/strict"
)

// own begins the names of params that are always there.
const own = "seatrial."

// params are the environment's and those that are always there.
func (o Options) params() map[string]string {
	all := map[string]string{}
	maps.Copy(all, o.Params)
	all[own+"environment"], all[own+"namespace"] = string(o.Env), o.Namespace
	all[own+"team"], all[own+"service"] = o.Service.Team(), o.Service.Name()
	return all
}

// marker is where a param goes in plain manifests and kustomizations. With two dollars it
// is only text.
var marker = regexp.MustCompile(`\$?\$\{param\.([A-Za-z0-9._-]+)(:[a-z]+)?\}`)

// substitute puts params into the texts of the objects, once they are objects: a value can
// never become another key or another object.
func substitute(docs []manifest.Document, o Options) error {
	s := filler{params: o.params(), env: string(o.Env)}
	for _, d := range docs {
		if _, err := s.fill(d.Object); err != nil {
			return fmt.Errorf("%s: document %d: %w", d.File, d.Index, err)
		}
	}
	return nil
}

type filler struct {
	params map[string]string
	env    string
}

func (f filler) fill(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		return f.text(v)
	case []any:
		for i := range v {
			if v[i], err = f.fill(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if v[k], err = f.fill(v[k]); err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
		}
	}
	return v, nil
}

func (f filler) text(s string) (any, error) {
	if !strings.Contains(s, "${param.") {
		return s, nil
	}
	if m := marker.FindStringSubmatch(s); m != nil && m[0] == s && m[2] != "" && s[1] != '$' {
		return f.typed(m[1], m[2][1:])
	}
	var failed error
	out := marker.ReplaceAllStringFunc(s, func(found string) string {
		if strings.HasPrefix(found, "$$") {
			return found[1:]
		}
		m := marker.FindStringSubmatch(found)
		value, err := f.value(m[1])
		if err == nil && m[2] != "" {
			err = hint.Add(fmt.Errorf("%s stands within a longer text, where everything is text", found), "leave out "+m[2])
		}
		if failed == nil {
			failed = err
		}
		return value
	})
	return out, failed
}

func (f filler) value(name string) (string, error) {
	v, ok := f.params[name]
	if !ok {
		known := slices.Sorted(maps.Keys(f.params))
		return "", hint.Add(fmt.Errorf("param %q is not set%s", name, strict.Suggest(name, known)),
			fmt.Sprintf("have operators set it under spec.params of environment %s, or write $${param.%s} for the text itself", f.env, name))
	}
	return v, nil
}

// typed is a value that is all of a field: a number or a truth rather than a text.
func (f filler) typed(name, kind string) (any, error) {
	text, err := f.value(name)
	if err != nil {
		return nil, err
	}
	var v any
	switch kind {
	case "int":
		v, err = strconv.ParseInt(text, 10, 64)
	case "bool":
		v, err = strconv.ParseBool(text)
	default:
		return nil, hint.Add(fmt.Errorf("param %s as %s: a param is an int, a bool or, without a type, a text", name, kind), "write :int or :bool, or leave it out")
	}
	if err != nil {
		return nil, hint.Add(fmt.Errorf("param %s is %.60q, which is no %s", name, text, kind), "correct it in the environment, or the type in the manifest")
	}
	return v, nil
}
