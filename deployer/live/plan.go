package live

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	enginesync "github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/covers"
	"github.com/seatrial/seatrial/deployer/live/ignore"
	"github.com/seatrial/seatrial/deployer/live/options"
)

const defaultMaxDelete = 10

type objects = map[enginekube.ResourceKey]*unstructured.Unstructured

// plan is what a sync is going to do.
type plan struct {
	objs    []*unstructured.Unstructured // prepared, hooks included; without what is left alone
	rules   *rules
	recon   enginesync.ReconciliationResult
	diffs   *diff.DiffResultList
	deletes []string
	idle    int                          // deletes that are no drift
	waiting []*unstructured.Unstructured // not wanted any more, and kept until a person approves
	refused *Result                      // why it must not be done
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

// depth is how closely a plan looks at objects.
type depth bool

const (
	whether depth = false // they differ
	exactly depth = true  // and in what
)

// plan compares the cluster with what is wanted and applies the guards.
func (v view) plan(ctx context.Context, w Want, look depth) (p plan, err error) {
	if p.rules, p.refused = v.all.rules(w.Rules); p.refused != nil {
		return p, nil
	}
	p.objs, p.refused, err = prepare(w, v.conn.Namespaced)
	if err != nil || p.refused != nil {
		return p, err
	}
	shapes, mark := map[enginekube.ResourceKey]uint64{}, markOf(w.Service)
	lives, err := v.lives(p.objs)
	if err != nil {
		return p, err
	}
	for _, r := range v.mirror.Of(v.cache, mark) {
		key, o := r.ResourceKey(), ownedOf(r)
		if o.service != w.Service {
			continue
		}
		live, wanted := lives[key]
		if !wanted && r.Resource != nil && len(r.OwnerRefs) == 0 {
			live, lives[key] = r.Resource, r.Resource
		}
		if live != nil && live.GetResourceVersion() == r.ResourceVersion { // a change may have come in between: it proves nothing of what was before
			shapes[key] = o.shape
		}
	}
	p.sort(lives)
	if p.refused = foreign(lives, w.Service); p.refused != nil {
		return p, nil
	}
	p.recon = enginesync.Reconcile(p.objs, lives, w.Namespace, v.cache)
	p.deletions()
	if p.refused = cmp.Or(guardEmpty(p.deletes, w), guard(p.deletes, w)); p.refused != nil {
		return p, nil
	}
	p.refused, err = v.compare(ctx, &p, shapes, look)
	return p, err
}

// sort takes out of the plan what is left alone: what nobody may change, and what is not
// wanted any more and stays all the same.
func (p *plan) sort(lives objects) {
	wanted := make(map[enginekube.ResourceKey]bool, len(p.objs))
	p.objs = slices.DeleteFunc(p.objs, func(o *unstructured.Unstructured) bool {
		key := enginekube.GetResourceKey(o)
		wanted[key] = true
		m := options.Of(o, lives[key])
		if m == options.Apply || m == options.Once && lives[key] == nil {
			return false
		}
		delete(lives, key)
		return true
	})
	for key, o := range lives {
		if o == nil || wanted[key] || hook.IsHook(o) {
			continue
		}
		switch options.PruneOf(o, len(wanted) == 0) {
		case options.Confirm:
			p.waiting = append(p.waiting, o)
			delete(lives, key) // to the engine it is not ours
		case options.Keep:
			delete(lives, key)
		}
	}
	slices.SortFunc(p.waiting, func(a, b *unstructured.Unstructured) int { return strings.Compare(nameOf(a), nameOf(b)) })
}

// compare finds what differs. An object whose content and look were found to fit once is
// not compared again until one of them changes.
func (v view) compare(ctx context.Context, p *plan, shapes map[enginekube.ResourceKey]uint64, look depth) (*Result, error) {
	p.diffs = &diff.DiffResultList{Diffs: make([]diff.DiffResult, len(p.recon.Target))}
	for i, target := range p.recon.Target {
		live := p.recon.Live[i]
		if target == nil {
			continue // it goes, or is a hook: there is nothing to compare
		}
		key := enginekube.GetResourceKey(target)
		shape, ours := shapes[key]
		now := proof{content: target.GetAnnotations()[ContentAnnotation], shape: shape, rules: p.rules.id}
		if ours && live != nil && (v.proofs.holds(key, now) || look == whether && covers.Object(target, live)) {
			v.proofs.keep(key, now)
			continue
		}
		if ours && live != nil && look == whether && live.GetAnnotations()[ContentAnnotation] != now.content {
			p.diffs.Diffs[i].Modified, p.diffs.Modified = true, true
			continue
		}
		d, err := v.diff(ctx, p.rules.ignore, target, live)
		if err != nil {
			return nil, err
		}
		if d == nil {
			return unreadable(target), nil
		}
		p.diffs.Diffs[i] = *d
		p.diffs.Modified = p.diffs.Modified || d.Modified
		if ours && live != nil && !d.Modified {
			v.proofs.keep(key, now)
		}
	}
	return nil, nil
}

// diff compares one object, without the fields that somebody else owns. nil means that it
// is not what its kind says.
func (v view) diff(ctx context.Context, set *ignore.Set, target, live *unstructured.Unstructured) (*diff.DiffResult, error) {
	if live != nil && set.Matches(target) {
		if set.NeedsManagers(target) {
			fresh, err := v.fresh(ctx, live)
			if err != nil {
				return nil, err
			}
			live = fresh
		}
		var err error
		if target, live, err = bare(ctx, set, target, live); err != nil {
			return nil, err
		}
	}
	d, err := diff.Diff(target, live, diff.WithLogr(logr.Discard()), diff.IgnoreAggregatedRoles(true))
	if err != nil {
		return nil, nil // the library's text is left out, because it may quote a Secret
	}
	return d, nil
}

// fresh asks the API server for an object with the owners of its fields, which the cache
// does not keep; nil when it is gone.
func (v view) fresh(ctx context.Context, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	client, err := v.conn.Objects(live)
	if err != nil {
		return nil, err
	}
	o, err := client.Get(ctx, live.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return o, err
}

// bare is a pair of objects without the ignored fields.
func bare(ctx context.Context, set *ignore.Set, target, live *unstructured.Unstructured) (t, l *unstructured.Unstructured, err error) {
	if live == nil {
		return target, nil, nil
	}
	managed := live.GetManagedFields()
	for _, o := range []**unstructured.Unstructured{&target, &live} {
		paths, err := set.Paths(ctx, *o, managed)
		if err != nil {
			return nil, nil, err
		}
		*o = (*o).DeepCopy()
		(*o).SetManagedFields(nil)
		ignore.Remove(*o, paths)
	}
	return target, live, nil
}

// known fills in what the engine wants to read of objects that were not compared.
func (p *plan) known() *diff.DiffResultList {
	for i, d := range p.diffs.Diffs {
		if d.NormalizedLive != nil {
			continue
		}
		o := p.recon.Live[i]
		p.diffs.Diffs[i].NormalizedLive, _ = json.Marshal(map[string]any{"apiVersion": o.GetAPIVersion(), "kind": o.GetKind(),
			"metadata": map[string]any{"name": o.GetName(), "namespace": o.GetNamespace()}})
	}
	return p.diffs
}

func unreadable(o *unstructured.Unstructured) *Result {
	return &Result{State: Refused, Message: nameOf(o) + " cannot be read as its kind", Hint: "compare its fields and their types with `kubectl explain`; the data of a Secret is base64"}
}

// deletions finds what is there and no longer wanted, and counts what of it is no drift.
func (p *plan) deletions() {
	for i, o := range p.recon.Live {
		if p.recon.Target[i] != nil || o == nil || hook.IsHook(o) || o.GetDeletionTimestamp() != nil {
			continue
		}
		p.deletes = append(p.deletes, nameOf(o))
		if options.Extraneous(o) {
			p.idle++
		}
	}
	slices.Sort(p.deletes)
}

// guardEmpty refuses to take a service away by mistake. Hooks alone are no service, if
// there was one.
func guardEmpty(deletes []string, w Want) *Result {
	what := "renders to no object at all; all of it"
	if len(w.Objects) > 0 {
		what = "renders to nothing but hooks; all else of it"
	}
	if w.Prune.AllowEmpty || len(w.Objects) > 0 && len(deletes) == 0 || slices.ContainsFunc(w.Objects, func(o *unstructured.Unstructured) bool { return !hook.IsHook(o) }) {
		return nil
	}
	return &Result{State: Refused, Message: fmt.Sprintf("%s %s would be deleted", w.Service, what),
		Hint: "check the manifests' path; the environment's prune.allowEmpty permits it"}
}

// guard refuses a sync that would delete too much.
func guard(deletes []string, w Want) *Result {
	limit := w.Prune.MaxDelete
	if limit == 0 {
		limit = defaultMaxDelete
	}
	if len(deletes) <= limit {
		return nil
	}
	some := deletes[:min(5, len(deletes))]
	return &Result{State: Refused, Message: fmt.Sprintf("the sync would delete %d objects, over the limit of %d: %s …", len(deletes), limit, strings.Join(some, ", ")),
		Hint: "check that nothing is missing from the manifests, or raise the environment's prune.maxDelete"}
}
