package live_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
	"github.com/seatrial/seatrial/release"
)

// quiet is for the whole run: watches of a test that has ended may still look.
var quiet = sync.OnceFunc(kube.Quiet)

// patience is for a machine under load.
const patience = 10 * time.Second

// yard is one cluster that is a small API server.
type yard struct {
	*testing.T
	server *kubetest.Server
	live   *live.Clusters
	rules  release.SyncRules
}

func open(t *testing.T, kinds ...kubetest.Kind) *yard {
	t.Helper()
	quiet()
	dir := t.TempDir()
	y := &yard{T: t, server: kubetest.New(t, kinds...)}
	y.server.Credentials(t, dir, "prod")
	y.live = live.New(kube.Open(dir), live.Config{})
	t.Cleanup(y.live.Close)
	return y
}

func parse(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for part := range strings.SplitSeq(text, "\n---\n") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(part), &o.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

func (y *yard) want(text string) live.Want {
	return live.Want{Service: "shop/web", Revision: "r1", Namespace: "shop", Objects: parse(y.T, text), Rules: y.rules, Hooks: true}
}

// sync repeats the step until it has ended.
func (y *yard) sync(w live.Want) live.Result {
	y.Helper()
	for began := time.Now(); ; {
		res, err := y.live.Sync(y.Context(), "prod", w)
		if err != nil {
			y.Fatalf("could not ask: %v", err)
		}
		if res.State != live.Syncing {
			return res
		}
		if time.Since(began) > patience {
			y.Fatalf("the sync does not end: %s", res.Message)
		}
	}
}

func (y *yard) synced(text string) live.Result {
	y.Helper()
	res := y.sync(y.want(text))
	if res.State != live.Synced {
		y.Fatalf("%s: %s (%s)", res.State, res.Message, res.Hint)
	}
	return res
}

// changed lists what was changed on the cluster since the last time: "PATCH ConfigMap/a".
// The namespace is left out: it is made again until the watch has shown it.
func (y *yard) changed() []string {
	var out []string
	for _, c := range y.server.Calls() {
		if c.Kind != "Namespace" {
			out = append(out, c.Method+" "+c.Kind+"/"+c.Name)
		}
	}
	return out
}

// eventually waits for what the cluster's watch brings.
func (y *yard) eventually(what string, ok func() bool) {
	y.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			y.Fatalf("never: %s", what)
		}
	}
}

const twoMaps = `
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {color: blue}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
data: {color: blue}
`

func TestSyncAppliesOnlyWhatDiffers(t *testing.T) {
	y := open(t)
	if res := y.synced(twoMaps); len(res.Objects) != 2 {
		t.Fatalf("%v", res.Objects)
	}
	calls := y.server.Calls()
	if len(calls) != 3 || calls[0].Kind != "Namespace" {
		t.Errorf("%v", calls)
	}
	for _, c := range calls {
		if c.Method != "PATCH" || !strings.Contains(c.Query, "fieldManager=seatrial") || !strings.Contains(c.Query, "force=true") {
			t.Errorf("not applied on the server's side: %+v", c)
		}
	}
	if res := y.synced(twoMaps); len(res.Objects) != 0 || len(y.changed()) != 0 {
		t.Errorf("a repeated sync changed %v", res.Objects)
	}
	y.synced(strings.Replace(twoMaps, "name: b}\ndata: {color: blue}", "name: b}\ndata: {color: red}", 1))
	if got := y.changed(); !slices.Equal(got, []string{"PATCH ConfigMap/b"}) {
		t.Errorf("%v", got)
	}
}

func TestDriftIsSeenAgainEachTime(t *testing.T) {
	y := open(t)
	y.synced(twoMaps)
	w := y.want(twoMaps)
	w.Hooks = false
	for range 2 {
		o := y.server.Get("ConfigMap", "shop", "a")
		o.Object["data"] = map[string]any{"color": "red"}
		y.server.Put(o)
		y.eventually("the drift is seen", func() bool {
			got, err := y.live.Drifted(t.Context(), "prod", w)
			return err == nil && slices.Equal(got, []string{"ConfigMap/a"})
		})
		diffs, err := y.live.Diff(t.Context(), "prod", w)
		if err != nil || len(diffs) != 1 || diffs[0].Act != live.Changes || diffs[0].Namespace != "shop" || !strings.Contains(diffs[0].Text, "-  color: red\n+  color: blue") {
			t.Fatalf("%+v, %v", diffs, err)
		}
		grown, err := y.live.Resources(t.Context(), "prod", w)
		if err != nil || len(grown.Nodes) != 2 || grown.Nodes[0].State != tree.Drifted || grown.Nodes[1].State != tree.Synced {
			t.Errorf("%+v, %v", grown, err)
		}
		if res := y.sync(w); res.State != live.Synced {
			t.Fatalf("%+v", res)
		}
		if got, err := y.live.Drifted(t.Context(), "prod", w); err != nil || len(got) != 0 {
			t.Errorf("after the heal: %v, %v", got, err)
		}
	}
}

