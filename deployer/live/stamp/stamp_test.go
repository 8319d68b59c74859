package stamp_test

import (
	"testing"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/stamp"
)

func resource(kind, name string, shape uint64) *cache.Resource {
	return &cache.Resource{Ref: corev1.ObjectReference{APIVersion: "v1", Kind: kind, Namespace: "shop", Name: name}, Info: shape}
}

func of(all ...*cache.Resource) stamp.Stamp {
	return stamp.Of(all, func(r *cache.Resource) (uint64, bool) { n, ours := r.Info.(uint64); return n, ours && n > 0 })
}

func TestAStampChangesWithTheObjectsAndOnlyThen(t *testing.T) {
	a, b := resource("Service", "a", 1), resource("Service", "b", 2)
	before := of(a, b)
	for name, c := range map[string]struct {
		now  stamp.Stamp
		same bool
	}{
		"the same in another order": {of(b, a), true},
		"somebody else's beside":    {of(a, b, resource("Service", "c", 0)), true},
		"one is gone":               {of(a), false},
		"one has come":              {of(a, b, resource("Secret", "b", 2)), false},
		"one has changed":           {of(a, resource("Service", "b", 3)), false},
		"they have changed places":  {of(resource("Service", "a", 2), resource("Service", "b", 1)), false},
		"all are gone":              {of(), false},
	} {
		if got := c.now.Same(before); got != c.same {
			t.Errorf("%s: same = %t", name, got)
		}
	}
	if of().Same(of()) || (stamp.Stamp{}).Same(stamp.Stamp{}) {
		t.Error("nothing is called the same as nothing")
	}
}

func TestCovers(t *testing.T) {
	object := func(kind, name, hook string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind}}
		o.SetName(name)
		if hook != "" {
			o.SetAnnotations(map[string]string{"argocd.argoproj.io/hook": hook})
		}
		return o
	}
	s := of(resource("Service", "a", 1))
	if !s.Covers([]*unstructured.Unstructured{object("Service", "a", ""), object("Job", "migrate", "PreSync")}) {
		t.Error("an object that is there, and a hook that has gone, are not covered")
	}
	for _, o := range []*unstructured.Unstructured{object("Service", "b", ""), object("Secret", "a", "")} {
		if s.Covers([]*unstructured.Unstructured{o}) {
			t.Errorf("%s %s is covered", o.GetKind(), o.GetName())
		}
	}
}
