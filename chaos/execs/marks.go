package execs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// Label is on every pod with a mark: annotations cannot be searched for.
const Label = "seatrial.dev/exec"

// annotation is where a run's mark is.
const annotation = Label + "-"

// mark is on a pod while a program of ours may have changed it.
type mark struct {
	Fault   release.FaultRecord `json:"fault"` // of this pod alone
	Release release.ID          `json:"release,omitempty"`

	Installation string `json:"installation,omitempty"` // "": of a version that did not say so

	Until     time.Time `json:"until"`
	Container string    `json:"container"` // the runtime's id
	Phase     phase     `json:"phase"`
	Tried     time.Time `json:"tried,omitzero"`    // to take it back
	Problem   string    `json:"problem,omitempty"` // of the last time
}

type phase string

const (
	started   phase = "started" // it may have run, or not
	done      phase = "done"
	reverting phase = "reverting" // it was tried to take it back, and that went wrong
)

func pods() schema.GroupVersionResource { return corev1.SchemeGroupVersion.WithResource("pods") }

// pod is the target as it is; nil when there is none of that name.
func (t target) pod(ctx context.Context) (*corev1.Pod, error) {
	o, err := t.cluster.Dynamic().Resource(pods()).Namespace(t.namespace()).Get(ctx, t.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, t.refusal("read", err)
	}
	var p corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &p); err != nil {
		return nil, fmt.Errorf("read pod %s on %s: %w", t.id, t.fault.Cluster, err)
	}
	return &p, nil
}

// look is the pod that was meant, and its mark; a pod that has taken its place is none.
func (t target) look(ctx context.Context) (*corev1.Pod, *mark, error) {
	p, err := t.pod(ctx)
	if err != nil || p == nil || string(p.UID) != t.fault.Before[t.id] {
		return nil, nil, err
	}
	text, ok := p.Annotations[annotation+t.fault.Name]
	if !ok {
		return p, nil, nil
	}
	var m mark
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, nil, hint.Add(fmt.Errorf("pod %s on %s: annotation %s%s: %w", t.id, t.fault.Cluster, annotation, t.fault.Name, err),
			"put back by hand what the experiment broke, then take the annotation off")
	}
	return p, &m, nil
}

// keep writes the mark; it fails for a pod that is not the one that was meant.
func (t target) keep(ctx context.Context, m mark) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return t.patch(ctx, string(text), "true")
}

// forget takes the mark away, and the label with the last of them.
func (t target) forget(ctx context.Context) error {
	p, err := t.pod(ctx)
	if err != nil || p == nil {
		return err
	}
	var label any
	for name := range p.Annotations {
		if strings.HasPrefix(name, annotation) && name != annotation+t.fault.Name {
			label = "true"
		}
	}
	return t.patch(ctx, nil, label)
}

func (t target) patch(ctx context.Context, value, label any) error {
	data, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": t.fault.Before[t.id],
		"annotations": map[string]any{annotation + t.fault.Name: value}, "labels": map[string]any{Label: label}}})
	if err != nil {
		return err
	}
	_, err = t.cluster.Dynamic().Resource(pods()).Namespace(t.namespace()).Patch(ctx, t.name(), types.MergePatchType, data, metav1.PatchOptions{FieldManager: "seatrial"})
	if err == nil || value == nil && apierrors.IsNotFound(err) {
		return nil
	}
	return t.refusal("mark", err)
}

// refusal tells "this cluster does not let us" from "could not ask".
func (t target) refusal(act string, err error) error {
	if apierrors.IsForbidden(err) {
		return t.cannot(true, "%v: grant the server get and patch of pods and create of pods/exec in namespace %s", err, t.namespace())
	}
	return hint.Add(fmt.Errorf("%s pod %s on %s: %s: %w", act, t.id, t.fault.Cluster, kube.Why(err), err), "this is tried again")
}

// otherRun is a run that has a mark on the container, if there is one.
func otherRun(p *corev1.Pod, run, container string) string {
	for name, text := range p.Annotations {
		var m mark
		if other, ok := strings.CutPrefix(name, annotation); ok && other != run && json.Unmarshal([]byte(text), &m) == nil && m.Fault.Before[containerKey] == container {
			return other
		}
	}
	return ""
}

// Faults are the marks of this installation on a cluster's pods.
func (e *Execs) Faults(ctx context.Context, cluster string) ([]chaos.Found, error) {
	c, err := e.Clusters(cluster)
	if err != nil {
		return nil, err
	}
	byRun := map[string]*chaos.Found{}
	var problems []error
	err = kube.Each(ctx, c.Dynamic().Resource(pods()).List, metav1.ListOptions{LabelSelector: Label}, func(o *unstructured.Unstructured) error {
		problems = append(problems, e.collect(o, cluster, byRun)...)
		return nil
	})
	if err != nil {
		return nil, hint.Add(fmt.Errorf("list the pods with label %s on %s: %s: %w", Label, cluster, kube.Why(err), err), "this is tried again; the server needs to list pods")
	}
	var all []chaos.Found
	for _, f := range byRun {
		slices.Sort(f.Fault.Targets)
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b chaos.Found) int { return strings.Compare(a.Run, b.Run) })
	return all, errors.Join(problems...)
}

// collect adds a pod's marks to those of their runs, and says which cannot be read.
func (e *Execs) collect(o *unstructured.Unstructured, cluster string, byRun map[string]*chaos.Found) (problems []error) {
	if chaos.Protected(o.GetNamespace()) {
		return nil
	}
	for name, text := range o.GetAnnotations() {
		run, ok := strings.CutPrefix(name, annotation)
		if !ok {
			continue
		}
		m, err := theirs(text, run, o.GetNamespace()+"/"+o.GetName(), string(o.GetUID()))
		if err != nil {
			problems = append(problems, fmt.Errorf("pod %s/%s on %s: annotation %s: %w", o.GetNamespace(), o.GetName(), cluster, name, err))
			continue
		}
		if m != nil && (m.Installation == "" || m.Installation == e.Installation) {
			add(byRun, *m, cluster)
		}
	}
	return problems
}

// theirs reads a mark that was found on a pod. One that was copied from another pod is
// none: nothing has run in this one.
func theirs(text, run, id, uid string) (*mark, error) {
	var m mark
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, err
	}
	if m.Fault.Before[id] != uid || m.Fault.Kind != faults.Exec || m.Fault.Name != run {
		return nil, nil
	}
	namespace, _, _ := strings.Cut(id, "/")
	m.Fault.Namespace, m.Fault.Targets = namespace, []string{id}
	_, err := read(m.Fault)
	return &m, err
}

// add puts one pod's mark to those of the same run.
func add(byRun map[string]*chaos.Found, m mark, cluster string) {
	m.Fault.Cluster = cluster
	key := m.Fault.Namespace + "/" + m.Fault.Name
	f := byRun[key]
	if f == nil {
		byRun[key] = &chaos.Found{Fault: m.Fault, Run: m.Fault.Name, Release: m.Release, Until: m.Until}
		return
	}
	id := m.Fault.Targets[0]
	f.Fault.Targets = append(f.Fault.Targets, id)
	f.Fault.Before[id] = m.Fault.Before[id]
}
