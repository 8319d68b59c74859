package live

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/seatrial/seatrial/internal/kube"
)

// namespaces makes the namespaces that objects live in and the cluster does not have.
// Which ones a team may use is the project's decision, and has been checked. They carry
// no service's mark, so they are never deleted by us.
func (v view) namespaces(ctx context.Context, objs []*unstructured.Unstructured) error {
	var missing []string
	for _, o := range objs {
		ns := o.GetNamespace()
		if ns == "" || slices.Contains(missing, ns) {
			continue
		}
		here := v.cache.FindResources("", func(r *cache.Resource) bool {
			return r.ResourceKey() == enginekube.NewResourceKey("", "Namespace", "", ns)
		})
		if len(here) == 0 {
			missing = append(missing, ns)
		}
	}
	for _, ns := range missing {
		if slices.ContainsFunc(objs, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Namespace" && o.GetName() == ns }) {
			continue
		}
		if err := v.makeNamespace(ctx, ns); err != nil {
			return err
		}
	}
	return nil
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
