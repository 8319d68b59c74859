package options_test

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/options"
)

func with(notes map[string]string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
	o.SetName("conf")
	o.SetNamespace("shop")
	o.SetAnnotations(notes)
	return o
}

func sync(opts string) *unstructured.Unstructured {
	return with(map[string]string{"argocd.argoproj.io/sync-options": opts})
}

func flux(key, value string) *unstructured.Unstructured {
	return with(map[string]string{"kustomize.toolkit.fluxcd.io/" + key: value})
}

func TestPruneOf(t *testing.T) {
	for _, c := range []struct {
		name string
		live *unstructured.Unstructured
		last bool
		want options.Fate
	}{
		{"what asks for nothing goes", with(nil), false, options.Delete},
		{"Prune=false stays", sync("Prune=false"), false, options.Keep},
		{"also among others, with spaces", sync("Replace=true, Prune=false"), false, options.Keep},
		{"Prune=confirm waits", sync("Prune=confirm"), false, options.Confirm},
		{"and goes once a person has approved", with(map[string]string{"argocd.argoproj.io/sync-options": "Prune=confirm", options.Approved: "2026-11-26"}), false, options.Delete},
		{"Prune=true is the default", sync("Prune=true"), false, options.Delete},
		{"Delete=false means nothing while the service is there", sync("Delete=false"), false, options.Delete},
		{"and keeps when nothing is left of it", sync("Delete=false"), true, options.Keep},
		{"so does Delete=confirm wait", sync("Delete=confirm"), true, options.Confirm},
		{"the stricter of two counts", sync("Prune=confirm,Delete=false"), true, options.Keep},
		{"Flux's word for it", flux("prune", "disabled"), false, options.Keep},
		{"Flux's reconcile: disabled keeps, too", flux("reconcile", "disabled"), false, options.Keep},
		{"PruneLast is a matter of order, not of fate", sync("PruneLast=true"), false, options.Delete},
	} {
		if got := options.PruneOf(c.live, c.last); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		name       string
		want, live *unstructured.Unstructured
		managing   options.Managing
	}{
		{"by default everything is ours", with(nil), with(nil), options.Apply},
		{"what is new as well", with(nil), nil, options.Apply},
		{"reconcile: disabled in git", flux("reconcile", "disabled"), with(nil), options.HandsOff},
		{"reconcile: disabled by a person on the cluster", with(nil), flux("reconcile", "disabled"), options.HandsOff},
		{"reconcile: Disabled as a label", labelled(map[string]string{"kustomize.toolkit.fluxcd.io/reconcile": "Disabled"}), nil, options.HandsOff},
		{"reconcile: enabled is the default", flux("reconcile", "enabled"), nil, options.Apply},
		{"ssa: Ignore", flux("ssa", "Ignore"), nil, options.HandsOff},
		{"ssa: IfNotPresent", flux("ssa", "IfNotPresent"), with(nil), options.Once},
		{"ssa: Merge is what we do anyway", flux("ssa", "Merge"), with(nil), options.Apply},
		{"ssa: Override, too", flux("ssa", "Override"), with(nil), options.Apply},
		{"ServerSideApply=false has no counterpart: everything is applied on the server's side", sync("ServerSideApply=false"), nil, options.Apply},
	} {
		if got := options.Of(c.want, c.live); got != c.managing {
			t.Errorf("%s: %s, want %s", c.name, got, c.managing)
		}
	}
}

