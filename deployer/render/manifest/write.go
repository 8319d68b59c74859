package manifest

import (
	goyaml "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// Write writes one object so that the same object is always the same bytes, which are
// those of sigs.k8s.io/yaml: digests were made of them. Nearly every object is free of
// what that library's way through JSON would change, and is written at once.
func Write(object map[string]any) ([]byte, error) {
	if isPlain(object) {
		return goyaml.Marshal(object)
	}
	return yaml.Marshal(object)
}

const longKey = 512

// isPlain knows values that JSON and back leaves as they are.
func isPlain(v any) bool {
	switch v := v.(type) {
	case nil, bool, int64:
		return true
	case string:
		return isPlainText(v)
	case []any:
		for _, item := range v {
			if !isPlain(item) {
				return false
			}
		}
		return v != nil
	case map[string]any:
		for key, item := range v {
			if len(key) > longKey || key == "<<" || !isPlainText(key) || !isPlain(item) {
				return false
			}
		}
		return v != nil
	}
	return false
}

func isPlainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\n' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}
