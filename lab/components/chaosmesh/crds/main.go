// Command crds prints Chaos Mesh's custom resource definitions as a JSON list.
//
// The api module that the controller is built with is newer than the file next
// to it: its defaulter sets partitionBehavior, the API server prunes the unknown
// field, and every later update looks like a forbidden change of the spec. So
// the field is added wherever its neighbours are.
//
// Descriptions are left out: they are two thirds of the text, and an API server
// spends seconds and memory on them.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/yaml"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprintln(stderr, "usage: crds FILE")
		return 2
	}
	b, err := os.ReadFile(args[0])
	if err == nil {
		err = convert(string(b), stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}

func convert(bundle string, w io.Writer) error {
	var all []any
	added := 0
	for i, doc := range strings.Split("\n"+bundle, "\n---") {
		var v map[string]any
		if err := yaml.Unmarshal([]byte(doc), &v); err != nil {
			return fmt.Errorf("document %d: %w", i, err)
		}
		if len(v) == 0 {
			continue
		}
		added += addField(v)
		dropDescriptions(v)
		all = append(all, v)
	}
	if len(all) == 0 || added == 0 {
		return fmt.Errorf("%d definitions, %d places for partitionBehavior: not the expected file", len(all), added)
	}
	return json.NewEncoder(w).Encode(all)
}

// dropDescriptions walks a schema. A property that is called description is an
// object, not a text, and stays.
func dropDescriptions(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, text := v["description"].(string); text {
			delete(v, "description")
		}
		for _, w := range v {
			dropDescriptions(w)
		}
	case []any:
		for _, w := range v {
			dropDescriptions(w)
		}
	}
}

// addField walks a schema and returns how often it added the field.
func addField(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		if p, ok := v["properties"].(map[string]any); ok && p["externalTargets"] != nil && p["direction"] != nil && p["partitionBehavior"] == nil {
			p["partitionBehavior"] = map[string]any{"type": "string", "enum": []any{"drop", "reject"}, "default": "drop"}
			n++
		}
		for _, w := range v {
			n += addField(w)
		}
	case []any:
		for _, w := range v {
			n += addField(w)
		}
	}
	return n
}
