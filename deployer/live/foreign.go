package live

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/options"
	"github.com/seatrial/seatrial/release"
)

// foreign refuses to take over what another service deployed, or another tool looks
// after. The first by name speaks for all.
func foreign(lives objects, svc release.Service) *Result {
	var all []*unstructured.Unstructured
	for _, o := range lives {
		if o != nil && o.GetAnnotations()[ServiceAnnotation] != annotationOf(svc) {
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b *unstructured.Unstructured) int { return strings.Compare(nameOf(a), nameOf(b)) })
	for _, o := range all {
		if owner := o.GetAnnotations()[ServiceAnnotation]; owner != "" {
			return &Result{State: Refused, Message: fmt.Sprintf("%s%s belongs to %s", nameOf(o), in(o), serviceOf(owner)),
				Hint: "give the object another name, or take it out of the other service first"}
		}
		if t, ok := options.TrackedBy(o); ok {
			return &Result{State: Refused, Message: fmt.Sprintf("%s%s is looked after by %s (%s)", nameOf(o), in(o), t.Tool, t.Owner), Hint: t.HandOver(o)}
		}
	}
	return nil
}

func in(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return ""
	}
	return " in namespace " + o.GetNamespace()
}
