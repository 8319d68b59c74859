package live_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/health"
	"github.com/seatrial/seatrial/deployer/live/pods"
	"github.com/seatrial/seatrial/release"
)

func object(kind, version, content string, generation int64, status map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": version, "kind": kind,
		"metadata": map[string]any{"name": "web", "namespace": "shop", "generation": generation, "annotations": map[string]any{live.ContentAnnotation: content}},
		"spec":     map[string]any{"replicas": int64(2)}, "status": status}}
}

func deployed(content string, generation, observed, updated, available int64, conditions ...any) *unstructured.Unstructured {
	return object("Deployment", "apps/v1", content, generation, map[string]any{"observedGeneration": observed, "replicas": updated,
		"updatedReplicas": updated, "availableReplicas": available, "conditions": conditions})
}

func checks(t *testing.T, scripts map[string]string, exprs ...release.HealthExpr) *health.Checks {
	t.Helper()
	c, err := health.Compile(scripts, exprs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noted is an object with one more annotation.
func noted(o *unstructured.Unstructured, key, value string) *unstructured.Unstructured {
	o = o.DeepCopy()
	notes := o.GetAnnotations()
	notes[key] = value
	o.SetAnnotations(notes)
	return o
}

func TestJudge(t *testing.T) {
	noChecks := checks(t, map[string]string{"example.dev/_/health.lua": `error("no such field")`},
		release.HealthExpr{APIVersion: "db.dev/v1", Kind: "Database", Current: "status.phase == 'Up'", Failed: "status.phase == 'Broken'"})
	database := func(phase string) *unstructured.Unstructured {
		return object("Database", "db.dev/v1", "new", 1, map[string]any{"phase": phase})
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	want := deployed("new", 0, 0, 0, 0)
	late := map[string]any{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
	crash := &pods.Trouble{Container: "main", Reason: "CrashLoopBackOff", Crash: true, Exit: 3, Since: now.Add(-6 * time.Second)}
	pull := &pods.Trouble{Container: "main", Reason: "ErrImagePull", Message: "not found\nmore", Since: now.Add(-20 * time.Second)}
	pod := func(t *pods.Trouble) []pods.State {
		return []pods.State{{Namespace: "shop", Name: "web-1", Trouble: t, Ready: t == nil}}
	}
	for _, c := range []struct {
		name  string
		pairs []live.Pair
		since time.Time
		state live.State
		says  string
		stale bool
	}{
		{"all replicas of this content are healthy", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 2)}}, now, live.Healthy, "1 objects healthy", false},
		{"a healthy object with other content does not count", []live.Pair{{Want: want, Live: deployed("old", 2, 2, 2, 2)}}, now, live.Progressing, "carries other content", true},
		{"a missing object does not count", []live.Pair{{Want: want}}, now, live.Progressing, "Deployment/web is not there", true},
		{"health of an older generation does not count", []live.Pair{{Want: want, Live: deployed("new", 3, 2, 2, 2)}}, now, live.Progressing, "has not seen the change", false},
		{"a rollout on its way is waited for", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 1), Pods: pod(&pods.Trouble{Reason: "ErrImagePull", Since: now})}}, now, live.Progressing, "(pod web-1: ErrImagePull)", false},
		{"a crash loop ends it early, with the exit code", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 0), Pods: pod(crash)}}, now, live.Degraded, "container main: CrashLoopBackOff, exit code 3", false},
		{"a crash loop that has just begun is waited for", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 0), Pods: pod(&pods.Trouble{Reason: "CrashLoopBackOff", Crash: true, Since: now.Add(-time.Second)})}}, now, live.Progressing, "CrashLoopBackOff", false},
		{"an image that cannot be pulled ends it, in one line", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 0), Pods: pod(pull)}}, now, live.Degraded, "ErrImagePull: not found", false},
		{"a deadline of the revision before does not count", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 0, late)}}, now.Add(-time.Second), live.Progressing, "", false},
		{"a deadline of this revision does", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 0, late)}}, now.Add(-time.Minute), live.Degraded, "progress deadline", false},
		{"the worst object speaks", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 2)}, {Want: want, Live: deployed("new", 2, 2, 2, 0), Pods: pod(crash)}}, now, live.Degraded, "exit code 3", false},
		{"a container that has only just started is not believed", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 2), Pods: []pods.State{{Name: "web-1", Ready: true, Unproved: now.Add(-time.Second)}}}}, now, live.Progressing, "no readiness probe", false},
		{"nor one that has just crashed", []live.Pair{{Want: want, Live: deployed("new", 2, 2, 2, 2), Pods: []pods.State{{Name: "web-1", Ready: true, Crashed: now.Add(-time.Second)}}}}, now, live.Progressing, "has just crashed", false},
		{"a check's opinion counts", []live.Pair{{Want: database(""), Live: database("Broken")}}, now.Add(-time.Minute), live.Degraded, "Database/web", false},
		{"a check that is content", []live.Pair{{Want: database(""), Live: database("Up")}}, now, live.Healthy, "", false},
		{"a check that cannot tell is waited for", []live.Pair{{Want: object("Thing", "example.dev/v1", "new", 1, nil), Live: object("Thing", "example.dev/v1", "new", 1, nil)}}, now.Add(-time.Minute), live.Progressing, "no such field", false},
		{"an object whose health is not to count", []live.Pair{{Want: noted(want, "argocd.argoproj.io/ignore-healthcheck", "true"), Live: deployed("new", 2, 2, 2, 0, late)}}, now.Add(-time.Minute), live.Healthy, "", false},
		{"which has to be there all the same", []live.Pair{{Want: noted(want, "argocd.argoproj.io/ignore-healthcheck", "true")}}, now.Add(-time.Minute), live.Progressing, "is not there", true},
		{"an object that was only made once has its own content", []live.Pair{{Want: want, Live: deployed("old", 2, 2, 2, 2), Loose: true}}, now, live.Healthy, "", false},
		{"a kind without an opinion is healthy", []live.Pair{{Want: object("ConfigMap", "v1", "new", 0, nil), Live: object("ConfigMap", "v1", "new", 0, nil)}}, now, live.Healthy, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := live.Judge(c.pairs, noChecks, c.since, now, live.Config{})
			if got.State != c.state || !strings.Contains(got.Message, c.says) || got.Stale != c.stale {
				t.Errorf("got %+v; want %s %q", got, c.state, c.says)
			}
			if got.State == live.Degraded && got.Hint == "" {
				t.Error("no next step")
			}
		})
	}
}
