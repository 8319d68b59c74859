package options

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Tracker is another tool that looks after an object.
type Tracker struct {
	Tool  string // "Argo CD", "Flux", "Helm"
	Owner string // "application shop", as the tool calls it
	Mark  string // the label or annotation that says so
	Label bool   // the mark is a label
}

// TrackedBy finds the tool that looks after an object, by the marks it leaves. The
// instance label alone says nothing: charts write it as well, so it counts only together
// with Argo CD among the owners of the fields.
func TrackedBy(live *unstructured.Unstructured) (Tracker, bool) {
	notes, labels := live.GetAnnotations(), live.GetLabels()
	const (
		trackingID, instance, argoInstance = "argocd.argoproj.io/tracking-id", "app.kubernetes.io/instance", "argocd.argoproj.io/instance"
		kustomization, helmRelease         = "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"
		helm                               = "meta.helm.sh/release-name"
	)
	switch {
	case notes[trackingID] != "":
		app, _, _ := strings.Cut(notes[trackingID], ":")
		return Tracker{"Argo CD", "application " + app, trackingID, false}, true
	case labels[argoInstance] != "":
		return Tracker{"Argo CD", "application " + labels[argoInstance], argoInstance, true}, true
	case labels[instance] != "" && writtenBy(live, "argocd-"):
		return Tracker{"Argo CD", "application " + labels[instance], instance, true}, true
	case labels[kustomization] != "":
		return Tracker{"Flux", "kustomization " + labels[kustomization], kustomization, true}, true
	case labels[helmRelease] != "":
		return Tracker{"Flux", "helmrelease " + labels[helmRelease], helmRelease, true}, true
	case notes[helm] != "" && labels["app.kubernetes.io/managed-by"] == "Helm":
		return Tracker{"Helm", "release " + notes[helm], helm, false}, true
	}
	return Tracker{}, false
}

func writtenBy(live *unstructured.Unstructured, prefix string) bool {
	for _, f := range live.GetManagedFields() {
		if strings.HasPrefix(f.Manager, prefix) {
			return true
		}
	}
	return false
}

// HandOver says what a person does to give an object to us.
func (t Tracker) HandOver(live *unstructured.Unstructured) string {
	first := map[string]string{
		"Argo CD": "delete the application without its resources (argocd app delete --cascade=false)",
		"Flux":    "suspend it, set its prune to false and delete it",
		"Helm":    "keep its history elsewhere and delete the secrets of the release (not helm uninstall)",
	}[t.Tool]
	verb := "annotate"
	if t.Label {
		verb = "label"
	}
	where := ""
	if ns := live.GetNamespace(); ns != "" {
		where = " -n " + ns
	}
	return fmt.Sprintf("to hand it over: %s, then kubectl %s%s %s %s %s-", first, verb, where, strings.ToLower(live.GetKind()), live.GetName(), t.Mark)
}