func TestPrune(t *testing.T) {
	y := open(t)
	with := func(name, notes string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", annotations: {" + notes + "}}\n"
	}
	stays := with("stays", "argocd.argoproj.io/sync-options: Prune=false")
	asks := with("asks", "argocd.argoproj.io/sync-options: Prune=confirm")
	idle := with("idle", "argocd.argoproj.io/compare-options: IgnoreExtraneous")
	y.synced(twoMaps + stays + asks + with("goes", "a: b"))
	y.changed()
	res := y.synced(twoMaps)
	if got := y.changed(); !slices.Equal(got, []string{"DELETE ConfigMap/goes"}) {
		t.Errorf("%v", got)
	}
	if !strings.Contains(res.Message, "ConfigMap/asks in namespace shop (kubectl annotate") || strings.Contains(res.Message, "stays") {
		t.Errorf("nobody is told what waits: %q", res.Message)
	}
	diffs, err := y.live.Diff(t.Context(), "prod", y.want(twoMaps))
	if err != nil || len(diffs) != 1 || diffs[0].Name != "asks" || diffs[0].Act != live.Waits {
		t.Errorf("%+v, %v", diffs, err)
	}
	grown, err := y.live.Resources(t.Context(), "prod", y.want(twoMaps))
	if err != nil || !slices.ContainsFunc(grown.Nodes, func(n tree.Node) bool { return n.Name == "asks" && n.State == tree.Waiting }) {
		t.Errorf("%+v, %v", grown, err)
	}
	o := y.server.Get("ConfigMap", "shop", "asks")
	notes := o.GetAnnotations()
	notes["argocd.argoproj.io/deletion-approved"] = "yes"
	o.SetAnnotations(notes)
	y.server.Put(o)
	y.eventually("the approval is seen", func() bool {
		y.synced(twoMaps)
		return slices.Equal(y.changed(), []string{"DELETE ConfigMap/asks"})
	})
	y.synced(twoMaps + idle)
	w := y.want(twoMaps)
	if got, err := y.live.Drifted(t.Context(), "prod", w); err != nil || len(got) != 0 {
		t.Errorf("what is to be ignored is drift: %v, %v", got, err)
	}
	y.changed()
	y.synced(twoMaps)
	if got := y.changed(); !slices.Equal(got, []string{"DELETE ConfigMap/idle"}) {
		t.Errorf("%v", got)
	}
}

func TestWhatIsLeftAlone(t *testing.T) {
	y := open(t)
	off := strings.Replace(twoMaps, "name: b}", `name: b, annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}}`, 1)
	once := strings.Replace(twoMaps, "name: b}", `name: b, annotations: {kustomize.toolkit.fluxcd.io/ssa: IfNotPresent}}`, 1)
	y.synced(off)
	if y.server.Get("ConfigMap", "shop", "b") != nil {
		t.Error("what is not to be reconciled was made")
	}
	y.synced(once)
	if y.server.Get("ConfigMap", "shop", "b") == nil {
		t.Fatal("what is made once was not made")
	}
	changed := strings.Replace(once, "ssa: IfNotPresent}}\ndata: {color: blue}", "ssa: IfNotPresent}}\ndata: {color: red}", 1)
	y.changed()
	y.synced(changed)
	if got := y.changed(); len(got) != 0 {
		t.Errorf("what was made once was changed: %v", got)
	}
	res, err := y.live.Health(t.Context(), "prod", y.want(changed), time.Time{})
	if err != nil || res.State != live.Healthy {
		t.Errorf("%+v, %v", res, err)
	}
	y.synced(off)
	if got := y.changed(); len(got) != 0 || y.server.Get("ConfigMap", "shop", "b") == nil {
		t.Errorf("what is not to be reconciled was touched: %v", got)
	}
}

