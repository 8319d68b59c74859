package tree_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/live/pods"
	"github.com/seatrial/seatrial/deployer/live/tree"
)

func object(kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "apps/v1", "kind": kind}}
	o.SetName(name)
	o.SetUID(types.UID(name))
	return o
}

func cached(kind, name, owner string, info any) *cache.Resource {
	return &cache.Resource{Ref: corev1.ObjectReference{APIVersion: "v1", Kind: kind, Name: name, UID: types.UID(name)},
		OwnerRefs: []metav1.OwnerReference{{UID: types.UID(owner)}}, Info: info}
}

func text(t tree.Tree) []string {
	var out []string
	for _, n := range t.Nodes {
		out = append(out, fmt.Sprintf("%d %s/%s %s %s", n.Depth, n.Kind, n.Name, n.State, n.Health))
	}
	return out
}

func TestOf(t *testing.T) {
	web, gone, old, kept, extra := object("Deployment", "web"), object("Service", "gone"), object("ConfigMap", "old"), object("Job", "kept"), object("Secret", "extra")
	roots := []tree.Root{
		{Want: web, Live: web, Health: "Healthy"}, {Want: gone}, {Live: old}, {Live: kept, Waits: true}, {Want: extra, Live: extra, Differs: true},
	}
	all := []*cache.Resource{
		cached("Deployment", "web", "", nil),
		cached("ReplicaSet", "web-1", "web", nil),
		cached("Pod", "web-1-a", "web-1", &pods.State{Ready: true}),
		cached("Pod", "web-1-z", "web-1", &pods.State{Trouble: &pods.Trouble{Container: "app", Reason: "CrashLoopBackOff"}}),
		cached("Pod", "stranger", "other", nil),
		cached("Loop", "a", "b", nil), cached("Loop", "b", "a", nil),
		cached("Loop", "b", "old", nil),
	}
	whole := []string{
		"0 ConfigMap/old Prune ", "1 Loop/b  ", "2 Loop/a  ",
		"0 Deployment/web Synced Healthy", "1 ReplicaSet/web-1  ", "2 Pod/web-1-z  Degraded", "2 Pod/web-1-a  Healthy",
		"0 Job/kept Waiting ", "0 Secret/extra Drifted ", "0 Service/gone Missing ",
	}
	for _, c := range []struct {
		name        string
		limit, left int
		want        []string
	}{
		{"everything is below what owns it, the troubled first, and a ring ends", 100, 0, whole},
		{"a full tree is not cut", 10, 0, whole},
		{"what is owned makes room for the service's own, the troubled pod last", 9, 1, slices.Delete(slices.Clone(whole), 6, 7)},
		{"roots alone", 5, 5, []string{whole[0], whole[3], whole[7], whole[8], whole[9]}},
		{"too many roots are counted, with what those that stay own", 2, 8, []string{whole[0], whole[3]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := tree.Of(roots, all, c.limit)
			if !slices.Equal(text(got), c.want) || got.Left != c.left {
				t.Errorf("%q, %d left out", text(got), got.Left)
			}
		})
	}
}
