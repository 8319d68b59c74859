package kube_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	engineio "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/io"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
)

func object(kind, version, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind, "spec": map[string]any{"size": int64(1)}}}
	o.SetName(name)
	o.SetNamespace("shop")
	return o
}

// operations opens a server and the engine's four-method interface to it.
func operations(t *testing.T) (*kubetest.Server, *kube.Cluster, *kube.Operation, enginekube.ResourceOperations) {
	t.Helper()
	s, dir := kubetest.New(t), t.TempDir()
	s.Credentials(t, dir, "c")
	c, err := kube.Open(dir).Get("c")
	if err != nil {
		t.Fatal(err)
	}
	op := c.Operation(make(chan struct{}, 2))
	ops, cleanup, err := op.ManageResources(c.EngineConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cleanup)
	return s, c, op, ops
}

func methods(s *kubetest.Server) (all []string) {
	for _, c := range s.Calls() {
		all = append(all, c.Method)
	}
	return all
}

func TestADryRunChangesNothing(t *testing.T) {
	s, _, _, ops := operations(t)
	s.Put(object("ConfigMap", "v1", "a"))
	next := object("ConfigMap", "v1", "a")
	next.Object["spec"] = map[string]any{"size": int64(2)}
	for _, dry := range []cmdutil.DryRunStrategy{cmdutil.DryRunClient, cmdutil.DryRunServer} {
		text, err := ops.ApplyResource(t.Context(), next, dry, true, true, true, "x")
		if err != nil || dry == cmdutil.DryRunServer && !strings.Contains(text, `"size":2`) {
			t.Errorf("apply: %q, %v", text, err)
		}
		if _, err := ops.ReplaceResource(t.Context(), next, dry, true); err != nil {
			t.Errorf("replace: %v", err)
		}
		if _, err := ops.CreateResource(t.Context(), next, dry, true); err != nil {
			t.Errorf("create: %v", err)
		}
		if _, err := ops.UpdateResource(t.Context(), next, dry); err != nil {
			t.Errorf("update: %v", err)
		}
	}
	if n, _, _ := unstructured.NestedInt64(s.Get("ConfigMap", "shop", "a").Object, "spec", "size"); n != 1 {
		t.Errorf("size %d", n)
	}
	for _, c := range s.Calls() {
		if !strings.Contains(c.Query, "dryRun=All") {
			t.Errorf("%+v", c)
		}
	}
}

func TestEachWayToChangeAnObject(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(enginekube.ResourceOperations, *unstructured.Unstructured) error
		want []string
	}{
		{"apply", func(ops enginekube.ResourceOperations, o *unstructured.Unstructured) error {
			_, err := ops.ApplyResource(t.Context(), o, cmdutil.DryRunNone, false, true, true, "x")
			return err
		}, []string{"PATCH"}},
		{"create", func(ops enginekube.ResourceOperations, o *unstructured.Unstructured) error {
			_, err := ops.CreateResource(t.Context(), o, cmdutil.DryRunNone, true)
			return err
		}, []string{"PATCH"}},
		{"replace", func(ops enginekube.ResourceOperations, o *unstructured.Unstructured) error {
			_, err := ops.ReplaceResource(t.Context(), o, cmdutil.DryRunNone, false)
			return err
		}, []string{"PUT"}},
		{"replace with force", func(ops enginekube.ResourceOperations, o *unstructured.Unstructured) error {
			_, err := ops.ReplaceResource(t.Context(), o, cmdutil.DryRunNone, true)
			return err
		}, []string{"DELETE", "PATCH"}},
		{"update", func(ops enginekube.ResourceOperations, o *unstructured.Unstructured) error {
			_, err := ops.UpdateResource(t.Context(), o, cmdutil.DryRunNone)
			return err
		}, []string{"PUT"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _, op, ops := operations(t)
			before := object("ConfigMap", "v1", "a")
			before.Object["extra"] = "left by somebody"
			s.Put(before)
			before = s.Get("ConfigMap", "shop", "a")
			if err := c.do(ops, object("ConfigMap", "v1", "a")); err != nil {
				t.Fatal(err)
			}
			after := s.Get("ConfigMap", "shop", "a")
			if got := methods(s); !slices.Equal(got, c.want) {
				t.Errorf("%v", got)
			}
			if all, _ := op.Done(); len(all) != 1 || all[0].GetName() != "a" || !kube.Shows(after.GetResourceVersion(), all[0]) || kube.Shows(before.GetResourceVersion(), all[0]) {
				t.Errorf("%v", all)
			}
			if kept := after.Object["extra"] != nil; kept != (c.want[0] == "PATCH") {
				t.Errorf("what somebody left is there: %v", kept)
			}
		})
	}
}

func TestANamespaceIsNeverDeletedToBeMadeAgain(t *testing.T) {
	s, _, _, ops := operations(t)
	ns := object("Namespace", "v1", "shop")
	ns.SetNamespace("")
	s.Put(ns)
	s.Refuse = func(string, *unstructured.Unstructured) *kubetest.Refusal {
		return &kubetest.Refusal{Code: http.StatusUnprocessableEntity, Reason: "Invalid", Message: "field is immutable"}
	}
	if _, err := ops.ApplyResource(t.Context(), ns, cmdutil.DryRunNone, true, true, true, "x"); err == nil {
		t.Error("it was taken")
	}
	if got := methods(s); slices.Contains(got, "DELETE") {
		t.Errorf("%v", got)
	}
}

