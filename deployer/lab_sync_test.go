//go:build lab

package deployer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/render"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/labtest"
	"github.com/seatrial/seatrial/release"
)

// berth is one of the lab's clusters, used without a rollout.
type berth struct {
	*house
	kube  *kube.Cluster
	rules release.SyncRules
}

const berthCluster = "prod-main"

func newBerth(t *testing.T) *berth {
	h := newHouse(t)
	k, err := h.kube.Get(berthCluster)
	if err != nil {
		t.Fatal(err)
	}
	return &berth{house: h, kube: k}
}

func (b *berth) want(text string) live.Want {
	b.t.Helper()
	out, err := render.Parse("m.yaml", []byte(text), render.Options{Service: "shop/web", Namespace: b.ns})
	if err != nil {
		b.t.Fatal(err)
	}
	return live.Want{Service: "shop/web", Revision: "0123456789abcdef", Namespace: b.ns, Objects: out.Objects, Rules: b.rules}
}

// sync repeats the step until it has ended.
func (b *berth) sync(text string) live.Result {
	b.t.Helper()
	w := b.want(text)
	for began := time.Now(); ; {
		res, err := b.live.Sync(b.t.Context(), berthCluster, w)
		if err != nil {
			b.t.Fatal(err)
		}
		if res.State != live.Syncing {
			return res
		}
		if time.Since(began) > time.Minute {
			b.t.Fatalf("the sync does not end: %s", res.Message)
		}
	}
}

func (b *berth) synced(text string) {
	b.t.Helper()
	if res := b.sync(text); res.State != live.Synced {
		b.t.Fatalf("%+v", res)
	}
}

func (b *berth) refused(text, says, hint string) {
	b.t.Helper()
	res := b.sync(text)
	b.t.Logf("%s: %s (%s)", res.State, res.Message, res.Hint)
	if res.State != live.Refused || !strings.Contains(res.Message, says) || !strings.Contains(res.Hint, hint) {
		b.t.Errorf("want a refusal with %q and the hint %q", says, hint)
	}
}

func (b *berth) eventually(what string, ok func() bool) {
	b.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(time.Minute); !ok(); {
		select {
		case <-tick.C:
		case <-late:
			b.t.Fatalf("never: %s", what)
		}
	}
}

func (b *berth) object(version, kind, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind}}
	o.SetName(name)
	o.SetNamespace(b.ns)
	return o
}

func (b *berth) get(version, kind, name string) *unstructured.Unstructured {
	b.t.Helper()
	client, err := b.kube.Objects(b.object(version, kind, name))
	if err != nil {
		b.t.Fatal(err)
	}
	o, err := client.Get(b.t.Context(), name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		b.t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return o
}

// patch is somebody with kubectl.
func (b *berth) patch(version, kind, name, patch string) {
	b.t.Helper()
	client, err := b.kube.Objects(b.object(version, kind, name))
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := client.Patch(b.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		b.t.Fatal(err)
	}
}

// make applies cluster-wide objects of the test's own, and takes them away at its end.
func (b *berth) make(text string) {
	b.t.Helper()
	o := &unstructured.Unstructured{}
	out, err := render.Parse("m.yaml", []byte(text), render.Options{Service: "shop/web", Namespace: b.ns})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, o = range out.Objects {
		client, err := b.kube.Objects(o)
		if err != nil {
			b.t.Fatal(err)
		}
		if _, err := client.Create(b.t.Context(), o, metav1.CreateOptions{}); err != nil {
			b.t.Fatal(err)
		}
		name := o.GetName()
		b.t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(b.t.Context()), 10*time.Second)
			defer cancel()
			_ = client.Delete(ctx, name, metav1.DeleteOptions{})
		})
	}
}

func conf(name, color, notes string) string {
	return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", annotations: {" + notes + "}}\ndata: {color: " + color + "}\n"
}

