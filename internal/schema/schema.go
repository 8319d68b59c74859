// Package schema makes the published JSON Schemas of our configuration kinds from the Go
// types, so that editors complete and check what people write.
//
// Start at Generate; docs/schema holds its output, and a test keeps the two the same. It
// knows the shapes only: what the names in a file refer to is checked by package
// platform and pipeline/spec, which stay the authority. It never runs in the server.
package schema

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/seatrial/seatrial/release"
)

//go:generate go test . -run TestPublishedSchemasAreCurrent -update

const (
	module = "github.com/seatrial/seatrial"
	base   = "https://seatrial.dev/schema/v1/"
)

// kinds are the types by the kind they are written under.
func kinds() map[string]any {
	return map[string]any{
		"Pipeline":    release.Pipeline{},
		"Cluster":     release.Cluster{},
		"Environment": release.Environment{},
		"Project":     release.Project{},
		"Channel":     release.Channel{},
		"Team":        release.Team{},
		"Experiment":  release.Experiment{},
	}
}

// Generate returns the schema of every kind by its file name. The descriptions are the
// comments in the sources of package release, in the folder given relative to the one
// that holds this file, which has to be the working directory.
func Generate(sources string) (map[string][]byte, error) {
	comments := jsonschema.Reflector{}
	if err := comments.AddGoComments(path.Join(module, "internal/schema"), sources, jsonschema.WithFullComment()); err != nil {
		return nil, fmt.Errorf("read comments of %s: %w", sources, err)
	}
	files := map[string][]byte{}
	for kind, v := range kinds() {
		b, err := json.MarshalIndent(document(kind, v, comments.CommentMap), "", "  ")
		if err != nil {
			return nil, fmt.Errorf("write schema of %s: %w", kind, err)
		}
		files[strings.ToLower(kind)+".json"] = append(b, '\n')
	}
	return files, nil
}

func document(kind string, v any, comments map[string]string) *jsonschema.Schema {
	r := jsonschema.Reflector{
		Anonymous:      true,
		DoNotReference: true,
		ExpandedStruct: true,
		CommentMap:     oneLine(comments),
		Mapper:         mapped,
	}
	s := r.Reflect(v)
	relax(s)
	s.Version, s.ID, s.Title = jsonschema.Version, jsonschema.ID(base+strings.ToLower(kind)+".json"), kind
	s.Properties.Set("apiVersion", &jsonschema.Schema{Type: "string", Const: release.APIVersion})
	s.Properties.Set("kind", &jsonschema.Schema{Type: "string", Const: kind})
	for _, first := range []string{"kind", "apiVersion"} {
		_ = s.Properties.MoveToFront(first)
	}
	s.Required = append([]string{"apiVersion", "kind"}, s.Required...)
	return s
}

// mapped are types whose text says more than their Go shape.
func mapped(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[release.Duration]() {
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`, Examples: []any{"90s", "5m"}}
	}
	return nil
}

// relax follows package strict: a struct that requires nothing may be left out.
func relax(s *jsonschema.Schema) {
	if s == nil {
		return
	}
	relax(s.Items)
	if s.Properties == nil {
		return
	}
	for pair := s.Properties.Oldest(); pair != nil; pair = pair.Next() {
		relax(pair.Value)
		if pair.Value.Type == "object" && pair.Value.Properties != nil && len(pair.Value.Required) == 0 {
			s.Required = slices.DeleteFunc(s.Required, func(name string) bool { return name == pair.Key })
		}
	}
}

func oneLine(comments map[string]string) map[string]string {
	flat := make(map[string]string, len(comments))
	for key, text := range comments {
		flat[key] = strings.Join(strings.Fields(text), " ")
	}
	return flat
}