func TestNothingIsStolen(t *testing.T) {
	y := open(t)
	cases := map[string]struct{ notes, labels, says, next string }{
		"argo": {notes: "argocd.argoproj.io/tracking-id: 'shop:/ConfigMap:shop/argo'", says: "is looked after by Argo CD (application shop)", next: "--cascade=false"},
		"flux": {labels: "kustomize.toolkit.fluxcd.io/name: apps", says: "is looked after by Flux (kustomization apps)", next: "kustomize.toolkit.fluxcd.io/name-"},
		"helm": {notes: "meta.helm.sh/release-name: web", labels: "app.kubernetes.io/managed-by: Helm", says: "is looked after by Helm (release web)", next: "meta.helm.sh/release-name-"},
		"ours": {notes: "seatrial.dev/service: pay.api", says: "belongs to pay/api", next: "another name"},
	}
	for name, c := range cases {
		y.server.Put(parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "+name+", namespace: shop, annotations: {"+c.notes+"}, labels: {"+c.labels+"}}\n")[0])
	}
	y.server.Put(parse(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nobody, namespace: shop}\n")[0])
	for name, c := range cases {
		res := y.sync(y.want("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"))
		if res.State != live.Refused || res.Message != "ConfigMap/"+name+" in namespace shop "+c.says || !strings.Contains(res.Hint, c.next) {
			t.Errorf("%s: %+v", name, res)
		}
	}
	if got := y.changed(); len(got) != 0 {
		t.Errorf("something was touched: %v", got)
	}
	if res := y.sync(y.want("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argo, annotations: {kustomize.toolkit.fluxcd.io/reconcile: disabled}}\n")); res.State != live.Synced || len(y.changed()) != 0 {
		t.Errorf("what is not to be touched anyway: %+v", res)
	}
	if res := y.sync(y.want("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: nobody}\n")); res.State != live.Synced {
		t.Errorf("what nobody looks after: %+v", res)
	}
}

const deploymentText = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 2, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "web:1"}]}}}
`

func TestIgnoredFieldsAreNeitherDriftNorApplied(t *testing.T) {
	y := open(t)
	y.rules.IgnoreDifferences = []release.IgnoreRule{{Group: "apps", Kind: "Deployment", JSONPointers: []string{"/spec/replicas"}}}
	y.synced(deploymentText)
	replicas := func() int64 {
		n, _, _ := unstructured.NestedInt64(y.server.Get("Deployment", "shop", "web").Object, "spec", "replicas")
		return n
	}
	if replicas() != 2 {
		t.Fatalf("a new object has %d replicas", replicas())
	}
	o := y.server.Get("Deployment", "shop", "web")
	o.Object["spec"].(map[string]any)["replicas"] = int64(7)
	o.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "hpa", Operation: "Update", FieldsType: "FieldsV1", FieldsV1: fieldsOf(t, `{"f:spec":{"f:replicas":{}}}`)}})
	o.SetLabels(map[string]string{"seen": "yes", live.ManagedByLabel: live.ManagedBy})
	y.server.Put(o)
	w := y.want(deploymentText)
	w.Hooks = false
	y.eventually("the change is seen", func() bool {
		res, err := y.live.Health(t.Context(), "prod", w, time.Time{})
		return err == nil && res.State != ""
	})
	if got, err := y.live.Drifted(t.Context(), "prod", w); err != nil || len(got) != 0 {
		t.Errorf("an ignored field is drift: %v, %v", got, err)
	}
	y.changed()
	y.synced(strings.Replace(deploymentText, "web:1", "web:2", 1))
	if got := y.changed(); !slices.Contains(got, "PATCH Deployment/web") || replicas() != 7 {
		t.Errorf("%v; %d replicas", got, replicas())
	}
}

func fieldsOf(t *testing.T, text string) *metav1.FieldsV1 {
	t.Helper()
	f := &metav1.FieldsV1{}
	if err := f.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestNamespaces(t *testing.T) {
	y := open(t)
	y.rules.Namespaces = release.NamespacesRequire
	if res := y.sync(y.want(twoMaps)); res.State != live.Refused || !strings.Contains(res.Message, "no namespace shop") || res.Hint == "" || len(y.changed()) != 0 {
		t.Errorf("%+v", res)
	}
	y.rules.Namespaces = release.NamespacesCreate
	y.synced(twoMaps)
	ns := y.server.Get("Namespace", "", "shop")
	now := metav1.Now()
	ns.SetDeletionTimestamp(&now)
	y.server.Put(ns)
	color := "red"
	y.eventually("the namespace is seen to end", func() bool {
		color += "d" // another content each time
		res, err := y.live.Sync(t.Context(), "prod", y.want(strings.ReplaceAll(twoMaps, "blue", color)))
		if err != nil || res.State == live.Refused {
			t.Fatalf("%+v, %v", res, err)
		}
		return res.State == live.Syncing && strings.Contains(res.Message, "namespace shop is being deleted")
	})
}

const widget = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.dev}
spec: {group: example.dev, scope: Namespaced, names: {kind: Widget, plural: widgets}, versions: [{name: v1, served: true, storage: true}]}
---
apiVersion: example.dev/v1
kind: Widget
metadata: {name: w}
spec: {size: 1}
`

