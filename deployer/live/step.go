package live

import (
	"math"

	enginesync "github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/resource"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/syncwaves"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/release"
)

// isStepwise reports whether something has to end before something else may begin.
func isStepwise(r enginesync.ReconciliationResult) bool {
	waves, last := map[int]bool{}, false
	for i, o := range r.Target {
		switch live := r.Live[i]; {
		case o != nil:
			waves[syncwaves.Wave(o)] = true
		case live != nil && !hook.IsHook(live):
			last = last || resource.HasAnnotationOption(live, common.AnnotationSyncOptions, common.SyncOptionPruneLast)
		}
	}
	return len(r.Hooks) > 0 || len(waves) > 1 || last
}

// done tells the engine how far this sync has come, from what the cluster shows: hooks
// that carry this revision have been started, and so have objects that are as wanted, as
// far as their turn has come. An object of a later wave that happens to be as wanted is
// not waited for: what is applied before it may be what mends it. So nothing has to be
// remembered between two steps, or over a crash.
func done(r enginesync.ReconciliationResult, modified func(i int) bool, revision release.Commit) []common.ResourceSyncResult {
	var out []common.ResourceSyncResult
	add := func(o *unstructured.Unstructured, kind common.HookType, phase common.SyncPhase, state common.OperationPhase) {
		out = append(out, common.ResourceSyncResult{ResourceKey: enginekube.GetResourceKey(o), Status: common.ResultCodeSynced,
			HookType: kind, HookPhase: state, SyncPhase: phase, Order: len(out) + 1})
	}
	started, failing := startedHooks(r, revision)
	turn := turnOf(r, modified, started)
	for i, o := range r.Target {
		if o != nil && r.Live[i] != nil && !modified(i) && syncwaves.Wave(o) < turn {
			add(o, "", common.SyncPhaseSync, common.OperationRunning)
		}
	}
	for _, o := range started {
		for _, kind := range hook.Types(o) {
			add(o, kind, common.SyncPhase(kind), common.OperationRunning)
		}
	}
	if !failing {
		return out
	}
	for _, o := range r.Hooks { // they ran, failed and were deleted for that
		if o.GetName() == "" || isStarted(started, o) || !deletedWhenFailed(o) {
			continue
		}
		for _, kind := range hook.Types(o) {
			if kind != common.HookTypeSyncFail {
				add(o, kind, common.SyncPhase(kind), common.OperationFailed)
			}
		}
	}
	return out
}

// startedHooks are those on the cluster that ran for this revision; failing says that one
// of them is there because the sync has failed.
func startedHooks(r enginesync.ReconciliationResult, revision release.Commit) (started []*unstructured.Unstructured, failing bool) {
	for i, o := range r.Live {
		if r.Target[i] != nil || o == nil || !hook.IsHook(o) || o.GetAnnotations()[RevisionAnnotation] != string(revision) {
			continue
		}
		started = append(started, o)
		for _, kind := range hook.Types(o) {
			failing = failing || kind == common.HookTypeSyncFail
		}
	}
	return started, failing
}

// turnOf is the lowest wave of the phase Sync that has something to start; beyond all
// waves when there is nothing left, and before all while a hook has to run first.
func turnOf(r enginesync.ReconciliationResult, modified func(i int) bool, started []*unstructured.Unstructured) int {
	turn := math.MaxInt
	for i, o := range r.Target {
		if o != nil && (r.Live[i] == nil || modified(i)) {
			turn = min(turn, syncwaves.Wave(o))
		}
	}
	for _, o := range r.Hooks {
		for _, kind := range hook.Types(o) {
			switch {
			case isStarted(started, o):
			case kind == common.HookTypePreSync:
				turn = math.MinInt
			case kind == common.HookTypeSync:
				turn = min(turn, syncwaves.Wave(o))
			}
		}
	}
	return turn
}

// isStarted finds a hook on the cluster, also under a generated name.
func isStarted(started []*unstructured.Unstructured, want *unstructured.Unstructured) bool {
	for _, o := range started {
		same := o.GetName() == want.GetName()
		if want.GetName() == "" {
			same = o.GetGenerateName() == want.GetGenerateName()
		}
		if same && o.GetKind() == want.GetKind() && o.GetNamespace() == want.GetNamespace() {
			return true
		}
	}
	return false
}

func deletedWhenFailed(o *unstructured.Unstructured) bool {
	for _, p := range hook.DeletePolicies(o) {
		if p == common.HookDeletePolicyHookFailed {
			return true
		}
	}
	return false
}
