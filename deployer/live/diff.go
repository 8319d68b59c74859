package live

import (
	"context"
	"fmt"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/show"
)

// ObjectDiff is how one object on a cluster differs from what is wanted.
type ObjectDiff struct {
	Kind, Namespace, Name string
	Act                   Act
	Text                  string // unified, from what is there to what is wanted; secrets are masked
}

// Act is what a sync would do to an object.
type Act string

// The acts.
const (
	Creates Act = "create"
	Changes Act = "change"
	Deletes Act = "delete"
	Waits   Act = "wait" // for a person to approve that it is deleted
)

// Diff says how a cluster differs from what is wanted, without a change.
func (c *Clusters) Diff(ctx context.Context, name string, w Want) ([]ObjectDiff, error) {
	_, p, err := c.compared(ctx, name, w, exactly)
	if err != nil {
		return nil, err
	}
	return p.show()
}

// show lists what differs as text.
func (p plan) show() ([]ObjectDiff, error) {
	var out []ObjectDiff
	for i, target := range p.recon.Target {
		live := p.recon.Live[i]
		act, o := Changes, target
		var before, after *unstructured.Unstructured
		var err error
		switch d := p.diffs.Diffs[i]; {
		case target == nil && (live == nil || hook.IsHook(live) || live.GetDeletionTimestamp() != nil), target != nil && !d.Modified:
			continue
		case target == nil:
			act, o, before = Deletes, live, live
		default:
			if live == nil {
				act = Creates
			}
			if before, after, err = show.Sides(d); err != nil {
				return nil, fmt.Errorf("compare %s: %w", nameOf(target), err)
			}
		}
		one := ObjectDiff{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(), Act: act}
		if one.Text, err = show.Diff(before, after); err != nil {
			return nil, fmt.Errorf("compare %s: %w", nameOf(o), err)
		}
		out = append(out, one)
	}
	for _, o := range p.waiting {
		one := ObjectDiff{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName(), Act: Waits}
		out = append(out, one)
	}
	return out, nil
}