func TestLabSyncOptions(t *testing.T) {
	b := newBerth(t)
	t.Run("a repeated sync is a no-op, also with everything asked for", func(t *testing.T) {
		text := conf("a", "blue", "") + conf("confirm", "x", "argocd.argoproj.io/sync-options: Prune=confirm") + conf("last", "x", "argocd.argoproj.io/sync-options: PruneLast=true") +
			conf("once", "x", "kustomize.toolkit.fluxcd.io/ssa: IfNotPresent")
		b.synced(text)
		if res := b.sync(text); len(res.Objects) != 0 {
			t.Errorf("%v", res.Objects)
		}
	})
	t.Run("what waits for approval is named, and goes once approved", func(t *testing.T) {
		if res := b.sync(conf("a", "blue", "")); !strings.Contains(res.Message, "ConfigMap/confirm") {
			t.Fatalf("%+v", res)
		}
		b.patch("v1", "ConfigMap", "confirm", `{"metadata":{"annotations":{"argocd.argoproj.io/deletion-approved":"yes"}}}`)
		b.eventually("it goes", func() bool { b.synced(conf("a", "blue", "")); return b.get("v1", "ConfigMap", "confirm") == nil })
	})
	t.Run("Replace=true removes what somebody added, plain applying does not", func(t *testing.T) {
		b.patch("v1", "ConfigMap", "a", `{"data":{"extra":"1"}}`)
		b.synced(conf("a", "red", ""))
		if data, _, _ := unstructured.NestedStringMap(b.get("v1", "ConfigMap", "a").Object, "data"); data["extra"] != "1" || data["color"] != "red" {
			t.Errorf("%v", data)
		}
		b.synced(conf("a", "green", "argocd.argoproj.io/sync-options: Replace=true"))
		if data, _, _ := unstructured.NestedStringMap(b.get("v1", "ConfigMap", "a").Object, "data"); data["extra"] != "" || data["color"] != "green" {
			t.Errorf("%v", data)
		}
	})
	t.Run("Force=true makes again what cannot be changed", func(t *testing.T) {
		frozen := func(color, notes string) string {
			return strings.Replace(conf("frozen", color, notes), "kind: ConfigMap", "immutable: true\nkind: ConfigMap", 1)
		}
		b.synced(frozen("blue", ""))
		before := b.get("v1", "ConfigMap", "frozen").GetUID()
		b.refused(frozen("red", ""), "immutable", "cannot be changed in place")
		b.synced(frozen("red", "argocd.argoproj.io/sync-options: Force=true"))
		if after := b.get("v1", "ConfigMap", "frozen"); after.GetUID() == before {
			t.Error("it is the same object")
		}
	})
	t.Run("what Argo CD looks after is not taken", func(t *testing.T) {
		b.make(conf("argo", "x", "argocd.argoproj.io/tracking-id: 'other:/ConfigMap:x/argo'"))
		b.eventually("it is refused", func() bool { return b.sync(conf("argo", "y", "")).State == live.Refused })
		b.refused(conf("argo", "y", ""), "looked after by Argo CD (application other)", "kubectl annotate")
	})
}

const sized = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, annotations: {note: "NOTE"}}
spec:
  replicas: 2
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: main, image: "IMAGE"}]}
`

func TestLabIgnoredFields(t *testing.T) {
	b := newBerth(t)
	b.rules.IgnoreDifferences = []release.IgnoreRule{{Group: "apps", Kind: "Deployment", JSONPointers: []string{"/spec/replicas"}}}
	image := labtest.Open(t).Image(t, "lab/pause", "1")
	text := func(note string) string {
		return strings.NewReplacer("NAME", "scaled", "NOTE", note, "IMAGE", image).Replace(sized) + strings.NewReplacer("NAME", "left", "NOTE", note, "IMAGE", image).Replace(sized)
	}
	b.synced(text("1"))
	b.patch("apps/v1", "Deployment", "scaled", `{"spec":{"replicas":3}}`)
	w := b.want(text("1"))
	b.eventually("the change is seen", func() bool {
		b.rules = release.SyncRules{}
		plain := b.want(text("1"))
		got, err := b.live.Drifted(t.Context(), berthCluster, plain)
		return err == nil && len(got) == 1
	})
	if got, err := b.live.Drifted(t.Context(), berthCluster, w); err != nil || len(got) != 0 {
		t.Errorf("an ignored field is drift: %v, %v", got, err)
	}
	b.rules = w.Rules
	for _, note := range []string{"2", "3"} {
		b.synced(text(note))
		for name, want := range map[string]int64{"scaled": 3, "left": 2} {
			o := b.get("apps/v1", "Deployment", name)
			if n, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas"); n != want || o.GetAnnotations()["note"] != note {
				t.Errorf("%s has %d replicas, note %s", name, n, o.GetAnnotations()["note"])
			}
		}
	}
}

const widgets = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.lab.seatrial.dev}
spec:
  group: lab.seatrial.dev
  scope: Namespaced
  names: {kind: Widget, plural: widgets, singular: widget}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
---
apiVersion: lab.seatrial.dev/v1
kind: Widget
metadata: {name: w}
spec: {size: 1}
`

