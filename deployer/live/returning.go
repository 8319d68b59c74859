package live

import (
	"slices"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/options"
)

// Returning is what a roll back wants: of the hooks, only those run again that ask for it.
func (w Want) Returning() Want {
	w.Objects = slices.DeleteFunc(slices.Clone(w.Objects), func(o *unstructured.Unstructured) bool { return hook.IsHook(o) && !options.OnRollBack(o) })
	w.Hooks = slices.ContainsFunc(w.Objects, hook.IsHook)
	return w
}