func TestSingleWords(t *testing.T) {
	extraneous := with(map[string]string{"argocd.argoproj.io/compare-options": "ServerSideDiff=true,IgnoreExtraneous"})
	unjudged := with(map[string]string{"argocd.argoproj.io/ignore-healthcheck": "true"})
	for _, c := range []struct {
		name string
		ask  func(*unstructured.Unstructured) bool
		o    *unstructured.Unstructured
		want bool
	}{
		{"IgnoreExtraneous", options.Extraneous, extraneous, true},
		{"no IgnoreExtraneous", options.Extraneous, with(nil), false},
		{"ignore-healthcheck", options.Unjudged, unjudged, true},
		{"ignore-healthcheck: false", options.Unjudged, with(map[string]string{"argocd.argoproj.io/ignore-healthcheck": "false"}), false},
		{"SkipDryRunOnMissingResource=true", options.Late, sync("SkipDryRunOnMissingResource=true"), true},
		{"SkipDryRunOnMissingResource=false", options.Late, sync("SkipDryRunOnMissingResource=false"), false},
		{"Flux's force", options.Recreated, flux("force", "enabled"), true},
		{"Flux's force: disabled", options.Recreated, flux("force", "disabled"), false},
	} {
		if got := c.ask(c.o); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func labelled(labels map[string]string, managers ...string) *unstructured.Unstructured {
	o := with(nil)
	o.SetLabels(labels)
	var fields []metav1.ManagedFieldsEntry
	for _, m := range managers {
		fields = append(fields, metav1.ManagedFieldsEntry{Manager: m, Operation: "Apply"})
	}
	o.SetManagedFields(fields)
	return o
}

func TestTrackedBy(t *testing.T) {
	helm := labelled(map[string]string{"app.kubernetes.io/managed-by": "Helm"})
	helm.SetAnnotations(map[string]string{"meta.helm.sh/release-name": "web"})
	for _, c := range []struct {
		name        string
		live        *unstructured.Unstructured
		tool, owner string
		say         string
	}{
		{"nobody's", with(nil), "", "", ""},
		{"Argo CD's tracking annotation", with(map[string]string{"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}), "Argo CD", "application shop", "kubectl annotate -n shop configmap conf argocd.argoproj.io/tracking-id-"},
		{"Argo CD's own label", labelled(map[string]string{"argocd.argoproj.io/instance": "shop"}), "Argo CD", "application shop", "kubectl label"},
		{"the instance label that Argo CD has written", labelled(map[string]string{"app.kubernetes.io/instance": "shop"}, "argocd-controller"), "Argo CD", "application shop", "app.kubernetes.io/instance-"},
		{"the instance label of a chart is nobody's", labelled(map[string]string{"app.kubernetes.io/instance": "shop"}, "kubectl"), "", "", ""},
		{"a Flux kustomization", labelled(map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"}), "Flux", "kustomization apps", "kubectl label -n shop configmap conf kustomize.toolkit.fluxcd.io/name-"},
		{"a Flux helm release", labelled(map[string]string{"helm.toolkit.fluxcd.io/name": "web"}), "Flux", "helmrelease web", "helm.toolkit.fluxcd.io/name-"},
		{"Helm", helm, "Helm", "release web", "not helm uninstall"},
		{"Helm's label alone comes out of templates", labelled(map[string]string{"app.kubernetes.io/managed-by": "Helm"}), "", "", ""},
		{"ours", with(map[string]string{"seatrial.dev/service": "shop.web"}), "", "", ""},
	} {
		got, ok := options.TrackedBy(c.live)
		if ok != (c.tool != "") || got.Tool != c.tool || got.Owner != c.owner {
			t.Errorf("%s: %+v", c.name, got)
		}
		if ok && !strings.Contains(got.HandOver(c.live), c.say) {
			t.Errorf("%s: %s", c.name, got.HandOver(c.live))
		}
	}
}

func TestEveryWordHasAName(t *testing.T) {
	for _, m := range []options.Managing{options.Unknown, options.Apply, options.Once, options.HandsOff} {
		if m.String() == "" {
			t.Errorf("%d has no name", m)
		}
	}
	for _, f := range []options.Fate{options.Undecided, options.Delete, options.Keep, options.Confirm} {
		if f.String() == "" {
			t.Errorf("%d has no name", f)
		}
	}
}
