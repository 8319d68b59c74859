package mesh

import (
	"fmt"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/seatrial/seatrial/chaos"
)

// Fault is what every Chaos Mesh kind has in common.
type Fault struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Status            v1alpha1.ChaosStatus `json:"status,omitempty"`
}

func read(obj *unstructured.Unstructured) (Fault, error) {
	var f Fault
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, &f)
	return f, err
}

func (f Fault) condition(kind v1alpha1.ChaosConditionType) corev1.ConditionStatus {
	for _, c := range f.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

func (f Fault) selected() corev1.ConditionStatus { return f.condition(v1alpha1.ConditionSelected) }

// See says what a fault's status amounts to. AllInjected without a record, and
// AllRecovered before anything was injected, mean nothing.
func See(f Fault) chaos.Sight {
	s := chaos.Sight{State: chaos.Starting, Seen: len(f.Status.Conditions) > 0}
	injected, recovered, failed := 0, 0, ""
	for _, r := range f.Status.Experiment.Records {
		s.Targets = append(s.Targets, target(r.Id))
		if r.InjectedCount > 0 {
			injected++
		}
		if r.InjectedCount > 0 && r.RecoveredCount > 0 {
			recovered++
		}
		at, problem := lastOf(r)
		if problem != "" {
			failed = problem
		}
		if at.After(s.Injected) {
			s.Injected = at
		}
	}
	records := len(f.Status.Experiment.Records)
	s.Message = failed
	running := f.Status.Experiment.DesiredPhase != v1alpha1.StoppedPhase
	switch {
	case f.DeletionTimestamp != nil:
		s.State = chaos.Recovering
		if s.Message == "" && len(f.Finalizers) > 0 {
			s.Message = fmt.Sprintf("its finalizer %s stays: is Chaos Mesh's controller running?", strings.Join(f.Finalizers, ", "))
		}
	case running && failed != "":
		s.State = chaos.NotInjected
	case running && records > 0 && injected == records && f.condition(v1alpha1.ConditionAllInjected) == corev1.ConditionTrue:
		s.State = chaos.Injected
	case running:
	case records > 0 && recovered == records && f.condition(v1alpha1.ConditionAllRecovered) == corev1.ConditionTrue:
		s.State = chaos.Recovered
	case injected == 0 && failed != "":
		s.State = chaos.NotInjected
	default:
		s.State = chaos.Recovering
	}
	return s
}

// lastOf is when a record was injected, and the message of its last event when that was a
// failure to apply or to recover.
func lastOf(r *v1alpha1.Record) (injected time.Time, problem string) {
	for _, e := range r.Events {
		if e.Operation == v1alpha1.Apply && e.Type == v1alpha1.TypeSucceeded && e.Timestamp != nil {
			injected = e.Timestamp.Time
		}
	}
	if n := len(r.Events); n > 0 && r.Events[n-1].Type == v1alpha1.TypeFailed {
		problem = r.Events[n-1].Message
	}
	return injected, problem
}

// target is "namespace/pod" of a record's id, which names a container as well for
// container-kill.
func target(id string) string {
	parts := strings.SplitN(id, "/", 3)
	if len(parts) < 2 {
		return id
	}
	return parts[0] + "/" + parts[1]
}
