package policies

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// namespaced and clusterWide are the kinds that Kubernetes 1.36 comes with, by group.
func namespaced() map[string][]string {
	return map[string][]string{
		"": {"Binding", "ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolumeClaim", "Pod", "PodTemplate",
			"ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount"},
		"apps":                      {"ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"},
		"authorization.k8s.io":      {"LocalSubjectAccessReview"},
		"autoscaling":               {"HorizontalPodAutoscaler"},
		"batch":                     {"CronJob", "Job"},
		"coordination.k8s.io":       {"Lease", "LeaseCandidate"},
		"discovery.k8s.io":          {"EndpointSlice"},
		"events.k8s.io":             {"Event"},
		"networking.k8s.io":         {"Ingress", "NetworkPolicy"},
		"policy":                    {"PodDisruptionBudget"},
		"rbac.authorization.k8s.io": {"Role", "RoleBinding"},
		"resource.k8s.io":           {"ResourceClaim", "ResourceClaimTemplate"},
		"storage.k8s.io":            {"CSIStorageCapacity"},
	}
}

func clusterWide() map[string][]string {
	return map[string][]string{
		"":                             {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
		"admissionregistration.k8s.io": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"},
		"apiextensions.k8s.io":         {"CustomResourceDefinition"},
		"apiregistration.k8s.io":       {"APIService"},
		"authentication.k8s.io":        {"SelfSubjectReview", "TokenReview"},
		"authorization.k8s.io":         {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"},
		"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
		"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
		"networking.k8s.io":            {"IPAddress", "IngressClass", "ServiceCIDR"},
		"node.k8s.io":                  {"RuntimeClass"},
		"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
		"resource.k8s.io":              {"DeviceClass", "ResourceSlice"},
		"scheduling.k8s.io":            {"PriorityClass"},
		"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
	}
}

// checkScope holds the manifests to what the project may touch.
func (g *Gate) checkScope(ctx context.Context, in Input, all []object) (result, error) {
	res := result{policy: ruleScope, claim: fmt.Sprintf("the manifests stay within project %s", in.Project.Meta.Name)}
	spec := in.Project.Spec
	refuse := func(object, why, fix string) {
		res.problems = append(res.problems, Problem{Policy: ruleScope, Object: object, Why: why, Fix: fix})
	}
	if team := in.Release.Service.Team(); team == "" || team != spec.Team {
		refuse("service "+string(in.Release.Service), fmt.Sprintf("project %s is of team %q", in.Project.Meta.Name, spec.Team), "deploy a service of the project's own team")
	}
	if env := release.Env(in.Environment.Meta.Name); len(spec.Environments) > 0 && !slices.Contains(spec.Environments, env) {
		refuse("service "+string(in.Release.Service), fmt.Sprintf("project %s may not deploy to %s", in.Project.Meta.Name, env), "ask the platform team to add the environment to the project")
	}
	if len(all) == 0 && !in.Environment.Spec.Prune.AllowEmpty {
		refuse("the manifests", "there are none, so everything would be deleted", "set prune.allowEmpty on the environment when that is meant")
	}
	scopes := scopes{wide: clusterWide(), narrow: namespaced(), defined: definedBy(all), ask: g.config.ClusterScoped}
	for _, o := range all {
		wide, known, err := scopes.of(ctx, o)
		if err != nil {
			return res, err
		}
		if !known {
			refuse(o.String(), fmt.Sprintf("no cluster knows %s, so nobody can tell whether it is cluster-scoped", o.qualified()), "install the kind's CustomResourceDefinition first, or let the manifests have it")
		} else if why, fix := outOfScope(o, in.Project, wide); why != "" {
			refuse(o.String(), why, fix)
		}
	}
	return res, nil
}

// scopes are what is known of kinds.
type scopes struct {
	wide, narrow map[string][]string // that Kubernetes comes with
	defined      map[string]bool     // that the manifests define: cluster-scoped?
	ask          func(ctx context.Context, apiVersion, kind string) (clusterScoped, known bool, err error)
}

// of says whether an object's kind is cluster-scoped. What the manifests say of it counts
// only where no cluster knows better.
func (s scopes) of(ctx context.Context, o object) (wide, known bool, err error) {
	switch {
	case slices.Contains(s.wide[o.group], o.kind):
		return true, true, nil
	case slices.Contains(s.narrow[o.group], o.kind):
		return false, true, nil
	case s.ask == nil:
		return o.namespace == "", true, nil
	}
	wide, known, err = s.ask(ctx, strings.TrimPrefix(o.group+"/"+o.version, "/"), o.kind)
	if defined, ok := s.defined[o.qualified()]; ok && !known {
		return defined, true, nil
	}
	return wide, known, err
}

// definedBy are the kinds that manifests define, and whether they are cluster-scoped.
func definedBy(all []object) map[string]bool {
	defined := map[string]bool{}
	for _, o := range all {
		if !o.is("apiextensions.k8s.io", "CustomResourceDefinition") {
			continue
		}
		spec, _ := o.body["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		kind := object{group: fmt.Sprint(spec["group"]), kind: fmt.Sprint(names["kind"])}
		defined[kind.qualified()] = spec["scope"] != "Namespaced"
	}
	return defined
}

func outOfScope(o object, project release.Project, wide bool) (why, fix string) {
	name, spec := project.Meta.Name, project.Spec
	if wide {
		if !slices.Contains(spec.ClusterScoped, o.kind) && !slices.Contains(spec.ClusterScoped, o.qualified()) {
			return fmt.Sprintf("project %s may not change cluster-scoped %s", name, o.qualified()), "leave it to the platform team, or have the kind added to the project's clusterScoped"
		}
		if o.is("", "Namespace") && !slices.Contains(spec.Namespaces, o.name) {
			return fmt.Sprintf("project %s may not have namespace %s", name, o.name), allowed(spec.Namespaces)
		}
		return "", ""
	}
	if o.namespace == "" {
		if slices.Contains(spec.Namespaces, "default") {
			return "", ""
		}
		return fmt.Sprintf("it names no namespace, and project %s may not use default", name), allowed(spec.Namespaces)
	}
	if !slices.Contains(spec.Namespaces, o.namespace) {
		return fmt.Sprintf("project %s may not use namespace %s", name, o.namespace), allowed(spec.Namespaces)
	}
	return "", ""
}

func allowed(namespaces []string) string {
	if len(namespaces) == 0 {
		return "have the platform team give the project a namespace"
	}
	return "set metadata.namespace to " + strings.Join(namespaces, " or ")
}
