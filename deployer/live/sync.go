package live

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	enginesync "github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/live/options"
	"github.com/seatrial/seatrial/deployer/live/refusal"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
)

const (
	settle     = 3 * time.Second // for the cache to see what was applied
	settleStep = 10 * time.Millisecond

	settleSteps = 5 // between two looks at everything
)

// Sync makes the cluster hold what is wanted, and returns without waiting for health.
// The same Want again is a no-op. Syncing means that a hook, an earlier wave or something
// on the cluster has to end first: call again. An error means the cluster could not be
// asked; what the cluster refused is Refused in the result.
func (c *Clusters) Sync(ctx context.Context, name string, w Want) (Result, error) {
	began := time.Now()
	v, err := c.reach(ctx, name, w.Objects)
	if err != nil {
		return Result{State: Unreachable, Message: err.Error()}, err
	}
	p, err := v.plan(ctx, w, whether)
	stop := p.refused
	if err == nil && stop == nil {
		stop, err = v.execute(ctx, w, &p)
	}
	if err != nil {
		return Result{State: Unreachable, Message: err.Error()}, v.blame(ctx, err)
	}
	res := Result{State: Synced, Objects: p.changes(), Message: awaitsApproval(p.waiting)}
	if stop != nil {
		res = *stop
	}
	res.Took = time.Since(began)
	return res, nil
}

// awaitsApproval says what a person can do about what is kept until then.
func awaitsApproval(kept []*unstructured.Unstructured) string {
	if len(kept) == 0 {
		return ""
	}
	var names []string
	for _, o := range kept {
		names = append(names, nameOf(o)+in(o))
	}
	return fmt.Sprintf("not wanted any more, and kept until somebody approves: %s (kubectl annotate KIND NAME %s=yes)", brief(names), options.Approved)
}

// Drifted lists the objects that differ from what is wanted, without a change.
func (c *Clusters) Drifted(ctx context.Context, name string, w Want) ([]string, error) {
	_, p, err := c.compared(ctx, name, w, whether)
	if err != nil {
		return nil, err
	}
	if all := p.changes(); len(all) > p.idle {
		return all, nil
	}
	return nil, nil
}

// compared is what a sync would do. What it would not do, is an error.
func (c *Clusters) compared(ctx context.Context, name string, w Want, look depth) (view, plan, error) {
	v, err := c.reach(ctx, name, w.Objects)
	if err != nil {
		return view{}, plan{}, err
	}
	p, err := v.plan(ctx, w, look)
	if err != nil {
		return view{}, plan{}, v.blame(ctx, err)
	}
	if p.refused != nil {
		return view{}, plan{}, hint.Add(errors.New(p.refused.Message), p.refused.Hint)
	}
	return v, p, nil
}

// blame tells "the cluster went away meanwhile" from other trouble.
func (v view) blame(ctx context.Context, err error) error {
	if gone := v.conn.Ready(ctx); gone != nil {
		return gone
	}
	return fmt.Errorf("cluster %s: %s", v.name, kube.Why(err))
}

