// Package mesh is the door to Chaos Mesh: it creates faults, says what has become of them
// and removes them, through Chaos Mesh's own objects.
//
// Start at Mesh.Inject and See, which reads a fault's status. It names every target one by
// one, never writes a whole object back, and never takes a status for more than it says:
// "all recovered" is true before the first injection.
package mesh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/watched"
	"github.com/seatrial/seatrial/release"
)

// forced tells Chaos Mesh's controller to drop its finalizer.
const forced = "chaos-mesh.chaos-mesh.org/cleanFinalizer"

// Mesh breaks things through the Chaos Mesh of each cluster. Clusters is kube.Clusters.Get.
type Mesh struct {
	Clusters     func(name string) (*kube.Cluster, error)
	Watches      *watched.Watches[View] // of Watches; nil: the cluster is asked for each fault
	Installation string                 // whose faults they are; see chaos.LabelInstallation
}

func events() schema.GroupVersionResource {
	return schema.GroupVersionResource{Version: "v1", Resource: "events"}
}

// kinds are the faults that Chaos Mesh carries out.
func kinds() map[string]schema.GroupVersionResource {
	all := map[string]schema.GroupVersionResource{}
	known := v1alpha1.AllKinds()
	for _, kind := range faults.Names() {
		if known[kind] != nil {
			all[kind] = v1alpha1.Resource(strings.ToLower(kind)).WithVersion("v1alpha1")
		}
	}
	return all
}

func resource(kind string) (schema.GroupVersionResource, error) {
	gvr, ok := kinds()[kind]
	if !ok {
		return gvr, fmt.Errorf("fault kind %q is not supported", kind)
	}
	return gvr, nil
}

// Inject creates the fault with exactly its targets, unless it exists already.
func (m *Mesh) Inject(ctx context.Context, o chaos.Order) error {
	f := o.Fault
	gvr, err := resource(f.Kind)
	if err != nil {
		return &chaos.CannotInject{Cluster: f.Cluster, Cause: err.Error(), Final: true}
	}
	c, err := m.Clusters(f.Cluster)
	if err != nil {
		return err
	}
	obj, err := Object(o, m.Installation)
	if err != nil {
		return &chaos.CannotInject{Cluster: f.Cluster, Cause: err.Error(), Final: true}
	}
	made, err := c.Dynamic().Resource(gvr).Namespace(f.Namespace).Create(ctx, obj, metav1.CreateOptions{FieldManager: "seatrial"})
	if err == nil {
		m.Watches.Shown(watched.Object{Cluster: c, Resource: gvr, Namespace: f.Namespace, Name: f.Name}, made)
	}
	if err == nil || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return refusal(f.Cluster, f.Kind, f.Namespace, err)
}

// Object is the Chaos Mesh object of an order: what the table of faults makes of its
// action, its targets by name, and its duration.
func Object(o chaos.Order, installation string) (*unstructured.Unstructured, error) {
	f := o.Fault
	if len(f.Targets) == 0 {
		return nil, errors.New("the fault names no target")
	}
	if o.Duration < time.Second {
		return nil, errors.New("the fault has no duration")
	}
	kind, action, err := faults.Of(release.Fault{Kind: f.Kind, Action: f.Action})
	if err != nil {
		return nil, err
	}
	spec, err := kind.Spec(action, f.Namespace, f.With)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", f.Kind, f.Action, err)
	}
	var names []any
	for _, id := range f.Targets {
		ns, name, ok := strings.Cut(id, "/")
		if !ok || ns != f.Namespace {
			return nil, fmt.Errorf("target %s is not in namespace %s", id, f.Namespace)
		}
		names = append(names, name)
	}
	spec["mode"], spec["duration"] = string(v1alpha1.AllMode), o.Duration.String()
	spec["selector"] = map[string]any{"pods": map[string]any{f.Namespace: names}}
	if o.Container != "" {
		spec["containerNames"] = []any{o.Container}
	}
	if f.Kind == "JVMChaos" {
		spec["name"] = f.Name // of the rule: otherwise it is made of the time
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	obj.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(f.Kind))
	obj.SetName(f.Name)
	obj.SetNamespace(f.Namespace)
	labels := map[string]string{chaos.LabelManaged: "true", chaos.LabelRun: f.Name, chaos.LabelInstallation: installation}
	annotations := map[string]string{annotationExperiment: f.Experiment, annotationAction: f.Action}
	if o.Release != "" {
		labels[chaos.LabelRelease] = labelValue(string(o.Release))
		annotations[chaos.LabelRelease] = string(o.Release)
	}
	obj.SetLabels(labels)
	obj.SetAnnotations(annotations)
	return obj, known(obj)
}

