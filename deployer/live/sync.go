package live

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	enginesync "github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/syncwaves"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

const (
	defaultMaxDelete = 10
	settle           = 3 * time.Second // for the cache to see what was applied
	settleStep       = 10 * time.Millisecond
)

// Sync makes the cluster hold what is wanted, and returns without waiting for health.
// The same Want again is a no-op. Syncing means that a hook or an earlier wave has to end
// first: call again. An error means the cluster could not be asked; what the cluster
// refused is Refused in the result.
func (c *Clusters) Sync(ctx context.Context, name string, w Want) (Result, error) {
	began := time.Now()
	v, err := c.reach(ctx, name, w.Objects)
	if err != nil {
		return Result{State: Unreachable, Message: err.Error()}, err
	}
	p, err := v.plan(w)
	if err == nil && p.refused == nil {
		p.refused, err = v.execute(ctx, w, &p)
	}
	if err != nil {
		return Result{State: Unreachable, Message: err.Error()}, v.blame(ctx, err)
	}
	res := Result{State: Synced, Objects: p.changes()}
	if p.refused != nil {
		res = *p.refused
	}
	res.Took = time.Since(began)
	return res, nil
}

// Drifted lists the objects that differ from what is wanted, without a change.
func (c *Clusters) Drifted(ctx context.Context, name string, w Want) ([]string, error) {
	v, err := c.reach(ctx, name, w.Objects)
	if err != nil {
		return nil, err
	}
	p, err := v.plan(w)
	if err != nil {
		return nil, v.blame(ctx, err)
	}
	if p.refused != nil {
		return nil, errors.New(p.refused.Message)
	}
	return p.changes(), nil
}

// blame tells "the cluster went away meanwhile" from other trouble.
func (v view) blame(ctx context.Context, err error) error {
	if gone := v.conn.Ready(ctx); gone != nil {
		return gone
	}
	return fmt.Errorf("cluster %s: %s", v.name, kube.Why(err))
}

// plan is what a sync is going to do.
type plan struct {
	objs    []*unstructured.Unstructured // prepared, hooks included
	recon   enginesync.ReconciliationResult
	diffs   *diff.DiffResultList
	deletes []string
	refused *Result // why it must not be done
}

// changes lists what differs and what goes.
func (p plan) changes() []string {
	var out []string
	if p.diffs != nil {
		for i, d := range p.diffs.Diffs {
			if p.recon.Target[i] != nil && d.Modified {
				out = append(out, nameOf(p.recon.Target[i]))
			}
		}
	}
	return append(out, p.deletes...)
}

// plan compares the cluster with what is wanted and applies the guards.
func (v view) plan(w Want) (p plan, err error) {
	p.objs, p.refused, err = prepare(w, v.conn.Namespaced)
	if err != nil || p.refused != nil {
		return p, err
	}
	lives, err := v.cache.GetManagedLiveObjs(p.objs, func(r *cache.Resource) bool {
		o := ownedOf(r)
		return o != nil && o.service == w.Service
	})
	if err != nil {
		return p, err
	}
	if p.refused = foreign(lives, w.Service); p.refused != nil {
		return p, nil
	}
	for key, o := range lives {
		if o != nil && keeps(o) && !wanted(p.objs, key) {
			delete(lives, key) // it asks to stay: to the engine it is not ours
		}
	}
	p.recon = enginesync.Reconcile(p.objs, lives, w.Namespace, v.cache)
	p.deletes = deletions(p.recon)
	if p.refused = guard(p, w); p.refused != nil {
		return p, nil
	}
	if p.diffs, err = compare(p.recon.Target, p.recon.Live); err != nil {
		p.refused, err = unreadable(p.recon), nil
	}
	return p, err
}

func compare(target, live []*unstructured.Unstructured) (*diff.DiffResultList, error) {
	return diff.DiffArray(target, live, diff.WithLogr(logr.Discard()), diff.IgnoreAggregatedRoles(true))
}

// unreadable names the object that is not what its kind says. The library's text is left
// out, because it may quote a Secret.
func unreadable(r enginesync.ReconciliationResult) *Result {
	name := "an object"
	for i, o := range r.Target {
		if _, err := compare(r.Target[i:i+1], r.Live[i:i+1]); err != nil && o != nil {
			name = nameOf(o)
		}
	}
	return &Result{State: Refused, Message: name + " cannot be read as its kind", Hint: "compare its fields and their types with `kubectl explain`; the data of a Secret is base64"}
}