func TestADefinitionAndItsObjectsInOneSync(t *testing.T) {
	y := open(t)
	y.synced(widget)
	got := y.changed()
	if d, w := slices.Index(got, "PATCH CustomResourceDefinition/widgets.example.dev"), slices.Index(got, "PATCH Widget/w"); d < 0 || w < d {
		t.Fatalf("%v", got)
	}
	if o := y.server.Get("Widget", "shop", "w"); o == nil {
		t.Fatal("the object is not in its namespace")
	}
	y.eventually("the new kind is watched", func() bool {
		o := y.server.Get("Widget", "shop", "w")
		o.Object["spec"] = map[string]any{"size": int64(2)}
		y.server.Put(o)
		w := y.want(widget)
		w.Hooks = false
		got, err := y.live.Drifted(t.Context(), "prod", w)
		return err == nil && slices.Equal(got, []string{"Widget/w"})
	})
	y.synced(widget)
	_, only, _ := strings.Cut(widget, "---\n")
	y.server.Serve(kubetest.Kind{Group: "example.dev", Version: "v1", Kind: "Widget", Resource: "widgets"}, false)
	res := y.sync(y.want(strings.Replace(only, "size: 1", "size: 3", 1)))
	if res.State != live.Refused || !strings.Contains(res.Message, "Widget") || !strings.Contains(res.Hint, "definition") {
		t.Errorf("a definition that is gone: %+v", res)
	}
}

func TestAKindThatComesLate(t *testing.T) {
	y := open(t)
	_, only, _ := strings.Cut(widget, "---\n")
	if res := y.sync(y.want(only)); res.State != live.Refused || !strings.Contains(res.Message, "no kind Widget") {
		t.Fatalf("%+v", res)
	}
	late := strings.Replace(only, "name: w}", "name: w, annotations: {argocd.argoproj.io/sync-options: SkipDryRunOnMissingResource=true}}", 1)
	res, err := y.live.Sync(t.Context(), "prod", y.want(late))
	if err != nil || res.State != live.Syncing || !strings.Contains(res.Message, "does not serve the kind of Widget/w yet") {
		t.Fatalf("%+v, %v", res, err)
	}
	y.server.Serve(kubetest.Kind{Group: "example.dev", Version: "v1", Kind: "Widget", Resource: "widgets"}, true)
	if res := y.sync(y.want(late)); res.State != live.Synced || y.server.Get("Widget", "shop", "w") == nil {
		t.Errorf("%+v", res)
	}
}

