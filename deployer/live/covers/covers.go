// Package covers says that an object on a cluster plainly has everything that is wanted of
// it, without the schema of its kind.
//
// Start at Object. It never says so of two values that are written in different ways, even
// when they mean the same, nor of lists of different length: comparing those takes the
// schema, and is left to the engine.
package covers

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// Object reports whether every field of want is in live with the same value. What live has
// beside is somebody else's, or a default.
func Object(want, live *unstructured.Unstructured) bool {
	return value(want.Object, live.Object)
}

func value(want, live any) bool {
	switch want := want.(type) {
	case map[string]any:
		live, ok := live.(map[string]any)
		if !ok {
			return false
		}
		for key, w := range want {
			l, there := live[key]
			if !there || !value(w, l) {
				return false
			}
		}
		return true
	case []any:
		live, ok := live.([]any)
		if !ok || len(live) != len(want) {
			return false
		}
		for i := range want {
			if !value(want[i], live[i]) {
				return false
			}
		}
		return true
	case string, bool, int64, float64:
		return want == live
	}
	return false
}