// TestNothingGoesToDisk: the engine's own way to apply writes credentials and manifests to
// temporary files.
func TestNothingGoesToDisk(t *testing.T) {
	tmp, before := t.TempDir(), engineio.TempDir
	engineio.TempDir = tmp
	t.Cleanup(func() { engineio.TempDir = before })
	s, c, op, ops := operations(t)
	var seen []os.DirEntry
	s.Refuse = func(string, *unstructured.Unstructured) *kubetest.Refusal {
		now, _ := os.ReadDir(tmp)
		seen = append(seen, now...)
		return nil
	}
	secret := object("Secret", "v1", "key")
	for _, force := range []bool{false, true} {
		if _, err := ops.ApplyResource(t.Context(), secret, cmdutil.DryRunNone, force, true, true, "x"); err != nil {
			t.Fatal(err)
		}
		if _, err := ops.ReplaceResource(t.Context(), secret, cmdutil.DryRunNone, force); err != nil {
			t.Fatal(err)
		}
	}
	if err := op.DeleteResource(t.Context(), c.Config(), secret.GroupVersionKind(), "key", "shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(tmp)
	if len(seen)+len(left) > 0 || err != nil || s.Get("Secret", "shop", "key") != nil {
		t.Errorf("meanwhile %v, then %v, %v", seen, left, err)
	}
}

func TestAKindThatIsGone(t *testing.T) {
	s, c, op, ops := operations(t)
	widgets := kubetest.Kind{Group: "example.dev", Version: "v1", Kind: "Widget", Resource: "widgets"}
	s.Serve(widgets, true)
	w := object("Widget", "example.dev/v1", "w")
	if _, err := ops.ApplyResource(t.Context(), w, cmdutil.DryRunNone, false, true, true, "x"); err != nil {
		t.Fatal(err)
	}
	s.Serve(widgets, false)
	_, err := ops.ApplyResource(t.Context(), w, cmdutil.DryRunNone, false, true, true, "x")
	if !meta.IsNoMatchError(err) || !op.Missing(schema.GroupKind{Group: "example.dev", Kind: "Widget"}) || op.Trouble() != nil {
		t.Errorf("%v; trouble %v", err, op.Trouble())
	}
	if _, err := c.Namespaced(w.GroupVersionKind()); !meta.IsNoMatchError(err) {
		t.Errorf("it is still believed to be served: %v", err)
	}
	if err := op.DeleteResource(t.Context(), c.Config(), w.GroupVersionKind(), "w", "shop", metav1.DeleteOptions{}); err != nil {
		t.Errorf("its objects went with it: %v", err)
	}
}

func TestHangs(t *testing.T) {
	s, _, op, ops := operations(t)
	s.Refuse = func(string, *unstructured.Unstructured) *kubetest.Refusal {
		return &kubetest.Refusal{Code: 500, Reason: "InternalError", Message: `Internal error occurred: failed calling webhook "x.dev": context deadline exceeded`}
	}
	if _, err := ops.ApplyResource(t.Context(), object("ConfigMap", "v1", "a"), cmdutil.DryRunNone, false, true, true, "x"); err == nil {
		t.Fatal("it was taken")
	}
	if got := kube.Hangs(op.Trouble()); got != `an admission webhook does not answer: failed calling webhook "x.dev": context deadline exceeded` {
		t.Errorf("%q", got)
	}
	if got := kube.Hangs(os.ErrDeadlineExceeded); !strings.Contains(got, "not to this") {
		t.Errorf("a call that times out: %q", got)
	}
	if got := kube.Hangs(os.ErrClosed); got != "" {
		t.Errorf("other trouble: %q", got)
	}
}

func TestKindsAreAskedForOnce(t *testing.T) {
	s, c, _, _ := operations(t)
	s.Serve(kubetest.Kind{Group: "example.dev", Version: "v1", Kind: "Widget", Resource: "widgets"}, true)
	ask := func() string {
		t.Helper()
		disco, err := discovery.NewDiscoveryClientForConfig(c.EngineConfig())
		if err != nil {
			t.Fatal(err)
		}
		list, err := disco.ServerResourcesForGroupVersion("example.dev/v1")
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, r := range list.APIResources {
			all = append(all, fmt.Sprint(r.Kind, r.Name, r.Namespaced, r.Verbs))
		}
		return strings.Join(all, " ")
	}
	const widgets = "Widgetwidgetstrue [get list watch patch update delete create]"
	if got := ask(); got != widgets {
		t.Fatalf("%q, want %q", got, widgets)
	}
	s.Serve(kubetest.Kind{Group: "example.dev", Version: "v1", Kind: "Gadget", Resource: "gadgets"}, true)
	if got := ask(); strings.Contains(got, "Gadget") {
		t.Errorf("it was asked again: %s", got)
	}
	if ns, err := c.Namespaced(schema.GroupVersionKind{Group: "example.dev", Version: "v1", Kind: "Gadget"}); err != nil || !ns {
		t.Fatal(err)
	}
	if got := ask(); !strings.Contains(got, "Gadget") {
		t.Errorf("a new kind is not seen: %s", got)
	}
}