// execute applies the plan. A nil result is success.
func (v view) execute(ctx context.Context, w Want, p *plan) (*Result, error) {
	stepwise := w.Hooks && isStepwise(p.recon)
	if len(p.changes()) == 0 && !stepwise {
		return nil, nil
	}
	if stop, err := v.namespaces(ctx, p.objs, w.Rules.Namespaces); err != nil || stop != nil {
		return stop, err
	}
	if err := v.yield(ctx, p); err != nil {
		return nil, err
	}
	op := v.conn.Operation(v.slots)
	opts := []enginesync.SyncOpt{
		enginesync.WithLogr(logr.Discard()), enginesync.WithPrune(true), enginesync.WithPruneConfirmed(true), // what waits is not in the plan
		enginesync.WithServerSideApply(true), enginesync.WithServerSideApplyManager(kube.Manager),
		enginesync.WithResourceModificationChecker(true, p.known()),
		enginesync.WithHealthOverride(p.rules.health), enginesync.WithSkipHooks(!w.Hooks),
	}
	if stepwise {
		// Names of generated hooks end with the revision and this time: always the same,
		// so that a hook that was started is found again after a crash.
		modified := func(i int) bool { return p.diffs.Diffs[i].Modified }
		opts = append(opts, enginesync.WithInitialState(common.OperationRunning, "", done(p.recon, modified, w.Revision), metav1.NewTime(time.Unix(1, 0))))
	}
	cfg := v.conn.EngineConfig()
	sc, cleanup, err := enginesync.NewSyncContext(string(w.Revision), p.recon, cfg, cfg, op, "", opts...)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	sc.Sync()
	if err := op.Trouble(); err != nil {
		return v.stuck(ctx, err)
	}
	v.settled(ctx, op)
	phase, message, results := sc.GetState()
	switch phase {
	case common.OperationSucceeded:
		return nil, nil
	case common.OperationRunning:
		return &Result{State: Syncing, Message: message}, nil
	}
	if err := v.conn.Ready(ctx); err != nil {
		return nil, err
	}
	if late := awaited(p.objs, op.Missing); late != "" {
		return &Result{State: Syncing, Message: late}, nil
	}
	words := refusal.Words(message, results)
	return &Result{State: Refused, Message: words, Hint: refusal.NextStep(words)}, nil
}

// stuck tells a cluster that is away from one that is there and does not answer to this:
// then the sync goes on, and ends when its time is up.
func (v view) stuck(ctx context.Context, err error) (*Result, error) {
	if gone := v.conn.Ready(ctx); gone != nil {
		return nil, gone
	}
	if why := kube.Hangs(err); why != "" {
		return &Result{State: Syncing, Message: why}, nil
	}
	return nil, err
}

// awaited says which kinds have to appear before the sync can go on, when their objects
// say that they may be late.
func awaited(objs []*unstructured.Unstructured, missing func(schema.GroupKind) bool) string {
	var names []string
	for _, o := range objs {
		if missing(o.GroupVersionKind().GroupKind()) {
			if !options.Late(o) {
				return ""
			}
			names = append(names, nameOf(o))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "the cluster does not serve the kind of " + brief(names) + " yet"
}

// yield leaves ignored fields that somebody else owns out of what is going to be applied.
func (v view) yield(ctx context.Context, p *plan) error {
	for i, target := range p.recon.Target {
		live := p.recon.Live[i]
		if target == nil || live == nil || !p.diffs.Diffs[i].Modified || !p.rules.ignore.Matches(target) {
			continue
		}
		fresh, err := v.fresh(ctx, live)
		if err != nil {
			return err
		}
		if fresh == nil {
			continue // it is gone: then all of it is applied
		}
		if p.recon.Target[i], err = p.rules.ignore.Yield(ctx, target, fresh, kube.Manager); err != nil {
			return err
		}
	}
	return nil
}

// settled waits, not for long, until the cache shows what was applied and deleted, so that
// the next step does not judge, delete or start a hook by an older picture.
func (v view) settled(ctx context.Context, op *kube.Operation) {
	applied, deleted := op.Done()
	if len(applied)+len(deleted) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	tick := time.NewTicker(settleStep)
	defer tick.Stop()
	for step := 1; ; step++ {
		if len(deleted) == 0 && v.seen.Since(applied) {
			return
		}
		if len(deleted) > 0 || step%settleSteps == 0 { // an apply that changed nothing brings nothing
			lives, err := v.cache.GetManagedLiveObjs(append(applied, deleted...), func(*cache.Resource) bool { return false })
			if err != nil || shown(lives, applied, deleted) {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func shown(lives objects, applied, deleted []*unstructured.Unstructured) bool {
	for _, o := range applied {
		if live := lives[enginekube.GetResourceKey(o)]; live == nil || !kube.Shows(live.GetResourceVersion(), o) {
			return false
		}
	}
	for _, o := range deleted {
		if live := lives[enginekube.GetResourceKey(o)]; live != nil && live.GetDeletionTimestamp() == nil {
			return false
		}
	}
	return true
}
