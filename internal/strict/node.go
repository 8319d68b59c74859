package strict

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// resolve is the node itself, or what its alias stands for. Aliases never lead to
// aliases, and checkTrees has refused those that contain themselves.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// child is the key and the value, or the element, that a step leads to; nil: not there.
func child(n *yaml.Node, step any) (key, value *yaml.Node) {
	switch s := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && s >= 0 && s < len(n.Content) {
			return nil, n.Content[s]
		}
	default:
		if n.Kind != yaml.MappingNode {
			return nil, nil
		}
		name := fmt.Sprint(s)
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return n.Content[i], n.Content[i+1]
			}
		}
	}
	return nil, nil
}

func textAt(n *yaml.Node, path ...string) string {
	for _, step := range path {
		_, value := child(resolve(n), step)
		if value == nil {
			return ""
		}
		n = value
	}
	if n = resolve(n); n.Kind == yaml.ScalarNode && isText(n) {
		return n.Value
	}
	return ""
}

// isText reports whether a scalar is text. A date is: JSON, the model of all our kinds,
// has no dates.
func isText(n *yaml.Node) bool {
	switch n.ShortTag() {
	case "!!str", "!!timestamp", "!!merge":
		return true
	}
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// describe says what a node is, in words that fit after "got".
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "the number " + short(n.Value)
	case "!!binary":
		return "binary"
	}
	return fmt.Sprintf("%q", short(n.Value))
}

func short(s string) string {
	r := []rune(s)
	if len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// plain is the node as encoding/json would have decoded it into an any.
func plain(n *yaml.Node) (any, error) {
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[n.Content[i].Value] = v
		}
		return m, nil
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			v, err := plain(c)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	}
	if isText(n) {
		return n.Value, nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return nil, err
	}
	return v, nil
}
