package live_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/kube/kubetest"
)

// job is a hook of Argo CD's.
func job(name, hook, policy string) string {
	return "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: " + name + ", annotations: {argocd.argoproj.io/hook: " + hook + ", argocd.argoproj.io/hook-delete-policy: " + policy + "}}\nspec: {}\n"
}

func wave(name string, n string) string {
	return "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", annotations: {argocd.argoproj.io/sync-wave: '" + n + "'}}\nspec: {replicas: 1}\n"
}

// ended gives a job its end, and the watch the time to bring it.
func (y *yard) ended(name, condition string) {
	y.Helper()
	o := y.server.Get("Job", "shop", name)
	if o == nil {
		y.Fatalf("there is no job %s", name)
	}
	o.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": condition, "status": "True", "message": name + " has ended"}}}
	y.server.Put(o)
}

func (y *yard) healthy(name string) {
	y.Helper()
	o := y.server.Get("Deployment", "shop", name)
	if o == nil {
		y.Fatalf("there is no deployment %s", name)
	}
	o.Object["status"] = map[string]any{"observedGeneration": o.GetGeneration(), "replicas": int64(1), "updatedReplicas": int64(1), "availableReplicas": int64(1)}
	y.server.Put(o)
}

// steps repeats the step until something is there, and says what was changed meanwhile.
func (y *yard) steps(w live.Want, kind, name string) (changed []string) {
	y.Helper()
	y.eventually(kind+"/"+name+" is made", func() bool {
		res, err := y.live.Sync(y.Context(), "prod", w)
		if err != nil || res.State == live.Refused {
			y.Fatalf("%+v, %v", res, err)
		}
		changed = append(changed, y.changed()...)
		return y.server.Get(kind, "shop", name) != nil
	})
	return changed
}

// last repeats the step until the sync has ended.
func (y *yard) last(w live.Want) (res live.Result) {
	y.Helper()
	y.eventually("the sync ends", func() bool {
		var err error
		if res, err = y.live.Sync(y.Context(), "prod", w); err != nil {
			y.Fatal(err)
		}
		return res.State != live.Syncing
	})
	return res
}

func TestHooksAndWavesInOrder(t *testing.T) {
	y := open(t)
	w := y.want(twoMaps + job("pre", "PreSync", "BeforeHookCreation") + job("post", "PostSync", "HookSucceeded") + wave("first", "-1") + wave("second", "2"))
	if got := y.steps(w, "Job", "pre"); len(got) != 1 {
		t.Errorf("before the hook has ended: %v", got)
	}
	y.ended("pre", "Complete")
	if got := y.steps(w, "Deployment", "first"); slices.Contains(got, "PATCH ConfigMap/a") {
		t.Errorf("a later wave came too early: %v", got)
	}
	y.healthy("first")
	if got := y.steps(w, "ConfigMap", "a"); slices.Contains(got, "PATCH Deployment/second") {
		t.Errorf("a later wave came too early: %v", got)
	}
	y.steps(w, "Deployment", "second")
	y.healthy("second")
	y.steps(w, "Job", "post")
	y.ended("post", "Complete")
	if res := y.last(w); res.State != live.Synced {
		t.Fatalf("%+v", res)
	}
	y.eventually("the hook that succeeded is deleted", func() bool { return y.server.Get("Job", "shop", "post") == nil })
	if y.server.Get("Job", "shop", "pre") == nil {
		t.Error("the other hook is deleted")
	}
}

