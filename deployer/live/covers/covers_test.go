package covers_test

import (
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/live/covers"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return o
}

const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"

// What is covered is what the engine, which knows the kinds, calls unchanged.
func TestWhatIsCoveredIsUnchangedToTheEngine(t *testing.T) {
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	custom := "apiVersion: x.dev/v1\nkind: Thing\nmetadata: {name: web}\n"
	for name, c := range map[string]struct {
		want, live string
		covered    bool
	}{
		"the same":                       {deployment + "spec: {replicas: 3}", deployment + "spec: {replicas: 3}", true},
		"with defaults and a status":     {deployment + "spec: {replicas: 0}", deployment + "spec: {replicas: 0, revisionHistoryLimit: 10}\nstatus: {replicas: 1}", true},
		"with somebody else's labels":    {service + "spec: {selector: {app: a}}", service + "spec: {selector: {app: a, x: y}}", true},
		"an empty map over a full one":   {custom + "spec: {}", custom + "spec: {a: 1}", true},
		"another value":                  {deployment + "spec: {replicas: 3}", deployment + "spec: {replicas: 4}", false},
		"gone":                           {deployment + "spec: {replicas: 3, paused: true}", deployment + "spec: {replicas: 3}", false},
		"another order":                  {custom + "spec: {l: [a, b]}", custom + "spec: {l: [b, a]}", false},
		"one more in a list":             {custom + "spec: {l: [a]}", custom + "spec: {l: [a, b]}", false},
		"null":                           {custom + "spec: {l: null}", custom + "spec: {l: null}", false},
		"a list for a map":               {custom + "spec: {l: {}}", custom + "spec: {l: []}", false},
		"a text for a number":            {custom + "spec: {l: '1'}", custom + "spec: {l: 1}", false},
		"the same amount, other writing": {deployment + "spec: {template: {spec: {containers: [{name: a, resources: {limits: {cpu: 1000m}}}]}}}", deployment + "spec: {template: {spec: {containers: [{name: a, resources: {limits: {cpu: '1'}}}]}}}", false},
	} {
		want, live := object(t, c.want), object(t, c.live)
		if got := covers.Object(want, live); got != c.covered {
			t.Errorf("%s: covered = %t", name, got)
		}
		d, err := diff.Diff(want, live, diff.WithLogr(logr.Discard()), diff.IgnoreAggregatedRoles(true))
		if err != nil {
			t.Fatal(name, err)
		}
		if c.covered && d.Modified {
			t.Errorf("%s: the engine calls it changed", name)
		}
	}
}

func BenchmarkObject(b *testing.B) {
	o := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "a"}, "spec": map[string]any{"l": []any{"a", int64(1)}}}}
	b.ReportAllocs()
	for b.Loop() {
		if !covers.Object(o, o) {
			b.Fatal("not covered")
		}
	}
}
