package seen_test

import (
	"testing"

	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/seen"
)

func TestWhatWasAppliedIsSeenOnceItIsAsNew(t *testing.T) {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("ConfigMap")
	o.SetName("a")
	o.SetResourceVersion("10")
	key, applied := enginekube.GetResourceKey(o), []*unstructured.Unstructured{o}
	var v seen.Versions
	for _, step := range []struct {
		says, brings string
		want         bool
	}{
		{"nothing came", "", false},
		{"an older one came", "9", false},
		{"the same came", "10", true},
		{"a newer one came", "11", true},
		{"it is gone", "", false},
	} {
		v.Note(key, step.brings)
		if got := v.Since(applied); got != step.want {
			t.Errorf("%s: %v", step.says, got)
		}
	}
}
