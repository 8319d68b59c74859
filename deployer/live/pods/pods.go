// Package pods reads of a pod what it says about the health of what owns it.
//
// Start at Describe. It never keeps a pod whole and never takes the time from anywhere but
// the pod.
package pods

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// State is what a pod says about the health of what owns it.
type State struct {
	Namespace, Name string
	Owner           types.UID // ReplicaSet, StatefulSet, DaemonSet or Job
	Hash            string    // which revision of a StatefulSet or DaemonSet it is
	Ready           bool
	Trouble         *Trouble  // nil: none that would end a rollout early
	Unproved        time.Time // when the newest container without a readiness probe started
	Crashed         time.Time // when a container last ended badly and was started again
}

// Trouble is a container that does not come up by itself.
type Trouble struct {
	Container string
	Reason    string // "CrashLoopBackOff", "ErrImagePull", …
	Message   string
	Exit      int32 // of its last run; 0: it did not run
	Crash     bool  // it ran and ended; otherwise it cannot even start
	Since     time.Time
}

// Describe reads a pod.
func Describe(un *unstructured.Unstructured) *State {
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(un.Object, &pod); err != nil {
		return &State{Namespace: un.GetNamespace(), Name: un.GetName()}
	}
	p := &State{Namespace: pod.Namespace, Name: pod.Name, Hash: pod.Labels["controller-revision-hash"], Trouble: troubleOf(&pod)}
	for _, r := range pod.OwnerReferences {
		if r.Controller != nil && *r.Controller {
			p.Owner = r.UID
		}
	}
	p.Unproved, p.Crashed = runs(&pod)
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			p.Ready = c.Status == corev1.ConditionTrue
		}
	}
	return p
}

// runs tells since when containers run that nothing but running speaks for: without a
// readiness probe a container is ready the moment it starts, also when it ends right after.
func runs(pod *corev1.Pod) (unproved, crashed time.Time) {
	probed := map[string]bool{}
	for _, c := range pod.Spec.Containers {
		probed[c.Name] = c.ReadinessProbe != nil
	}
	for _, c := range pod.Status.ContainerStatuses {
		if r := c.State.Running; r != nil && !probed[c.Name] && r.StartedAt.After(unproved) {
			unproved = r.StartedAt.Time
		}
		if l := c.LastTerminationState.Terminated; l != nil && l.ExitCode != 0 && l.FinishedAt.After(crashed) {
			crashed = l.FinishedAt.Time
		}
	}
	return unproved, crashed
}

// troubleOf finds the first container that keeps crashing or cannot start. The times
// come from the pod itself, so a restart of ours does not start the clock again.
func troubleOf(pod *corev1.Pod) *Trouble {
	if pod.DeletionTimestamp != nil {
		return nil
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range list {
			if t := containerTrouble(pod, c); t != nil {
				return t
			}
		}
	}
	return nil
}

func containerTrouble(pod *corev1.Pod, c corev1.ContainerStatus) *Trouble {
	last := c.LastTerminationState.Terminated
	if w := c.State.Waiting; w != nil {
		t := &Trouble{Container: c.Name, Reason: w.Reason, Message: w.Message, Since: pod.CreationTimestamp.Time}
		switch w.Reason {
		case "CrashLoopBackOff":
			t.Crash, t.Message = true, ""
			if last != nil {
				t.Exit, t.Since = last.ExitCode, last.FinishedAt.Time
				t.Message = strings.TrimSpace(last.Message)
			}
			return t
		case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
			"CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			return t
		}
		return nil
	}
	// Between two crashes the container runs for a moment, and may even look ready.
	if last != nil && last.ExitCode != 0 && c.RestartCount >= 3 && (!c.Ready || c.State.Running == nil || c.State.Running.StartedAt.Sub(last.FinishedAt.Time) < time.Minute) {
		return &Trouble{Container: c.Name, Reason: "Crashing", Message: strings.TrimSpace(last.Message), Exit: last.ExitCode, Crash: true, Since: last.FinishedAt.Time}
	}
	return nil
}