// foreign refuses to take over what another service deployed.
func foreign(lives map[enginekube.ResourceKey]*unstructured.Unstructured, svc release.Service) *Result {
	for _, o := range lives {
		if o == nil {
			continue
		}
		if owner := o.GetAnnotations()[ServiceAnnotation]; owner != "" && owner != annotationOf(svc) {
			return &Result{State: Refused, Message: fmt.Sprintf("%s in namespace %s belongs to %s", nameOf(o), o.GetNamespace(), serviceOf(owner)),
				Hint: "give the object another name, or take it out of the other service first"}
		}
	}
	return nil
}

// deletions lists what is there and no longer wanted.
func deletions(r enginesync.ReconciliationResult) []string {
	var out []string
	for i, o := range r.Live {
		if r.Target[i] == nil && o != nil && !hook.IsHook(o) && o.GetDeletionTimestamp() == nil {
			out = append(out, nameOf(o))
		}
	}
	slices.Sort(out)
	return out
}

func wanted(objs []*unstructured.Unstructured, key enginekube.ResourceKey) bool {
	return slices.ContainsFunc(objs, func(o *unstructured.Unstructured) bool { return enginekube.GetResourceKey(o) == key })
}

// keeps reports whether an object asks not to be deleted, or not without a person.
func keeps(o *unstructured.Unstructured) bool {
	opts := o.GetAnnotations()[common.AnnotationSyncOptions]
	return strings.Contains(opts, "Prune=false") || strings.Contains(opts, "Prune=confirm")
}

// guard refuses a sync that would delete too much.
func guard(p plan, w Want) *Result {
	limit := w.Prune.MaxDelete
	if limit == 0 {
		limit = defaultMaxDelete
	}
	switch {
	case len(p.objs) == 0 && !w.Prune.AllowEmpty:
		return &Result{State: Refused, Message: fmt.Sprintf("%s renders to no object at all; all of it would be deleted", w.Service),
			Hint: "check the manifests' path; the environment's prune.allowEmpty permits it"}
	case len(p.deletes) > limit:
		some := p.deletes[:min(5, len(p.deletes))]
		return &Result{State: Refused, Message: fmt.Sprintf("the sync would delete %d objects, over the limit of %d: %s …", len(p.deletes), limit, strings.Join(some, ", ")),
			Hint: "check that nothing is missing from the manifests, or raise the environment's prune.maxDelete"}
	}
	return nil
}

// execute applies the plan. A nil result is success.
func (v view) execute(ctx context.Context, w Want, p *plan) (*Result, error) {
	stepwise := w.Hooks && isStepwise(p.recon)
	if len(p.changes()) == 0 && !stepwise {
		return nil, nil
	}
	if err := v.namespaces(ctx, p.objs); err != nil {
		return nil, err
	}
	op := v.conn.Operation(v.slots)
	opts := []enginesync.SyncOpt{
		enginesync.WithLogr(logr.Discard()), enginesync.WithPrune(true),
		enginesync.WithServerSideApply(true), enginesync.WithServerSideApplyManager(kube.Manager),
		enginesync.WithResourceModificationChecker(true, p.diffs),
		enginesync.WithSkipHooks(!w.Hooks),
	}
	if stepwise {
		// Names of generated hooks end with the revision and this time: always the same,
		// so that a hook that was started is found again after a crash.
		opts = append(opts, enginesync.WithInitialState(common.OperationRunning, "", v.done(p, w), metav1.NewTime(time.Unix(1, 0))))
	}
	sc, cleanup, err := enginesync.NewSyncContext(string(w.Revision), p.recon, v.conn.Config(), v.conn.Config(), op, "", opts...)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	sc.Sync()
	phase, message, results := sc.GetState()
	if err := op.Trouble(); err != nil {
		return nil, err
	}
	switch phase {
	case common.OperationSucceeded:
		v.settled(ctx, p)
		return nil, nil
	case common.OperationRunning:
		return &Result{State: Syncing, Message: message}, nil
	}
	if err := v.conn.Ready(ctx); err != nil {
		return nil, err
	}
	return refusal(message, results), nil
}