func TestOnARollBackOnlyHooksRunThatAskForIt(t *testing.T) {
	y := open(t)
	migrate := job("migrate", "PreSync", "BeforeHookCreation")
	if w := y.want(twoMaps + migrate).Returning(); w.Hooks || len(w.Objects) != 2 {
		t.Errorf("hooks %t, %d objects", w.Hooks, len(w.Objects))
	}
	flush := strings.Replace(job("flush", "PostSync", "BeforeHookCreation"), "annotations: {", `annotations: {seatrial.dev/hook-on-rollback: "true", `, 1)
	w := y.want(twoMaps + migrate + flush).Returning()
	y.steps(w, "Job", "flush")
	y.ended("flush", "Complete")
	if res := y.last(w); res.State != live.Synced || y.server.Get("Job", "shop", "migrate") != nil {
		t.Errorf("%+v, migrate %v", res, y.server.Get("Job", "shop", "migrate"))
	}
}

func TestAHookThatFailsStopsTheSyncAndRunsOnce(t *testing.T) {
	y := open(t)
	w := y.want(twoMaps + job("pre", "PreSync", "HookFailed") + job("mail", "SyncFail", "BeforeHookCreation"))
	y.steps(w, "Job", "pre")
	y.ended("pre", "Failed")
	var all []string
	all = append(all, y.steps(w, "Job", "mail")...)
	y.ended("mail", "Complete")
	res := y.last(w)
	all = append(all, y.changed()...)
	if res.State != live.Refused {
		t.Errorf("%+v", res)
	}
	if y.server.Get("ConfigMap", "shop", "a") != nil {
		t.Error("an object was made all the same")
	}
	for _, c := range all {
		if strings.HasPrefix(c, "PATCH Job/pre") {
			t.Errorf("the hook ran again: %v", all)
		}
	}
}

func TestWhatIsBrokenDoesNotHoldUpWhatMendsIt(t *testing.T) {
	y := open(t)
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {color: COLOR}\n" + wave("web", "1")
	w := y.want(strings.Replace(text, "COLOR", "blue", 1))
	y.steps(w, "Deployment", "web")
	o := y.server.Get("Deployment", "shop", "web")
	o.Object["status"] = map[string]any{"observedGeneration": o.GetGeneration(), "conditions": []any{map[string]any{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "status": "False"}}}
	y.server.Put(o)
	y.changed()
	next := y.want(strings.Replace(text, "COLOR", "red", 1))
	next.Revision = "r2"
	y.eventually("the change is applied", func() bool {
		res, err := y.live.Sync(t.Context(), "prod", next)
		if err != nil {
			t.Fatalf("%+v, %v", res, err)
		}
		return slices.Contains(y.changed(), "PATCH ConfigMap/a")
	})
}

func TestPruneLast(t *testing.T) {
	y := open(t)
	old := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: old, annotations: {argocd.argoproj.io/sync-options: PruneLast=true}}\n"
	y.synced(twoMaps + old)
	y.changed()
	next := twoMaps + wave("web", "0")
	w := y.want(next)
	if got := y.steps(w, "Deployment", "web"); slices.Contains(got, "DELETE ConfigMap/old") {
		t.Errorf("it went before the others were there: %v", got)
	}
	res, err := y.live.Sync(t.Context(), "prod", w)
	if err != nil || res.State != live.Syncing || y.server.Get("ConfigMap", "shop", "old") == nil {
		t.Errorf("it does not wait for the others' health: %+v, %v", res, err)
	}
	y.healthy("web")
	if res := y.last(w); res.State != live.Synced || y.server.Get("ConfigMap", "shop", "old") != nil {
		t.Errorf("%+v", res)
	}
}

func TestASyncThatFailsInAWaveLeavesTheLaterOnes(t *testing.T) {
	y := open(t)
	y.server.Refuse = func(_ string, o *unstructured.Unstructured) *kubetest.Refusal {
		if o.GetName() == "first" {
			return &kubetest.Refusal{Code: 403, Reason: "Forbidden", Message: `deployments "first" is forbidden: exceeded quota`}
		}
		return nil
	}
	if res := y.last(y.want(wave("first", "0") + wave("second", "1"))); res.State != live.Refused || y.server.Get("Deployment", "shop", "second") != nil {
		t.Errorf("%+v", res)
	}
}
