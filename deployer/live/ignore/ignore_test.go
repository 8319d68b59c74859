package ignore_test

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/live/ignore"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {a/b: "1", c: "2"}}
spec:
  replicas: 3
  paused: false
  template:
    spec:
      containers:
      - {name: main, image: "web:1", env: [{name: A, value: "1"}]}
      - {name: sidecar, image: "mesh:1"}
`

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

func fields(manager, operation, set string) metav1.ManagedFieldsEntry {
	f := &metav1.FieldsV1{}
	if err := json.Unmarshal([]byte(set), f); err != nil {
		panic(err)
	}
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationType(operation), FieldsV1: f}
}

func compile(t *testing.T, r release.IgnoreRule) *ignore.Set {
	t.Helper()
	s, err := ignore.Compile([]release.IgnoreRule{r})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func text(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	data, err := json.Marshal(o.Object)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWhatIsIgnoredIsNotCompared(t *testing.T) {
	apps := release.IgnoreRule{Group: "apps", Kind: "Deployment"}
	with := func(change func(*release.IgnoreRule)) release.IgnoreRule {
		r := apps
		change(&r)
		return r
	}
	hpa := fields("kube-controller-manager", "Update", `{"f:spec":{"f:replicas":{}}}`)
	mesh := fields("mesh", "Update", `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"sidecar\"}":{".":{},"f:name":{},"f:image":{}}}}}}}`)
	for _, c := range []struct {
		name    string
		rule    release.IgnoreRule
		managed []metav1.ManagedFieldsEntry
		gone    []string
		stays   []string
	}{
		{"a pointer", with(func(r *release.IgnoreRule) { r.JSONPointers = []string{"/spec/replicas"} }), nil, []string{"replicas"}, []string{"paused", "sidecar"}},
		{"a pointer into a list", with(func(r *release.IgnoreRule) { r.JSONPointers = []string{"/spec/template/spec/containers/0/image"} }), nil, []string{"web:1"}, []string{"mesh:1", "main"}},
		{"two items of a list, the earlier first", with(func(r *release.IgnoreRule) {
			r.JSONPointers = []string{"/spec/template/spec/containers/0", "/spec/template/spec/containers/1"}
		}), nil, []string{"main", "sidecar"}, []string{"replicas"}},
		{"an escaped slash", with(func(r *release.IgnoreRule) { r.JSONPointers = []string{"/metadata/annotations/a~1b"} }), nil, []string{"a/b"}, []string{`"c":"2"`}},
		{"a field that is not there", with(func(r *release.IgnoreRule) {
			r.JSONPointers = []string{"/spec/strategy/type", "/spec/replicas/deep", "/spec/template/spec/containers/9"}
		}), nil, nil, []string{"replicas", "main"}},
		{"a jq expression", with(func(r *release.IgnoreRule) {
			r.JQPathExpressions = []string{`.spec.template.spec.containers[] | select(.name == "sidecar")`}
		}), nil, []string{"sidecar"}, []string{"main"}},
		{"a jq expression over every item", with(func(r *release.IgnoreRule) { r.JQPathExpressions = []string{".spec.template.spec.containers[].image"} }), nil, []string{"web:1", "mesh:1"}, []string{"main", "sidecar"}},
		{"a jq expression that goes through nothing", with(func(r *release.IgnoreRule) { r.JQPathExpressions = []string{".spec.initContainers[].image"} }), nil, nil, []string{"main"}},
		{"what a manager owns", with(func(r *release.IgnoreRule) { r.ManagedFieldsManagers = []string{"kube-controller-manager"} }), []metav1.ManagedFieldsEntry{hpa, mesh}, []string{"replicas"}, []string{"sidecar"}},
		{"what a manager owns in a list", with(func(r *release.IgnoreRule) { r.ManagedFieldsManagers = []string{"mesh"} }), []metav1.ManagedFieldsEntry{hpa, mesh}, []string{"mesh:1"}, []string{"replicas", "main"}},
		{"another kind", release.IgnoreRule{Group: "apps", Kind: "StatefulSet", JSONPointers: []string{"/spec/replicas"}}, nil, nil, []string{"replicas"}},
		{"another group", release.IgnoreRule{Kind: "Deployment", JSONPointers: []string{"/spec/replicas"}}, nil, nil, []string{"replicas"}},
		{"any group and kind", release.IgnoreRule{Group: "*", Kind: "*", JSONPointers: []string{"/spec/replicas"}}, nil, []string{"replicas"}, []string{"main"}},
		{"another name", with(func(r *release.IgnoreRule) { r.Name, r.JSONPointers = "api", []string{"/spec/replicas"} }), nil, nil, []string{"replicas"}},
		{"this name in this namespace", with(func(r *release.IgnoreRule) {
			r.Name, r.Namespace, r.JSONPointers = "web", "shop", []string{"/spec/replicas"}
		}), nil, []string{"replicas"}, nil},
		{"what an object is known by is never left out", with(func(r *release.IgnoreRule) { r.JQPathExpressions = []string{".kind", ".metadata", ".metadata.name"} }), nil, nil, []string{"Deployment", `"name":"web"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := object(t, deployment)
			paths, err := compile(t, c.rule).Paths(t.Context(), o, c.managed)
			if err != nil {
				t.Fatal(err)
			}
			ignore.Remove(o, paths)
			got := text(t, o)
			for _, s := range c.gone {
				if strings.Contains(got, s) {
					t.Errorf("%s is still there: %s", s, got)
				}
			}
			for _, s := range c.stays {
				if !strings.Contains(got, s) {
					t.Errorf("%s is gone: %s", s, got)
				}
			}
		})
	}
}

