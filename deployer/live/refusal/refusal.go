// Package refusal puts into words why a cluster did not take a change, and what to do
// about it.
//
// Start at Words. It never repeats what a cluster says about a Secret.
package refusal

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
)

// Words makes one sentence of what the cluster did not take; message when no object says
// why. What it says about a Secret is withheld, because it may quote it.
func Words(message string, results []common.ResourceSyncResult) string {
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
	return strings.Join(said, "; ")
}

// NextStep is what a person can do about a refusal, by the words that clusters use.
func NextStep(text string) string {
	for _, step := range nextSteps {
		if step.says.MatchString(text) {
			return step.hint
		}
	}
	return "correct the manifest and push again"
}

// nextSteps are tried in order: what names its cause comes before what only forbids.
var nextSteps = []struct {
	says *regexp.Regexp
	hint string
}{
	{regexp.MustCompile(`backoff limit`), "see why the job fails: kubectl logs job/<its name>"},
	{regexp.MustCompile(`field is immutable|updates to statefulset spec`), "that field cannot be changed in place: give the object another name, or delete it first"},
	{regexp.MustCompile(`unknown field|field not declared in schema`), "correct the field's name in the manifest and push again"},
	{regexp.MustCompile(`exceeded quota`), "ask for less, or have the namespace's quota raised: kubectl describe quota"},
	{regexp.MustCompile(`because it is being terminated`), "wait until the namespace is gone; what holds it stands in its status: kubectl get namespace NAME -o yaml"},
	{regexp.MustCompile(`no matches for kind|could not find the requested resource|custom resource definition is terminating`), "the cluster does not serve that kind any more: install its definition again, or take the object out of the manifests"},
	{regexp.MustCompile(`denied the request|denied request`), "the cluster's own admission forbids it: change the manifest as it says"},
	{regexp.MustCompile(`namespaces .*not found`), "make the namespace, or let the environment make it: sync.namespaces"},
	{regexp.MustCompile(`a finalizer holds it`), "see which controller has to take its finalizer away: kubectl get KIND NAME -o yaml"},
	{regexp.MustCompile(`is forbidden`), "the cluster's admission or our rights forbid it: see the message"},
}
