package pods_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/seatrial/seatrial/deployer/live/pods"
)

func TestDescribe(t *testing.T) {
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	ended := &corev1.ContainerStateTerminated{ExitCode: 3, Message: " out of luck\n", FinishedAt: metav1.NewTime(at.Add(time.Minute))}
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "because"}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at.Add(2 * time.Minute))}}
	for _, c := range []struct {
		name   string
		status corev1.ContainerStatus
		reason string
		exit   int32
		crash  bool
		since  time.Time
	}{
		{"runs", corev1.ContainerStatus{State: running, Ready: true}, "", 0, false, time.Time{}},
		{"is being made", corev1.ContainerStatus{State: waiting("ContainerCreating")}, "", 0, false, time.Time{}},
		{"crashes, and says with what", corev1.ContainerStatus{State: waiting("CrashLoopBackOff"), LastTerminationState: corev1.ContainerState{Terminated: ended}}, "CrashLoopBackOff", 3, true, at.Add(time.Minute)},
		{"cannot be pulled, since the pod was made", corev1.ContainerStatus{State: waiting("ErrImagePull")}, "ErrImagePull", 0, false, at},
		{"runs between two crashes", corev1.ContainerStatus{State: running, Ready: true, RestartCount: 3, LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, FinishedAt: metav1.NewTime(at.Add(100 * time.Second))}}}, "Crashing", 3, true, at.Add(100 * time.Second)},
		{"crashed once, long ago", corev1.ContainerStatus{State: running, Ready: true, RestartCount: 1, LastTerminationState: corev1.ContainerState{Terminated: ended}}, "", 0, false, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.status.Name = "main"
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-1", CreationTimestamp: metav1.NewTime(at)}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{c.status}}}
			m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(pod)
			if err != nil {
				t.Fatal(err)
			}
			got := pods.Describe(&unstructured.Unstructured{Object: m})
			if (got.Trouble != nil) != (c.reason != "") {
				t.Fatalf("%+v", got.Trouble)
			}
			if tr := got.Trouble; tr != nil && (tr.Reason != c.reason || tr.Exit != c.exit || tr.Crash != c.crash || !tr.Since.Equal(c.since) || tr.Container != "main") {
				t.Errorf("%+v", tr)
			}
		})
	}
}
