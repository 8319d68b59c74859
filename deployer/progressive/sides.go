package progressive

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

// Suffix is what the objects and the labels of the new side have at their end.
const Suffix = "-canary"

const maxLabel = 63 // Kubernetes' limit on a label's value and on a Service's name

type object = unstructured.Unstructured

// sides are the objects of a release that its strategy is about.
type sides struct {
	deployment, service, route *object  // route is nil for blueGreen
	keys                       []string // the labels in which the pods of the two sides differ
}

// Check says why a strategy cannot be followed with these manifests. A nil strategy and a
// rolling one always can.
func Check(s *release.Strategy, objects []*object) error {
	if plain(s) {
		return nil
	}
	err := sound(*s)
	switch {
	case err != nil:
	case byPartition(s):
		_, err = partitioned(*s, objects)
	default:
		_, err = find(*s, objects)
	}
	if err != nil {
		return fmt.Errorf("strategy %s: %w", s.Type, err)
	}
	return nil
}

// sound refuses what no .seatrial.yaml may say: a person can write a record by hand.
func sound(s release.Strategy) error {
	stepwise := s.Type == release.Canary || s.Type == release.Partition
	switch {
	case !stepwise && s.Type != release.BlueGreen:
		return hint.Add(errors.New("there is no such strategy"), "write rolling, blueGreen, canary or partition")
	case s.Type == release.Partition && len(s.Steps) == 0:
		return errNoParts
	}
	before := 0
	for _, step := range s.Steps {
		if !stepwise || step.Weight <= before || step.Weight > 99 {
			return hint.Add(fmt.Errorf("a step of %d %% is not possible here", step.Weight), "steps go up from 1 to 99")
		}
		before = step.Weight
	}
	return nil
}

func plain(s *release.Strategy) bool { return s == nil || s.Type == "" || s.Type == release.Rolling }

func find(s release.Strategy, objects []*object) (sides, error) {
	var out sides
	var err error
	if out.deployment, err = only(objects, "Deployment", s.Deployment, "deployment", func(*object) bool { return true }); err != nil {
		if slices.ContainsFunc(objects, func(o *object) bool { return o.GetKind() == "StatefulSet" }) && s.Deployment == "" {
			err = hint.Add(fmt.Errorf("%w; a StatefulSet has one set of volumes and names, so it cannot have two sides", err), "write type: partition, or leave the strategy out: a StatefulSet changes pod by pod by itself")
		}
		return sides{}, err
	}
	labels := labelsOf(out.deployment, "spec", "template", "metadata", "labels")
	leads := func(o *object) bool { return selects(labelsOf(o, "spec", "selector"), labels) }
	if out.service, err = only(objects, "Service", s.Service, "service", leads); err != nil {
		return sides{}, err
	}
	if !leads(out.service) {
		return sides{}, fmt.Errorf("nothing leads from Service %s to the pods of Deployment %s", out.service.GetName(), out.deployment.GetName())
	}
	if s.Type == release.Canary {
		if out.route, err = only(objects, "HTTPRoute", s.Route, "route", func(o *object) bool { return len(backends(o, out.service.GetName())) > 0 }); err != nil {
			return sides{}, err
		}
		if len(backends(out.route, out.service.GetName())) == 0 {
			return sides{}, fmt.Errorf("no backendRef of HTTPRoute %s names Service %s", out.route.GetName(), out.service.GetName())
		}
	}
	out.keys = keys(out.deployment, labels, objects)
	return out, out.fit(objects)
}

// only is the object of a kind with a name or, without one, the only one that fits.
func only(objects []*object, kind, name, field string, fits func(*object) bool) (*object, error) {
	var all []*object
	for _, o := range objects {
		if o.GetKind() == kind && !isHook(o) && (o.GetName() == name || name == "" && fits(o)) {
			all = append(all, o)
		}
	}
	switch {
	case len(all) == 1:
		return all[0], nil
	case len(all) > 1:
		return nil, hint.Add(fmt.Errorf("%d of the manifests' %ss fit", len(all), kind), fmt.Sprintf("say which in .seatrial.yaml: spec.deploy.strategy.%s", field))
	case name != "":
		return nil, hint.Add(fmt.Errorf("the manifests have no %s %q", kind, name), fmt.Sprintf("correct spec.deploy.strategy.%s in .seatrial.yaml", field))
	}
	return nil, hint.Add(fmt.Errorf("none of the manifests is a %s that fits", kind), "add it, or leave spec.deploy.strategy out")
}