func TestForceAndReplace(t *testing.T) {
	option := func(o string) string {
		return strings.Replace(strings.ReplaceAll(twoMaps, "blue", "red"), "name: a}", "name: a, annotations: {"+o+"}}", 1)
	}
	for _, c := range []struct {
		name, text string
		want       []string // about a
	}{
		{"what cannot be changed in place is refused", option(""), nil},
		{"Force=true deletes it and makes it again", option("argocd.argoproj.io/sync-options: Force=true"), []string{"PATCH", "DELETE", "PATCH"}},
		{"Flux's force, too", option("kustomize.toolkit.fluxcd.io/force: enabled"), []string{"PATCH", "DELETE", "PATCH"}},
		{"Replace=true puts it in its place", option("argocd.argoproj.io/sync-options: Replace=true"), []string{"PUT"}},
		{"both delete it first", option("argocd.argoproj.io/sync-options: 'Replace=true,Force=true'"), []string{"DELETE", "PATCH"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := open(t)
			y.server.Refuse = func(method string, o *unstructured.Unstructured) *kubetest.Refusal {
				if method == http.MethodPatch && o.GetName() == "a" && y.server.Get("ConfigMap", "shop", "a") != nil {
					return &kubetest.Refusal{Code: 422, Reason: "Invalid", Message: "data: field is immutable"}
				}
				return nil
			}
			y.synced(twoMaps)
			y.changed()
			res := y.sync(y.want(c.text))
			if c.want == nil {
				if res.State != live.Refused || !strings.Contains(res.Hint, "cannot be changed in place") {
					t.Errorf("%+v", res)
				}
				return
			}
			var got []string
			for _, call := range y.changed() {
				if method, ok := strings.CutSuffix(call, " ConfigMap/a"); ok {
					got = append(got, method)
				}
			}
			if res.State != live.Synced || !slices.Equal(got, c.want) {
				t.Errorf("%+v: %v", res, got)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name     string
		no       kubetest.Refusal
		state    live.State
		says     string
		nextStep string
	}{
		{"a webhook that denies", kubetest.Refusal{Code: 403, Reason: "Forbidden", Message: `admission webhook "policy.dev" denied the request: no`}, live.Refused, "denied the request", "own admission"},
		{"a webhook that does not answer", kubetest.Refusal{Code: 500, Reason: "InternalError", Message: `Internal error occurred: failed calling webhook "policy.dev": context deadline exceeded`}, live.Syncing, `an admission webhook does not answer: failed calling webhook "policy.dev"`, ""},
		{"a quota", kubetest.Refusal{Code: 403, Reason: "Forbidden", Message: `configmaps "a" is forbidden: exceeded quota: small`}, live.Refused, "exceeded quota", "quota"},
		{"a namespace that ends", kubetest.Refusal{Code: 403, Reason: "Forbidden", Message: `configmaps "a" is forbidden: unable to create new content in namespace shop because it is being terminated`}, live.Refused, "being terminated", "kubectl get namespace"},
		{"an unknown field", kubetest.Refusal{Code: 500, Reason: "InternalError", Message: ".data.x: field not declared in schema"}, live.Refused, "not declared", "field's name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			y := open(t)
			y.server.Refuse = func(_ string, o *unstructured.Unstructured) *kubetest.Refusal {
				if o.GetKind() == "ConfigMap" {
					return &c.no
				}
				return nil
			}
			res, err := y.live.Sync(t.Context(), "prod", y.want(twoMaps))
			if err != nil || res.State != c.state || !strings.Contains(res.Message, c.says) || !strings.Contains(res.Hint, c.nextStep) {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

func TestBrokenRulesAreARefusalWithANextStep(t *testing.T) {
	y := open(t)
	y.rules.HealthCheckExprs = []release.HealthExpr{{APIVersion: "v1", Kind: "ConfigMap", Current: "("}}
	if res := y.sync(y.want(twoMaps)); res.State != live.Refused || res.Hint == "" {
		t.Errorf("%+v", res)
	}
	if _, err := y.live.Diff(t.Context(), "prod", y.want(twoMaps)); err == nil || hint.Of(err) == "" {
		t.Errorf("%v", err)
	}
}

func TestNothingIsDeletedByMistake(t *testing.T) {
	y := open(t)
	y.synced(twoMaps)
	y.changed()
	w := y.want("")
	if res := y.sync(w); res.State != live.Refused || !strings.Contains(res.Message, "no object at all") {
		t.Errorf("%+v", res)
	}
	if res := y.sync(y.want(strings.TrimPrefix(job("migrate", "PreSync", "HookSucceeded"), "---\n"))); res.State != live.Refused || !strings.Contains(res.Message, "nothing but hooks") {
		t.Errorf("%+v", res)
	}
	w.Prune.AllowEmpty, w.Prune.MaxDelete = true, 1
	if res := y.sync(w); res.State != live.Refused || !strings.Contains(res.Message, "delete 2 objects") {
		t.Errorf("%+v", res)
	}
	w.Prune.MaxDelete = 2
	if res := y.sync(w); res.State != live.Synced || len(y.changed()) != 2 {
		t.Errorf("%+v", res)
	}
}
