package progressive

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// byPartition: a StatefulSet changes its pods from the last on, part by part.
func byPartition(s *release.Strategy) bool { return s != nil && s.Type == release.Partition }

// partitioned finds the StatefulSet of a strategy, and says what stands in its way.
func partitioned(s release.Strategy, objects []*object) (*object, error) {
	set, err := only(objects, "StatefulSet", s.StatefulSet, "statefulSet", func(*object) bool { return true })
	if err != nil {
		return nil, err
	}
	if kind, _, _ := unstructured.NestedString(set.Object, "spec", "updateStrategy", "type"); kind == "OnDelete" {
		return nil, hint.Add(fmt.Errorf("StatefulSet %s replaces pods only when somebody deletes them", set.GetName()), "take updateStrategy.type: OnDelete out, or leave the strategy out")
	}
	if replicasOf(set) < 2 {
		return nil, hint.Add(fmt.Errorf("StatefulSet %s has fewer than two replicas: it cannot change in part", set.GetName()), "leave the strategy out")
	}
	for _, o := range objects {
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "name")
		if kind == "StatefulSet" && name == set.GetName() {
			return nil, hint.Add(fmt.Errorf("%s %s scales StatefulSet %s: nobody knows how many pods a part of it is", o.GetKind(), o.GetName(), name), "take the autoscaler out, or leave the strategy out")
		}
	}
	return set, nil
}

func replicasOf(set *object) int64 {
	switch n := field(set.Object, "spec", "replicas").(type) {
	case int64:
		return n
	case float64:
		return int64(n)
	}
	return 1
}

// parts are the steps of a strategy by partition.
func parts(s *release.Strategy) []release.Shift {
	var out []release.Shift
	for _, step := range s.Steps {
		out = append(out, release.Shift{Name: fmt.Sprintf("%d%%", step.Weight), Weight: step.Weight, Observe: step.Observe, SLO: true})
	}
	return append(out, release.Shift{SLO: true, Observe: s.Observe})
}

// part is what is wanted while so many percent of the pods are of the candidate: all of it,
// but the StatefulSet keeps the pods below the partition as they are.
func part(s *release.Strategy, stable, candidate []*object, shift release.Shift) (want []*object, moving bool) {
	set, err := partitioned(*s, candidate)
	if err != nil || index(stable)[keyOf(set)] == nil {
		return candidate, false
	}
	first := shift.Name == parts(s)[0].Name
	for _, o := range candidate {
		switch {
		case isHook(o) && (early(o) && !first || !early(o) && shift.Name != ""):
		case o == set && shift.Name != "":
			want = append(want, kept(set, shift.Weight))
		default:
			want = append(want, o)
		}
	}
	if shift.Name == "" {
		return want, true
	}
	gone := index(stable)
	for _, o := range candidate {
		delete(gone, keyOf(o))
	}
	for _, o := range stable { // pods of the old revision may need it
		if gone[keyOf(o)] != nil && !isHook(o) {
			want = append(want, o)
		}
	}
	return want, true
}

// kept is the StatefulSet with a partition that lets percent of its pods change, rounded
// down, and at least one.
func kept(set *object, percent int) *object {
	o := set.DeepCopy()
	n := replicasOf(set)
	change := max(1, n*int64(percent)/100)
	if err := unstructured.SetNestedField(o.Object, n-change, "spec", "updateStrategy", "rollingUpdate", "partition"); err != nil {
		return set // its updateStrategy is no object: the API server says so
	}
	return o
}

// errNoParts: without a step there is no part.
var errNoParts = hint.Add(errors.New("it has no steps"), "say how much changes first: steps: [{weight: 34}]")