func TestYield(t *testing.T) {
	rule := release.IgnoreRule{Group: "apps", Kind: "Deployment", JSONPointers: []string{"/spec/replicas", "/spec/template/spec/containers/1/image"}}
	ours := fields("seatrial", "Apply", `{"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"sidecar\"}":{".":{},"f:name":{},"f:image":{}}}}}}}`)
	none := fields("seatrial", "Apply", `{"f:spec":{"f:paused":{}}}`)
	hpa := fields("kube-controller-manager", "Update", `{"f:spec":{"f:replicas":{}}}`)
	whole := fields("operator", "Update", `{"f:spec":{}}`)
	for _, c := range []struct {
		name     string
		managed  []metav1.ManagedFieldsEntry
		replicas string // in what is applied; empty: left out
		image    string
	}{
		{"a field that only we own keeps the value it has", []metav1.ManagedFieldsEntry{ours}, `"replicas":7`, "mesh:9"},
		{"a field that somebody else owns, too, is left out", []metav1.ManagedFieldsEntry{ours, hpa}, "", "mesh:9"},
		{"a field that is not ours is left out", []metav1.ManagedFieldsEntry{none, hpa}, "", ""},
		{"a whole that somebody else owns includes the field", []metav1.ManagedFieldsEntry{ours, whole}, "", ""},
		{"nobody's field is left out", nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, live := object(t, deployment), object(t, strings.NewReplacer("replicas: 3", "replicas: 7", "mesh:1", "mesh:9").Replace(deployment))
			live.SetManagedFields(c.managed)
			out, err := compile(t, rule).Yield(t.Context(), target, live, "seatrial")
			if err != nil {
				t.Fatal(err)
			}
			got := text(t, out)
			if strings.Contains(got, "replicas") != (c.replicas != "") || !strings.Contains(got, c.replicas) {
				t.Errorf("replicas: %s", got)
			}
			if strings.Contains(got, "mesh:") != (c.image != "") || !strings.Contains(got, c.image) {
				t.Errorf("image: %s", got)
			}
			if !strings.Contains(text(t, target), `"replicas":3`) {
				t.Error("what is wanted was changed")
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		rule release.IgnoreRule
		want string
	}{
		{"a rule without a field", release.IgnoreRule{Kind: "Deployment"}, "names no field"},
		{"a pointer without a slash", release.IgnoreRule{Kind: "Deployment", JSONPointers: []string{"spec.replicas"}}, "not a JSON pointer"},
		{"the whole object", release.IgnoreRule{Kind: "Deployment", JSONPointers: []string{"/"}}, "not a JSON pointer"},
		{"what an object is known by", release.IgnoreRule{Kind: "Deployment", JSONPointers: []string{"/metadata/name"}}, "known by"},
		{"broken jq", release.IgnoreRule{Kind: "Deployment", JQPathExpressions: []string{".spec["}}, "jq expression"},
		{"jq that reaches out", release.IgnoreRule{Kind: "Deployment", JQPathExpressions: []string{"input"}}, "jq expression"},
	} {
		_, err := ignore.Compile([]release.IgnoreRule{c.rule})
		if err == nil || !strings.Contains(err.Error(), c.want) || hint.Of(err) == "" {
			t.Errorf("%s: %v (hint %q)", c.name, err, hint.Of(err))
		}
	}
}

func TestAnExpressionEnds(t *testing.T) {
	for _, c := range []struct{ name, expr, want string }{
		{"a loop", "first(repeat(.spec) | select(. == 0))", "does not end"},
		{"a growing list", "reduce repeat(1) as $x ([]; . + [$x]) | .[0]", "does not end"},
		{"too many fields", "range(20000) as $x | .spec", "more than 10000 fields"},
	} {
		_, err := compile(t, release.IgnoreRule{Group: "apps", Kind: "Deployment", JQPathExpressions: []string{c.expr}}).Paths(t.Context(), object(t, deployment), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