// fit says what stands in the way of a second side.
func (s sides) fit(objects []*object) error {
	d := s.deployment
	if exprs, _, _ := unstructured.NestedSlice(d.Object, "spec", "selector", "matchExpressions"); len(exprs) > 0 {
		return hint.Add(fmt.Errorf("the pods of Deployment %s are selected by matchExpressions", d.GetName()), "use matchLabels: the new side's pods get another value there")
	}
	if len(s.keys) == 0 {
		return fmt.Errorf("the pods of Deployment %s are selected by no label", d.GetName())
	}
	labels := labelsOf(d, "spec", "template", "metadata", "labels")
	for _, k := range s.keys {
		if len(labels[k]+Suffix) > maxLabel {
			return fmt.Errorf("label %s: %q has no room for %q", k, labels[k], Suffix)
		}
	}
	for _, o := range []*object{d, s.service} {
		if len(o.GetName()+Suffix) > maxLabel {
			return fmt.Errorf("%s %s: its name has no room for %q", o.GetKind(), o.GetName(), Suffix)
		}
	}
	for _, o := range objects {
		if o.GetName() == d.GetName()+Suffix && o.GetKind() == d.GetKind() || o.GetName() == s.service.GetName()+Suffix && o.GetKind() == "Service" {
			return hint.Add(fmt.Errorf("%s %s is in the manifests, but it is the name of the new side", o.GetKind(), o.GetName()), "call it otherwise")
		}
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "kind")
		name, _, _ := unstructured.NestedString(o.Object, "spec", "scaleTargetRef", "name")
		if kind == "Deployment" && name == d.GetName() {
			return hint.Add(fmt.Errorf("%s %s scales Deployment %s: nobody would scale the new side", o.GetKind(), o.GetName(), name), "take the autoscaler out, or leave the strategy out")
		}
	}
	return nil
}

// keys are the fewest labels that keep every selector of the one side from the pods of
// the other: one that all of them use, or else all that they use.
func keys(d *object, labels map[string]string, objects []*object) []string {
	selectors := []map[string]string{labelsOf(d, "spec", "selector", "matchLabels")}
	for _, o := range objects {
		if sel := labelsOf(o, "spec", "selector"); o.GetKind() == "Service" && selects(sel, labels) {
			selectors = append(selectors, sel)
		}
	}
	used := map[string]int{}
	for _, sel := range selectors {
		for k := range sel {
			used[k]++
		}
	}
	all := slices.Sorted(maps.Keys(used))
	for _, k := range all {
		if used[k] == len(selectors) {
			return []string{k}
		}
	}
	return all
}

func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

func labelsOf(o *object, path ...string) map[string]string {
	out, _, _ := unstructured.NestedStringMap(o.Object, path...)
	return out
}

// backends are the references of a route to a service, in place.
func backends(route *object, service string) (out []map[string]any) {
	rules, _ := field(route.Object, "spec", "rules").([]any)
	for _, r := range rules {
		rule, _ := r.(map[string]any)
		refs, _ := rule["backendRefs"].([]any)
		for _, b := range refs {
			if ref, ok := b.(map[string]any); ok && leadsTo(ref, service) {
				out = append(out, ref)
			}
		}
	}
	return out
}

func leadsTo(ref map[string]any, service string) bool {
	kind, _ := ref["kind"].(string)
	name, _ := ref["name"].(string)
	return name == service && (kind == "" || kind == "Service")
}

func field(o map[string]any, path ...string) any {
	v, _, _ := unstructured.NestedFieldNoCopy(o, path...)
	return v
}

const hookNote = "argocd.argoproj.io/hook"

func isHook(o *object) bool { return o.GetAnnotations()[hookNote] != "" }

// early reports whether a hook runs before anything changes.
func early(o *object) bool { return strings.Contains(o.GetAnnotations()[hookNote], "PreSync") }