func TestLabDefinitionsAndTheirHealth(t *testing.T) {
	b := newBerth(t)
	b.rules.HealthCheckExprs = []release.HealthExpr{{APIVersion: "lab.seatrial.dev/v1", Kind: "Widget", Current: "status.phase == 'Up'", Failed: "status.phase == 'Broken'"}}
	definitions, err := b.kube.Objects(&unstructured.Unstructured{Object: map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}})
	if err != nil {
		t.Fatal(err)
	}
	remove := func(ctx context.Context) {
		if err := definitions.Delete(ctx, "widgets.lab.seatrial.dev", metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		remove(ctx)
	})
	began := time.Now()
	b.synced(widgets)
	t.Logf("a definition and its object in one sync: %v", time.Since(began).Round(time.Millisecond))
	health := func() live.Result {
		res, err := b.live.Health(t.Context(), berthCluster, b.want(widgets), time.Now().Add(-time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := health(); res.State != live.Progressing {
		t.Errorf("%+v", res)
	}
	for phase, want := range map[string]live.State{"Broken": live.Degraded, "Up": live.Healthy} {
		b.patch("lab.seatrial.dev/v1", "Widget", "w", `{"status":{"phase":"`+phase+`"}}`)
		b.eventually(phase+" is "+string(want), func() bool { return health().State == want })
	}
	b.patch("lab.seatrial.dev/v1", "Widget", "w", `{"spec":{"size":7}}`)
	b.eventually("drift of the new kind is seen", func() bool {
		got, err := b.live.Diff(t.Context(), berthCluster, b.want(widgets))
		return err == nil && len(got) == 1 && strings.Contains(got[0].Text, "-  size: 7")
	})
	remove(t.Context())
	_, only, _ := strings.Cut(strings.TrimPrefix(widgets, "---\n"), "---\n")
	b.eventually("the kind is gone", func() bool { return b.sync(strings.Replace(only, "size: 1", "size: 2", 1)).State == live.Refused })
	b.refused(strings.Replace(only, "size: 1", "size: 2", 1), "Widget", "definition")
	b.eventually("all of it comes back", func() bool { return b.sync(widgets).State == live.Synced })
}

func TestLabWhatTheClusterDoesNotTake(t *testing.T) {
	b := newBerth(t)
	b.synced(conf("a", "blue", ""))
	t.Run("a quota", func(t *testing.T) {
		b.make("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {count/services: \"0\"}}\n")
		b.eventually("the quota counts", func() bool {
			used, _, _ := unstructured.NestedStringMap(b.get("v1", "ResourceQuota", "small").Object, "status", "used")
			return used["count/services"] == "0"
		})
		b.refused("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None, ports: [{port: 80}]}\n", "exceeded quota", "quota")
	})
	t.Run("a policy that denies", func(t *testing.T) {
		b.make(`---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: ` + b.ns + `}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ` + b.ns + `}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
  validations: [{expression: "!object.data.color.startsWith('pink')", message: "no pink here"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: ` + b.ns + `}
spec: {policyName: ` + b.ns + `, validationActions: [Deny]}
`)
		color := "pink"
		b.eventually("the policy counts", func() bool {
			color += "er" // another content each time
			return b.sync(conf("a", color, "")).State == live.Refused
		})
		b.refused(conf("a", "pinkest", ""), "no pink here", "admission")
	})
	t.Run("a webhook that does not answer", func(t *testing.T) {
		b.make(`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: ` + b.ns + `}
webhooks:
- name: hangs.seatrial.dev
  clientConfig: {url: "https://198.18.255.254:9/"}
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ` + b.ns + `}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]
  sideEffects: None
  admissionReviewVersions: [v1]
  timeoutSeconds: 1
  failurePolicy: Fail
`)
		var res live.Result
		n := ""
		b.eventually("the webhook counts", func() bool {
			var err error
			n += "d"
			if res, err = b.live.Sync(t.Context(), berthCluster, b.want(conf("hangs", "re"+n, ""))); err != nil {
				t.Fatal(err)
			}
			return res.State != live.Synced
		})
		t.Log(res.Message)
		if res.State != live.Syncing || !strings.Contains(res.Message, "an admission webhook does not answer") {
			t.Errorf("%+v", res)
		}
	})
}

func TestLabNamespaceThatEnds(t *testing.T) {
	b := newBerth(t)
	b.synced(conf("a", "blue", "") + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, finalizers: [seatrial.dev/lab]}\n")
	if err := b.kube.Typed().CoreV1().Namespaces().Delete(t.Context(), b.ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	color := "red"
	var res live.Result
	b.eventually("the namespace is seen to end", func() bool {
		var err error
		color += "d"
		if res, err = b.live.Sync(t.Context(), berthCluster, b.want(conf("b", color, ""))); err != nil {
			t.Fatal(err)
		}
		return res.State == live.Syncing
	})
	t.Log(res.Message)
	if !strings.Contains(res.Message, "is being deleted") {
		t.Errorf("%+v", res)
	}
	b.patch("v1", "ConfigMap", "held", `{"metadata":{"finalizers":null}}`)
	b.eventually("it is gone, and made again", func() bool {
		res, err := b.live.Sync(t.Context(), berthCluster, b.want(conf("b", "blue", "")))
		return err == nil && res.State == live.Synced && b.get("v1", "ConfigMap", "b") != nil
	})
}

func TestLabDifferencesHideSecrets(t *testing.T) {
	b := newBerth(t)
	text := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: hunter1, other: same-for-all}\n"
	b.synced(text)
	if res := b.sync(text); len(res.Objects) != 0 {
		t.Errorf("a secret in plain text is applied again and again: %v", res.Objects)
	}
	b.patch("v1", "Secret", "s", `{"stringData":{"key":"hunter2"}}`)
	b.eventually("the drift is seen", func() bool {
		got, err := b.live.Diff(t.Context(), berthCluster, b.want(text))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return false
		}
		t.Log(got[0].Text)
		for _, secret := range []string{"hunter", "aHVudGVy", "same-for-all", "c2FtZS1mb3It"} {
			if strings.Contains(got[0].Text, secret) {
				t.Errorf("it shows %s", secret)
			}
		}
		return true
	})
}

func TestLabWhatACrashIsExplainedBy(t *testing.T) {
	b := newBerth(t)
	image := labtest.Open(t).Image(t, "lab/pause", "1")
	w := b.want(strings.NewReplacer("NAME", "crash", "NOTE", "1", `"IMAGE"`, `"`+image+`", command: [/nope]`).Replace(sized))
	b.eventually("it is applied", func() bool {
		res, err := b.live.Sync(t.Context(), berthCluster, w)
		return err == nil && res.State == live.Synced
	})
	pod := func() (at details.Ref) {
		grown, err := b.live.Resources(t.Context(), berthCluster, w)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range grown.Nodes {
			if n.Kind == "Pod" {
				at = details.Ref{Kind: n.Kind, Namespace: n.Namespace, Name: n.Name}
			}
		}
		return at
	}
	b.eventually("the pod says why", func() bool {
		got, err := b.live.Details(t.Context(), berthCluster, w, pod())
		if err != nil || got.Missing || got.Problem != "" || len(got.Containers) != 1 || len(got.Conditions) == 0 {
			return false
		}
		c := got.Containers[0]
		return c.Reason != "" && c.Last != nil && c.Last.Exit != 0 && slices.ContainsFunc(got.Events, func(e details.Event) bool {
			return e.Type == "Warning" && e.Count > 0 && !e.Last.IsZero()
		})
	})
	got, err := b.live.Details(t.Context(), berthCluster, w, details.Ref{Group: "apps", Kind: "Deployment", Namespace: b.ns, Name: "crash"})
	if err != nil || !slices.ContainsFunc(got.Conditions, func(c details.Condition) bool { return c.Type == "Available" && c.Status == "False" }) || len(got.Events) == 0 {
		t.Errorf("the Deployment: %+v, %v", got, err)
	}
	b.make(conf("stranger", "x", ""))
	if got, err := b.live.Details(t.Context(), berthCluster, w, details.Ref{Kind: "ConfigMap", Namespace: b.ns, Name: "stranger"}); err != nil || !got.Missing {
		t.Errorf("an object that is not the service's: %+v, %v", got, err)
	}
}

func TestLabLateKind(t *testing.T) {
	b := newBerth(t)
	_, only, _ := strings.Cut(strings.TrimPrefix(widgets, "---\n"), "---\n")
	late := strings.NewReplacer("lab.seatrial.dev", "late.seatrial.dev", "name: w}", "name: w, annotations: {argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true}}").Replace(only)
	res, err := b.live.Sync(t.Context(), berthCluster, b.want(late))
	if err != nil || res.State != live.Syncing || !strings.Contains(res.Message, "does not serve the kind of Widget/w yet") {
		t.Fatalf("%+v, %v", res, err)
	}
	definition, _, _ := strings.Cut(strings.TrimPrefix(widgets, "---\n"), "---\n")
	b.make(strings.ReplaceAll(definition, "lab.seatrial.dev", "late.seatrial.dev"))
	b.eventually("the object is applied", func() bool {
		res, err := b.live.Sync(t.Context(), berthCluster, b.want(late))
		return err == nil && res.State == live.Synced
	})
	if b.get("late.seatrial.dev/v1", "Widget", "w") == nil {
		t.Error("it is not there")
	}
}
