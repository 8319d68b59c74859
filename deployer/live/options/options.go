// Package options reads what an object asks of a sync: Argo CD's annotations and, where
// they have a counterpart, Flux's. Every question is one pure function.
//
// Start at Of and PruneOf. It never changes an object and never asks a cluster. What is
// not here – hooks, waves, PruneLast, Replace and Force – the engine reads by itself.
package options

import (
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Annotations that the engine has no name for.
const (
	compareOptions = "argocd.argoproj.io/compare-options"
	onRollBack     = "seatrial.dev/hook-on-rollback"
	ignoreHealth   = "argocd.argoproj.io/ignore-healthcheck"
	fluxPrune      = "kustomize.toolkit.fluxcd.io/prune"
	fluxReconcile  = "kustomize.toolkit.fluxcd.io/reconcile"
	fluxApply      = "kustomize.toolkit.fluxcd.io/ssa"
	fluxForce      = "kustomize.toolkit.fluxcd.io/force"
)

// Managing is how far an object is ours to change.
type Managing int

// The ways to manage an object.
const (
	Unknown  Managing = iota
	Apply             // make it what is wanted
	Once              // make it when it is not there, and leave it alone after that
	HandsOff          // neither make, change, delete nor judge it
)

// String names it.
func (m Managing) String() string {
	return [...]string{"Unknown", "Apply", "Once", "HandsOff"}[m]
}

// Of decides how an object is managed, from what is wanted and what is there; either may
// be nil. A person may say it on the cluster, too.
func Of(want, live *unstructured.Unstructured) Managing {
	for _, o := range []*unstructured.Unstructured{want, live} {
		if flux(o, fluxReconcile, "disabled") || flux(o, fluxApply, "Ignore") {
			return HandsOff
		}
	}
	if flux(want, fluxApply, "IfNotPresent") || flux(live, fluxApply, "IfNotPresent") {
		return Once
	}
	return Apply
}

// Fate is what becomes of an object of ours that is not wanted any more.
type Fate int

// The fates.
const (
	Undecided Fate = iota
	Delete
	Keep
	Confirm // it stays until a person has approved
)

// String names it.
func (f Fate) String() string {
	return [...]string{"Undecided", "Delete", "Keep", "Confirm"}[f]
}

// Approved is the annotation with which a person lets an object go that waits for that.
const Approved = common.AnnotationDeletionApproved

// PruneOf decides the fate of what is there and not wanted any more. last says that
// nothing of its service is wanted any more, which is when Delete=… counts as well.
func PruneOf(live *unstructured.Unstructured, last bool) Fate {
	asks := []string{common.SyncOptionPrune}
	if last {
		asks = append(asks, common.SyncOptionDelete)
	}
	fate := Delete
	for _, option := range asks {
		switch v := resource.GetAnnotationOptionValue(live, common.AnnotationSyncOptions, option); {
		case v == nil:
		case *v == common.SyncValueFalse:
			return Keep
		case *v == common.SyncValueConfirm && note(live, Approved) == "":
			fate = Confirm
		}
	}
	if flux(live, fluxPrune, "disabled") || Of(nil, live) == HandsOff {
		return Keep
	}
	return fate
}

// Extraneous reports whether an object that is not wanted is no drift either: it goes
// with the next sync that has something else to do.
func Extraneous(live *unstructured.Unstructured) bool {
	return resource.HasAnnotationOption(live, compareOptions, "IgnoreExtraneous")
}

// Unjudged reports whether an object's health does not count.
func Unjudged(want *unstructured.Unstructured) bool { return note(want, ignoreHealth) == "true" }

// OnRollBack reports whether a hook runs on a roll back as well.
func OnRollBack(want *unstructured.Unstructured) bool { return note(want, onRollBack) == "true" }

// Late reports whether the kind of an object may appear only while the sync goes on.
func Late(want *unstructured.Unstructured) bool {
	return resource.HasAnnotationOption(want, common.AnnotationSyncOptions, common.SyncOptionSkipDryRunOnMissingResource)
}

// Recreated reports whether Flux's word for it asks to delete and make again what cannot
// be changed in place.
func Recreated(want *unstructured.Unstructured) bool { return flux(want, fluxForce, "enabled") }

// flux reports whether an object says so, in an annotation or in a label, as Flux reads it.
func flux(o *unstructured.Unstructured, key, word string) bool {
	return o != nil && (strings.EqualFold(o.GetAnnotations()[key], word) || strings.EqualFold(o.GetLabels()[key], word))
}

func note(o *unstructured.Unstructured, key string) string {
	if o == nil {
		return ""
	}
	return o.GetAnnotations()[key]
}

// Without takes those with a prefix out of a list of options.
func Without(list, prefix string) string {
	var keep []string
	for _, s := range strings.Split(list, ",") {
		if !strings.HasPrefix(strings.TrimSpace(s), prefix) {
			keep = append(keep, s)
		}
	}
	return strings.Join(keep, ",")
}
