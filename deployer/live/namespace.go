package live

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// namespaces makes the namespaces that objects live in and the cluster does not have,
// unless the environment wants them to be there. Which ones a team may use is the
// project's decision, and has been checked. They carry no service's mark, so they are
// never deleted by us.
func (v view) namespaces(ctx context.Context, objs []*unstructured.Unstructured, rule string) (*Result, error) {
	own := map[string]bool{}
	for _, o := range objs {
		if o.GetKind() == "Namespace" {
			own[o.GetName()] = true
		}
	}
	asked := map[string]bool{}
	for _, o := range objs {
		ns := o.GetNamespace()
		if ns == "" || asked[ns] {
			continue
		}
		asked[ns] = true
		stop, err := v.namespace(ctx, ns, own[ns], rule)
		if stop != nil || err != nil {
			return stop, err
		}
	}
	return nil, nil
}

func (v view) namespace(ctx context.Context, ns string, own bool, rule string) (*Result, error) {
	here, ends := false, false
	v.cache.IterateHierarchyV2([]enginekube.ResourceKey{{Kind: "Namespace", Name: ns}}, func(r *cache.Resource, _ map[enginekube.ResourceKey]*cache.Resource) bool {
		if r.Ref.Kind == "Namespace" {
			here = true
			_, ends = r.Info.(*ending)
		}
		return false
	})
	if ends {
		return &Result{State: Syncing, Message: "namespace " + ns + " is being deleted: nothing can be made in it until it is gone"}, nil
	}
	switch {
	case here || own:
		return nil, nil
	case rule == release.NamespacesRequire:
		return &Result{State: Refused, Message: "the cluster has no namespace " + ns, Hint: "make it, or let the environment make it: sync.namespaces: create"}, nil
	}
	return nil, v.makeNamespace(ctx, ns)
}

func (v view) makeNamespace(ctx context.Context, ns string) error {
	body, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Namespace",
		"metadata": map[string]any{"name": ns, "labels": map[string]string{ManagedByLabel: ManagedBy}}})
	if err != nil {
		return err
	}
	force := true
	_, err = v.conn.Typed().CoreV1().Namespaces().Patch(ctx, ns, types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: kube.Manager, Force: &force})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make namespace %s: %w", ns, err)
	}
	return nil
}
