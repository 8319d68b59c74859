package cluster

import "context"

type object = map[string]any

// applyDNS makes kube-dns a Service without a selector: its only endpoint is
// CoreDNS on the node, which host processes can ask as well.
func (c *Cluster) applyDNS(ctx context.Context) error {
	a, err := newAPI(c.Cluster, c.dir)
	if err != nil {
		return err
	}
	defer a.close()
	ports := []any{
		object{"name": "dns", "port": 53, "protocol": "UDP"},
		object{"name": "dns-tcp", "port": 53, "protocol": "TCP"},
	}
	read := func(group, resource string) any {
		return object{"apiGroups": []any{group}, "resources": []any{resource}, "verbs": []any{"list", "watch"}}
	}
	const rbac = "/apis/rbac.authorization.k8s.io/v1/"
	for _, o := range []struct {
		path string
		v    object
	}{
		{rbac + "clusterroles/system:coredns", object{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": object{"name": "system:coredns"},
			"rules": []any{read("", "services"), read("", "namespaces"), read("", "pods"), read("discovery.k8s.io", "endpointslices")},
		}},
		{rbac + "clusterrolebindings/system:coredns", object{
			"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": object{"name": "system:coredns"},
			"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
			"subjects": []any{object{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "system:coredns"}},
		}},
		{"/api/v1/namespaces/kube-system/services/kube-dns", object{
			"apiVersion": "v1", "kind": "Service",
			"metadata": object{"name": "kube-dns", "labels": object{"k8s-app": "kube-dns"}},
			"spec":     object{"clusterIP": c.DNSServiceIP(), "ports": ports},
		}},
		{"/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-node", object{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
			"metadata":  object{"name": "kube-dns-node", "labels": object{"kubernetes.io/service-name": "kube-dns"}},
			"endpoints": []any{object{"addresses": []any{c.NodeIP()}}}, "ports": ports,
		}},
	} {
		if err := a.apply(ctx, o.path, o.v); err != nil {
			return err
		}
	}
	return nil
}
