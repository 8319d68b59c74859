package render

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

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
