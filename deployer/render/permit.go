package render

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/release"
)

// Problem is one object that the project does not permit.
type Problem struct {
	Object string // "ClusterRole/shop-web"
	Reason string
	Hint   string
}

// String is one line.
func (p Problem) String() string { return p.Object + ": " + p.Reason }

// ClusterScoped reports whether a built-in kind lives outside of namespaces. A kind it
// does not know is taken to live inside.
func ClusterScoped(gk schema.GroupKind) bool {
	switch gk.Group {
	case "":
		return slices.Contains([]string{"Namespace", "Node", "PersistentVolume", "ComponentStatus"}, gk.Kind)
	case "rbac.authorization.k8s.io":
		return gk.Kind == "ClusterRole" || gk.Kind == "ClusterRoleBinding"
	case "apiextensions.k8s.io", "apiregistration.k8s.io", "admissionregistration.k8s.io", "flowcontrol.apiserver.k8s.io",
		"internal.apiserver.k8s.io", "node.k8s.io", "scheduling.k8s.io", "storagemigration.k8s.io":
		return true
	case "storage.k8s.io":
		return gk.Kind != "CSIStorageCapacity"
	case "certificates.k8s.io":
		return gk.Kind != "PodCertificateRequest"
	case "networking.k8s.io":
		return slices.Contains([]string{"IngressClass", "IPAddress", "ServiceCIDR"}, gk.Kind)
	case "resource.k8s.io":
		return gk.Kind == "DeviceClass" || gk.Kind == "ResourceSlice" || gk.Kind == "DeviceTaintRule"
	case "gateway.networking.k8s.io":
		return gk.Kind == "GatewayClass"
	}
	return false
}

// Permit lists the objects that are outside the project's permission; scope may be nil.
func Permit(objects []*unstructured.Unstructured, p release.Project, scope Scope) []Problem {
	var out []Problem
	for _, o := range objects {
		gvk := o.GroupVersionKind()
		cluster := ClusterScoped(gvk.GroupKind())
		if scope != nil && !cluster {
			if namespaced, known := scope(gvk); known {
				cluster = !namespaced
			}
		}
		name := o.GetKind() + "/" + o.GetName()
		switch {
		case cluster && !slices.Contains(p.Spec.ClusterScoped, o.GetKind()):
			out = append(out, Problem{Object: name,
				Reason: fmt.Sprintf("%s is cluster-scoped, which project %s may not deploy", o.GetKind(), p.Meta.Name),
				Hint:   fmt.Sprintf("take it out, or have an operator add %s to clusterScoped of project %s", o.GetKind(), p.Meta.Name)})
		case cluster && o.GetKind() == "Namespace" && !slices.Contains(p.Spec.Namespaces, o.GetName()),
			!cluster && !slices.Contains(p.Spec.Namespaces, o.GetNamespace()):
			ns := o.GetNamespace()
			if cluster {
				ns = o.GetName()
			}
			out = append(out, Problem{Object: name,
				Reason: fmt.Sprintf("namespace %q is not one of project %s (%s)", ns, p.Meta.Name, strings.Join(p.Spec.Namespaces, ", ")),
				Hint:   "deploy into one of the project's namespaces"})
		}
	}
	return out
}
