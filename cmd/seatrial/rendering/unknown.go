package rendering

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/release"
)

// Unknown names the kinds that a cluster would get, does not have and is not brought. What
// is only for others is not asked of it: a kind that some clusters lack is a reason to give
// them params of their own.
func Unknown(all render.Rendered, clusters []release.Cluster, scope func(cluster string) render.Scope) (out []string) {
	for _, c := range clusters {
		objects, knows := all.For(c.Meta.Labels), scope(c.Meta.Name)
		for _, o := range objects {
			if _, known := knows(o.GroupVersionKind()); !known && !brought(objects, o.GroupVersionKind().GroupKind()) {
				out = append(out, fmt.Sprintf("cluster %s does not know kind %s (%s)", c.Meta.Name, o.GetKind(), o.GetAPIVersion()))
			}
		}
	}
	return slices.Compact(out)
}

// brought reports whether the objects define the kind themselves.
func brought(objects []*unstructured.Unstructured, kind schema.GroupKind) bool {
	return slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		defined, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		return o.GetKind() == "CustomResourceDefinition" && schema.GroupKind{Group: group, Kind: defined} == kind
	})
}
