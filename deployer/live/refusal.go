package live

import (
	"fmt"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
)

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
		res.Hint = "ask for less, or have the namespace's quota raised: kubectl describe quota"
	case strings.Contains(text, "because it is being terminated"):
		res.Hint = "wait until the namespace is gone; what holds it stands in its status: kubectl get namespace NAME -o yaml"
	case strings.Contains(text, "no matches for kind"), strings.Contains(text, "could not find the requested resource"):
		res.Hint = "the cluster does not serve that kind any more: install its definition again, or take the object out of the manifests"
	case strings.Contains(text, "denied the request"), strings.Contains(text, "denied request"):
		res.Hint = "the cluster's own admission forbids it: change the manifest as it says"
	case strings.Contains(text, "namespaces ") && strings.Contains(text, "not found"):
		res.Hint = "make the namespace, or let the environment make it: sync.namespaces"
	case strings.Contains(text, "a finalizer holds it"):
		res.Hint = "see which controller has to take its finalizer away: kubectl get KIND NAME -o yaml"
	case strings.Contains(text, "is forbidden"):
		res.Hint = "the cluster's admission or our rights forbid it: see the message"
	}
	return res
}
