package details

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// containers lists a pod's containers in the order in which they start; those that nobody
// has tried to start yet have no state.
func containers(o *unstructured.Unstructured) (out []Container) {
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &pod); err != nil {
		return nil
	}
	add := func(role Role, name string, all []corev1.ContainerStatus) {
		i := slices.IndexFunc(all, func(s corev1.ContainerStatus) bool { return s.Name == name })
		if i < 0 {
			out = append(out, Container{Role: role, Name: cut(name)})
			return
		}
		out = append(out, containerOf(role, all[i]))
	}
	for _, c := range pod.Spec.InitContainers {
		role := Init
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			role = Sidecar
		}
		add(role, c.Name, pod.Status.InitContainerStatuses)
	}
	for _, c := range pod.Spec.Containers {
		add(Main, c.Name, pod.Status.ContainerStatuses)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		add(Ephemeral, c.Name, pod.Status.EphemeralContainerStatuses)
	}
	return first(out, MaxContainers)
}

func containerOf(role Role, s corev1.ContainerStatus) Container {
	c := Container{Role: role, Name: cut(s.Name), Ready: s.Ready, Restarts: s.RestartCount}
	switch {
	case s.State.Waiting != nil:
		c.State, c.Reason, c.Message = "Waiting", cut(s.State.Waiting.Reason), cut(s.State.Waiting.Message)
	case s.State.Running != nil:
		c.State, c.Since = "Running", s.State.Running.StartedAt.Time
	case s.State.Terminated != nil:
		t := s.State.Terminated
		c.State, c.Reason, c.Message, c.Exit, c.Since = "Terminated", cut(t.Reason), cut(t.Message), &t.ExitCode, t.FinishedAt.Time
	}
	if t := s.LastTerminationState.Terminated; t != nil {
		c.Last = &Ending{Exit: t.ExitCode, Signal: t.Signal, Reason: cut(t.Reason), Message: cut(t.Message), At: t.FinishedAt.Time}
	}
	return c
}