// isStepwise reports whether something has to end before something else may begin.
func isStepwise(r enginesync.ReconciliationResult) bool {
	waves := map[int]bool{}
	for _, o := range r.Target {
		if o != nil {
			waves[syncwaves.Wave(o)] = true
		}
	}
	return len(r.Hooks) > 0 || len(waves) > 1
}

// done tells the engine how far this sync has come, from what the cluster shows: hooks
// that carry this revision have been started, objects that are as wanted were applied.
// So nothing has to be remembered between two steps, or over a crash.
func (v view) done(p *plan, w Want) []common.ResourceSyncResult {
	var out []common.ResourceSyncResult
	for i, o := range p.recon.Target {
		if o != nil && p.recon.Live[i] != nil && !p.diffs.Diffs[i].Modified {
			out = append(out, common.ResourceSyncResult{ResourceKey: enginekube.GetResourceKey(o), Status: common.ResultCodeSynced,
				HookPhase: common.OperationRunning, SyncPhase: common.SyncPhaseSync, Order: len(out) + 1})
		}
	}
	for i, o := range p.recon.Live {
		if p.recon.Target[i] != nil || o == nil || !hook.IsHook(o) || o.GetAnnotations()[RevisionAnnotation] != string(w.Revision) {
			continue
		}
		for _, kind := range hook.Types(o) {
			out = append(out, common.ResourceSyncResult{ResourceKey: enginekube.GetResourceKey(o), Status: common.ResultCodeSynced,
				HookType: kind, HookPhase: common.OperationRunning, SyncPhase: common.SyncPhase(kind), Order: len(out) + 1})
		}
	}
	return out
}

// settled waits, not for long, until the cache has seen what was applied, so that the
// next look does not judge or delete by an older picture.
func (v view) settled(ctx context.Context, p *plan) {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	tick := time.NewTicker(settleStep)
	defer tick.Stop()
	for {
		lives, err := v.cache.GetManagedLiveObjs(p.objs, func(*cache.Resource) bool { return false })
		if err != nil || seen(p.objs, lives) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func seen(objs []*unstructured.Unstructured, lives map[enginekube.ResourceKey]*unstructured.Unstructured) bool {
	for _, o := range objs {
		if hook.IsHook(o) {
			continue
		}
		live := lives[enginekube.GetResourceKey(o)]
		if live == nil || live.GetAnnotations()[ContentAnnotation] != o.GetAnnotations()[ContentAnnotation] {
			return false
		}
	}
	return true
}

// refusal makes one sentence of what the cluster did not take. What it says about a
// Secret is withheld, because it may quote it.
func refusal(message string, results []common.ResourceSyncResult) *Result {
	var said []string
	for _, r := range results {
		if r.Status != common.ResultCodeSyncFailed && !(r.HookPhase == common.OperationFailed || r.HookPhase == common.OperationError) {
			continue
		}
		text := r.Message
		if r.ResourceKey.Kind == "Secret" {
			text = "refused (the message is withheld, because it may quote the Secret)"
		}
		said = append(said, fmt.Sprintf("%s/%s: %s", r.ResourceKey.Kind, r.ResourceKey.Name, strings.TrimSpace(text)))
	}
	if len(said) == 0 {
		said = []string{message}
	}
	text := strings.Join(said, "; ")
	res := &Result{State: Refused, Message: text, Hint: "correct the manifest and push again"}
	switch {
	case strings.Contains(text, "backoff limit"):
		res.Hint = "see why the job fails: kubectl logs job/<its name>"
	case strings.Contains(text, "field is immutable"), strings.Contains(text, "updates to statefulset spec"):
		res.Hint = "that field cannot be changed in place: give the object another name, or delete it first"
	case strings.Contains(text, "unknown field"), strings.Contains(text, "field not declared in schema"):
		res.Hint = "correct the field's name in the manifest and push again"
	case strings.Contains(text, "exceeded quota"):
		res.Hint = "ask for less, or have the namespace's quota raised"
	case strings.Contains(text, "is forbidden"):
		res.Hint = "the cluster's admission or our rights forbid it: see the message"
	}
	return res
}
