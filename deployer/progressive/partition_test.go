package progressive_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/progressive"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// db is what shop/db runs in one colour.
func db(color string, replicas int, more ...string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: ConfigMap
metadata: {name: conf-%s, namespace: shop}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  replicas: %d
  updateStrategy: {rollingUpdate: {maxUnavailable: 1}}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: main, image: db@%s}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: before, namespace: shop, annotations: {argocd.argoproj.io/hook: PreSync}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: after, namespace: shop, annotations: {argocd.argoproj.io/hook: PostSync}}
`, color, replicas, color) + strings.Join(more, "")
}

var third = &release.Strategy{Type: release.Partition, Steps: []release.CanaryStep{{Weight: 20}, {Weight: 67}}}

func TestAStatefulSetChangesPartByPart(t *testing.T) {
	stable, candidate := parse(t, db("blue", 4)), parse(t, db("green", 4))
	if err := progressive.Check(third, candidate); err != nil {
		t.Fatal(err)
	}
	type seen struct {
		name      string
		partition any
		others    string
	}
	var got []seen
	for _, shift := range progressive.Shifts(third) {
		want, moving := progressive.Objects(third, stable, candidate, shift)
		s := seen{name: shift.Name}
		var names []string
		for _, o := range want {
			if o.GetKind() != "StatefulSet" {
				names = append(names, o.GetName())
				continue
			}
			s.partition, _, _ = unstructured.NestedFieldNoCopy(o.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
			if most, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable"); fmt.Sprint(most) != "1" {
				t.Errorf("%s lost its own updateStrategy: %v", shift.Name, o.Object["spec"])
			}
		}
		slices.Sort(names)
		s.others = strings.Join(names, " ")
		got = append(got, s)
		if !moving || !shift.SLO {
			t.Errorf("%q: moving %v, measured %v", shift.Name, moving, shift.SLO)
		}
	}
	want := []seen{{"20%", int64(3), "before conf-blue conf-green"}, {"67%", int64(2), "conf-blue conf-green"}, {"", nil, "after conf-green"}}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if p, _, _ := unstructured.NestedFieldNoCopy(candidate[1].Object, "spec", "updateStrategy", "rollingUpdate", "partition"); p != nil {
		t.Error("the release's own objects were changed")
	}
	if objects, moving := progressive.Objects(third, nil, candidate, progressive.Shifts(third)[0]); moving || len(objects) != len(candidate) {
		t.Errorf("where nothing is yet it moves %v, with %d objects", moving, len(objects))
	}
}

func TestWhatCannotChangeInPartIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ text, why string }{
		"one pod":       {db("blue", 1), "fewer than two replicas"},
		"none at all":   {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "none of the manifests is a StatefulSet"},
		"on delete":     {strings.Replace(db("blue", 3), "{rollingUpdate: {maxUnavailable: 1}}", "{type: OnDelete}", 1), "only when somebody deletes them"},
		"an autoscaler": {db("blue", 3, "---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h, namespace: shop}\nspec: {scaleTargetRef: {kind: StatefulSet, name: db}}\n"), "scales StatefulSet db"},
	} {
		if err := progressive.Check(third, parse(t, c.text)); err == nil || !strings.Contains(err.Error(), c.why) || hint.Of(err) == "" {
			t.Errorf("%s: %v, hint %q", name, err, hint.Of(err))
		}
	}
	if err := progressive.Check(&release.Strategy{Type: release.Partition}, parse(t, db("blue", 3))); err == nil || !strings.Contains(err.Error(), "no steps") {
		t.Errorf("without steps: %v", err)
	}
}
