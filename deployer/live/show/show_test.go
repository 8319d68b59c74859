package show_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/show"
)

func deployed(content string, generation, replicas int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "web", "namespace": "shop", "generation": generation, "annotations": map[string]any{"seatrial.dev/content": content}},
		"spec":     map[string]any{"replicas": replicas}, "status": map[string]any{"observedGeneration": generation}}}
}

func secret(kind string, fields map[string]any) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": "db", "namespace": "shop",
		"resourceVersion": "7", "uid": "u", "managedFields": []any{},
		"annotations": map[string]any{"kubectl.kubernetes.io/last-applied-configuration": `{"apiVersion":"v1","kind":"Secret","data":{"key":"aHVudGVyMQ=="}}`}}}}
	for k, v := range fields {
		o.Object[k] = v
	}
	return o
}

func TestDiff(t *testing.T) {
	data := func(s string) map[string]any {
		return map[string]any{"data": map[string]any{"key": s, "user": "c2hvcA=="}}
	}
	for _, c := range []struct {
		name          string
		before, after *unstructured.Unstructured
		says, hides   []string
	}{
		{"a changed field", deployed("a", 1, 2), deployed("a", 2, 5), []string{"-  replicas: 2", "+  replicas: 5", "--- live", "+++ wanted"}, []string{"generation", "status", "observedGeneration"}},
		{"another digest alone is shown", deployed("old", 1, 1), deployed("new", 1, 1), []string{"-    seatrial.dev/content: old", "+    seatrial.dev/content: new"}, nil},
		{"a changed secret is masked", secret("Secret", data("aHVudGVyMQ==")), secret("Secret", data("aHVudGVyMg==")), []string{"-  key: ++++", "+  key: ++++++++"}, []string{"aHVudGVy", "hunter", "c2hvcA==", "last-applied"}},
		{"so is a new one, also as stringData", nil, secret("Secret", map[string]any{"stringData": map[string]any{"key": "hunter2"}}), []string{"+  key: ++++"}, []string{"hunter2", "aHVudGVy"}},
		{"and one that goes", secret("Secret", data("aHVudGVyMQ==")), nil, []string{"-  key: ++++"}, []string{"aHVudGVy"}},
		{"a config map is not", secret("ConfigMap", data("plain")), nil, []string{"-  key: plain"}, []string{"last-applied", "resourceVersion", "uid"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := show.Diff(c.before, c.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range c.says {
				if !strings.Contains(got, s) {
					t.Errorf("no %q in\n%s", s, got)
				}
			}
			for _, s := range c.hides {
				if strings.Contains(got, s) {
					t.Errorf("%q is shown in\n%s", s, got)
				}
			}
		})
	}
}

func TestDiffIsBounded(t *testing.T) {
	big := secret("ConfigMap", map[string]any{"data": map[string]any{"text": strings.Repeat("0123456789abcdef\n", 8000)}})
	got, err := show.Diff(nil, big)
	if err != nil || len(got) > 70<<10 || !strings.Contains(got, "the rest is left out") {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	huge := secret("ConfigMap", map[string]any{"data": map[string]any{"text": strings.Repeat("x\n", 30_000)}})
	if got, err := show.Diff(nil, huge); err != nil || !strings.Contains(got, "too long to show") {
		t.Errorf("%q, %v", got[:min(100, len(got))], err)
	}
}
