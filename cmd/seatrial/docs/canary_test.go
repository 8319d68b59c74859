package docs_test

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/progressive"
	"github.com/seatrial/seatrial/pipeline/spec"
	"github.com/seatrial/seatrial/release"
)

func TestTheCanaryExampleCanBeFollowed(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "examples/canary", spec.Name))
	if err != nil {
		t.Fatal(err)
	}
	p, err := spec.Parse(spec.Name, data)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(root, "examples/canary", p.Spec.Deploy.Manifests, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var objects []*unstructured.Unstructured
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &o.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	s := p.Spec.Deploy.Strategy
	if s == nil || s.Type != release.Canary || len(progressive.Shifts(s)) != 7 {
		t.Fatalf("strategy %+v", s)
	}
	if err := progressive.Check(s, objects); err != nil {
		t.Error(err)
	}
}