// known refuses what Chaos Mesh's own type would not hold: the API server would drop it
// without a word.
func known(obj *unstructured.Unstructured) error {
	kind, ok := v1alpha1.AllKinds()[obj.GetKind()]
	if !ok {
		return fmt.Errorf("no kind %s of Chaos Mesh is known", obj.GetKind())
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj.Object, kind.SpawnObject(), true); err != nil {
		return fmt.Errorf("%s: %w", obj.GetKind(), err)
	}
	return nil
}

// Annotations of ours.
const (
	annotationExperiment = "seatrial.dev/experiment"
	annotationAction     = "seatrial.dev/action"
)

// labelValue is s, or its hash when s is too long for a label.
func labelValue(s string) string {
	if len(s) <= 63 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// refusal tells "this cluster cannot" from "could not ask".
func refusal(cluster, kind, namespace string, err error) error {
	cannot := func(final bool, format string, args ...any) error {
		return &chaos.CannotInject{Cluster: cluster, Final: final, Cause: fmt.Sprintf(format, args...)}
	}
	switch message := err.Error(); {
	case strings.Contains(message, "failed calling webhook"):
		return cannot(false, "Chaos Mesh's webhook does not answer: is its controller running? (%s)", last(message))
	case apierrors.IsNotFound(err) && strings.Contains(message, "namespaces"):
		return cannot(true, "namespace %s does not exist", namespace)
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return cannot(true, "Chaos Mesh is not installed: the cluster knows no %s", kind)
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return cannot(true, "%s", message)
	}
	return unanswered(cluster, err)
}

// unanswered is "could not ask".
func unanswered(cluster string, err error) error {
	return hint.Add(fmt.Errorf("cluster %s does not answer: %s: %w", cluster, kube.Why(err), err), "start it or correct its kubeconfig; this is tried again")
}

// last is the end of a chain of causes.
func last(message string) string {
	parts := strings.Split(message, ": ")
	return strings.Join(parts[max(0, len(parts)-2):], ": ")
}

// Revert asks for the removal of a fault. A refusal by the cluster is not an error: Look
// shows that the fault is still there, and more force follows.
func (m *Mesh) Revert(ctx context.Context, f release.FaultRecord, force chaos.Force) error {
	gvr, err := resource(f.Kind)
	if err != nil {
		return err
	}
	c, err := m.Clusters(f.Cluster)
	if err != nil {
		return err
	}
	faults := c.Dynamic().Resource(gvr).Namespace(f.Namespace)
	at := watched.Object{Cluster: c, Resource: gvr, Namespace: f.Namespace, Name: f.Name}
	m.Watches.Removed(at) // before the answer: it may be lost
	err = faults.Delete(ctx, f.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		m.Watches.Forget(at)
		return nil
	}
	if err == nil && force >= chaos.Entries {
		err = m.dropEntries(ctx, c, f)
	}
	if err == nil && force >= chaos.Annotate {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"forced"}}}`, forced)
		_, err = faults.Patch(ctx, f.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "seatrial"})
	}
	if status := apierrors.APIStatus(nil); err == nil || errors.As(err, &status) {
		return nil
	}
	return unanswered(f.Cluster, err)
}

// states are where Chaos Mesh keeps, per pod, what several faults of a kind have to do
// there, and the fields with their entries.
func states(kind string) (resource string, fields []string) {
	switch kind {
	case "NetworkChaos":
		return "podnetworkchaos", []string{"tcs", "iptables", "ipsets"}
	case "IOChaos":
		return "podiochaos", []string{"actions"}
	case "HTTPChaos":
		return "podhttpchaos", []string{"rules"}
	}
	return "", nil
}

// dropEntries takes what a fault left in the pods' state, and only that, out of it: as
// long as it is there Chaos Mesh applies it again before it recovers it, and a fault that
// cannot be applied could never be deleted.
func (m *Mesh) dropEntries(ctx context.Context, c *kube.Cluster, f release.FaultRecord) error {
	resource, fields := states(f.Kind)
	if resource == "" {
		return nil
	}
	all := c.Dynamic().Resource(v1alpha1.Resource(resource).WithVersion("v1alpha1")).Namespace(f.Namespace)
	return kube.Each(ctx, all.List, metav1.ListOptions{}, func(state *unstructured.Unstructured) error {
		patch, changed := Without(state.Object, f.Namespace+"/"+f.Name, fields...)
		if !changed {
			return nil
		}
		data, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		if _, err := all.Patch(ctx, state.GetName(), types.MergePatchType, data, metav1.PatchOptions{FieldManager: "seatrial"}); !apierrors.IsNotFound(err) {
			return err
		}
		return nil
	})
}

// Without is the merge patch that removes a source's entries from the fields of a pod's state.
func Without(state map[string]any, source string, fields ...string) (patch map[string]any, changed bool) {
	spec := map[string]any{}
	for _, field := range fields {
		entries, _, _ := unstructured.NestedSlice(state, "spec", field)
		kept := []any{}
		for _, entry := range entries {
			if e, ok := entry.(map[string]any); !ok || e["source"] != source {
				kept = append(kept, entry)
			}
		}
		if len(kept) < len(entries) {
			spec[field], changed = kept, true
		}
	}
	return map[string]any{"spec": spec}, changed
}

// Pods are the pods of a namespace that carry the labels and are not going away.
func (m *Mesh) Pods(ctx context.Context, cluster, namespace string, match map[string]string) ([]chaos.Pod, error) {
	c, err := m.Clusters(cluster)
	if err != nil {
		return nil, err
	}
	budgets, err := disruptionBudgets(ctx, c, cluster, namespace)
	if err != nil {
		return nil, err
	}
	var all []chaos.Pod
	err = kube.Each(ctx, c.Typed().CoreV1().Pods(namespace).List, metav1.ListOptions{LabelSelector: labels.Set(match).String()}, func(p *corev1.Pod) error {
		if p.DeletionTimestamp == nil && p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
			seen := pod(*p)
			seen.Budgets = budgets.of(*p)
			all = append(all, seen)
		}
		return nil
	})
	if err != nil {
		return nil, unanswered(cluster, err)
	}
	return all, nil
}

func pod(p corev1.Pod) chaos.Pod {
	out := chaos.Pod{Namespace: p.Namespace, Name: p.Name, UID: string(p.UID)}
	for _, s := range p.Status.ContainerStatuses {
		out.Restarts += int(s.RestartCount)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			out.Ready, out.ReadySince = true, c.LastTransitionTime.Time
		}
	}
	return out
}

// Ready asks whether a cluster knows Chaos Mesh's kinds at all, for doctor.
func (m *Mesh) Ready(ctx context.Context, cluster string) error {
	c, err := m.Clusters(cluster)
	if err != nil {
		return err
	}
	_, err = c.Dynamic().Resource(kinds()["PodChaos"]).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return refusal(cluster, "PodChaos", "", err)
	}
	return nil
}
