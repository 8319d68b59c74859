package policies_test

import (
	"encoding/json"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

// Whatever is written, the gate answers without falling over, and nothing passes that
// names an image by tag in any list of containers.
func FuzzCheck(f *testing.F) {
	f.Add(workload())
	f.Add(workload("@sha256:"+hexA, ":1.4"))
	f.Add("apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web, namespace: shop}\nspec: {a: [{b: {containers: [{image: web:1}]}}]}")
	f.Add("kind: List\nitems: [{kind: List, items: [1, null, {kind: Pod}]}]")
	f.Add("apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: a, namespace: shop}\nspec: {jobTemplate: {spec: {template: {spec: {containers: null}}}}}")
	f.Add("apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\nspec: {containers: [{image: [1], name: {}}], volumes: {}}")
	gate := newGate(f, policies.Config{Always: []string{policies.NoBarePods, policies.PodSecurityRestricted, "no-latest-tag"}}, nil)
	f.Fuzz(func(t *testing.T, text string) {
		var m map[string]any
		if len(text) > 1<<16 || yaml.Unmarshal([]byte(text), &m) != nil || m == nil {
			return
		}
		v, err := gate.Check(t.Context(), input(m))
		if err != nil {
			t.Fatal(err)
		}
		if v.Outcome() != release.Passed && v.Reason() == "" {
			t.Errorf("%v without a reason", v.Outcome())
		}
		if v.Outcome() == release.Passed && taggedContainer(m) && !strings.HasSuffix(m["kind"].(string), "List") {
			raw, _ := json.Marshal(m)
			t.Errorf("an image by tag passed: %s", raw)
		}
	})
}

// taggedContainer looks for containers without our own reading of kinds; only places
// that Kubernetes reads count, so a core kind without pods has none.
func taggedContainer(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		if group, _, ok := strings.Cut(asText(v["apiVersion"]), "/"); v["kind"] != nil && (!ok || !strings.Contains(group, ".")) {
			return false // judged by type; TestEveryKindWithAPod has these
		}
		for key, inner := range v {
			list, _ := inner.([]any)
			for _, item := range list {
				c, _ := item.(map[string]any)
				image := asText(c["image"])
				if key == "containers" && strings.Contains(image, ":") && !strings.Contains(image, "@") && !strings.Contains(image, "://") && !strings.ContainsAny(image, " \t\n") {
					return true
				}
			}
			if taggedContainer(inner) {
				return true
			}
		}
	case []any:
		for _, inner := range v {
			if taggedContainer(inner) {
				return true
			}
		}
	}
	return false
}

func asText(v any) string { s, _ := v.(string); return s }
