// Package progressive says what is wanted on a cluster while a release takes over from
// the one before it: the old side, the new side beside it, and which of them serves how
// much. It is pure.
//
// Start at Shifts, the steps of a strategy, then at Objects, what is wanted in one of
// them. It never asks a cluster and never changes an object that it was given.
package progressive

import (
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// The names of shifts that are no part of the requests.
const (
	Warm    = "warm"    // the new side is there and serves nothing
	Replace = "replace" // the new side serves everything; the old one becomes like it
	Drain   = "drain"   // what was the old side serves everything; the other is still there
)

// Settle is how long a shift is healthy at least: gateways and nodes need a moment to follow.
const Settle = 3 * time.Second

// Shifts are the steps of a strategy, in order; none for a rolling one.
func Shifts(s *release.Strategy) []release.Shift {
	if plain(s) {
		return nil
	}
	if byPartition(s) {
		return parts(s)
	}
	out := []release.Shift{{Name: Warm}}
	for _, step := range s.Steps {
		out = append(out, release.Shift{Name: fmt.Sprintf("%d%%", step.Weight), Weight: step.Weight, Observe: step.Observe, SLO: true})
	}
	return append(out,
		release.Shift{Name: "100%", Weight: 100, Observe: s.Observe, SLO: true},
		release.Shift{Name: Replace, Weight: 100},
		release.Shift{Name: Drain},
		release.Shift{SLO: true})
}

// Rules are the environment's, with one more: a route is healthy when each of its gateways
// has taken it as it is now. Until then nobody knows who serves how much.
func Rules(s *release.Strategy, rules release.SyncRules) release.SyncRules {
	if plain(s) || s.Type != release.Canary {
		return rules
	}
	said := func(condition string) string {
		return `p.conditions.exists(c, c.type == "` + condition + `" && c.status == "True" && c.observedGeneration >= metadata.generation)`
	}
	rules.HealthCheckExprs = append(slices.Clone(rules.HealthCheckExprs), release.HealthExpr{
		APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute",
		Current: `size(status.parents) >= size(spec.parentRefs) && status.parents.all(p, ` + said("Accepted") + ` && ` + said("ResolvedRefs") + `)`})
	return rules
}

// Objects is what is wanted in a shift from the release that stable is of to the one that
// candidate is of. moving is false when there is nothing to move from, or no strategy:
// then it is the candidate, and all at once.
func Objects(s *release.Strategy, stable, candidate []*object, shift release.Shift) (want []*object, moving bool) {
	if plain(s) {
		return candidate, false
	}
	if byPartition(s) {
		return part(s, stable, candidate, shift)
	}
	next, err := find(*s, candidate)
	if err != nil {
		return candidate, false
	}
	old := index(stable)
	if old[keyOf(next.deployment)] == nil || old[keyOf(next.service)] == nil {
		return candidate, false
	}
	replaced := shift.Name == Replace || shift.Name == Drain || shift.Name == ""
	for _, o := range candidate {
		if isHook(o) {
			if early(o) == (shift.Name == Warm) && (shift.Name == Warm || shift.Name == "") {
				want = append(want, o)
			}
			continue
		}
		before := old[keyOf(o)]
		delete(old, keyOf(o))
		switch {
		case replaced || atOnce(o, before):
			want = append(want, o)
		case before != nil:
			want = append(want, before)
		case o == next.route:
			want = append(want, o)
		}
	}
	if shift.Name == "" {
		return want, true
	}
	for _, o := range stable { // what the candidate has no more
		if old[keyOf(o)] != nil && !isHook(o) {
			want = append(want, o)
		}
	}
	want = append(want, next.newDeployment(), next.newService())
	if shift.Weight > 0 {
		want = next.shifted(s.Type, want, shift.Weight)
	}
	return want, true
}

// atOnce reports whether an object changes with the first shift, because the pods of the
// new side are made of it. Everything else changes with the old side.
func atOnce(o, before *object) bool {
	switch o.GetKind() {
	case "ConfigMap", "Secret", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "PersistentVolumeClaim", "CustomResourceDefinition", "Namespace":
		return true
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob":
		return false
	}
	return before == nil
}

// newDeployment runs the candidate's pods beside the old ones, as many as it wants.
func (s sides) newDeployment() *object {
	o := named(s.deployment)
	s.relabel(o, "spec", "selector", "matchLabels")
	s.relabel(o, "spec", "template", "metadata", "labels")
	return o
}

// newService leads to them, inside of the cluster only.
func (s sides) newService() *object {
	o := named(s.service)
	spec, _ := o.Object["spec"].(map[string]any)
	if spec["clusterIP"] != "None" {
		delete(spec, "clusterIP")
	}
	for _, f := range []string{"type", "clusterIPs", "externalIPs", "loadBalancerIP", "loadBalancerClass", "loadBalancerSourceRanges", "externalTrafficPolicy", "healthCheckNodePort", "allocateLoadBalancerNodePorts"} {
		delete(spec, f)
	}
	ports, _ := spec["ports"].([]any)
	for _, p := range ports {
		if port, ok := p.(map[string]any); ok {
			delete(port, "nodePort")
		}
	}
	s.relabel(o, "spec", "selector")
	return o
}

// named is a copy with the new side's name, which goes after everything else has changed.
func named(o *object) *object {
	o = o.DeepCopy()
	o.SetName(o.GetName() + Suffix)
	const options = "argocd.argoproj.io/sync-options"
	notes := o.GetAnnotations()
	if notes == nil {
		notes = map[string]string{}
	}
	if notes[options] != "" {
		notes[options] += ","
	}
	notes[options] += "PruneLast=true"
	o.SetAnnotations(notes)
	return o
}

func (s sides) relabel(o *object, path ...string) {
	labels, ok := field(o.Object, path...).(map[string]any)
	for _, k := range s.keys {
		if v, there := labels[k].(string); ok && there {
			labels[k] = v + Suffix
		}
	}
}

// shifted gives the new side its part: of the route's weights or, for blueGreen, the
// whole service.
func (s sides) shifted(kind string, want []*object, weight int) []*object {
	for i, o := range want {
		switch {
		case kind == release.BlueGreen && keyOf(o) == keyOf(s.service):
			want[i] = s.service.DeepCopy()
			s.relabel(want[i], "spec", "selector")
		case kind == release.Canary && keyOf(o) == keyOf(s.route):
			want[i] = s.route.DeepCopy()
			split(want[i], s.service.GetName(), weight)
		}
	}
	return want
}

// split writes each reference to the service as two. A reference that had a weight among
// others keeps its part of the whole, so the others' weights grow with it.
func split(route *object, service string, weight int) {
	rules, _ := field(route.Object, "spec", "rules").([]any)
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		refs, _ := rule["backendRefs"].([]any)
		if !slices.ContainsFunc(refs, func(b any) bool { ref, ok := b.(map[string]any); return ok && leadsTo(ref, service) }) {
			continue
		}
		var out []any
		for _, b := range refs {
			ref, ok := b.(map[string]any)
			if !ok {
				continue
			}
			part := weightOf(ref)
			if !leadsTo(ref, service) {
				ref["weight"] = part * 100
				out = append(out, ref)
				continue
			}
			side := (&object{Object: ref}).DeepCopy().Object
			side["name"], side["weight"] = service+Suffix, part*int64(weight)
			ref["weight"] = part * int64(100-weight)
			out = append(out, ref, side)
		}
		rule["backendRefs"] = out
	}
}

func weightOf(ref map[string]any) int64 {
	switch w := ref["weight"].(type) {
	case int64:
		return w
	case float64:
		return int64(w)
	}
	return 1
}

type key struct{ group, kind, namespace, name string }

func keyOf(o *object) key {
	return key{o.GroupVersionKind().Group, o.GetKind(), o.GetNamespace(), o.GetName()}
}

func index(all []*object) map[key]*object {
	out := make(map[key]*object, len(all))
	for _, o := range all {
		if !isHook(o) {
			out[keyOf(o)] = o
		}
	}
	return out
}
