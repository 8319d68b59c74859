package mesh

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
)

// Namespace is a namespace's labels.
func (m *Mesh) Namespace(ctx context.Context, cluster, name string) (map[string]string, error) {
	c, err := m.Clusters(cluster)
	if err != nil {
		return nil, err
	}
	obj, err := c.Dynamic().Resource(schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, &chaos.Exceeds{Reason: fmt.Sprintf("namespace %s does not exist on %s", name, cluster), Final: true}
	case apierrors.IsForbidden(err):
		return nil, mayNotRead(cluster, "namespace "+name, err)
	case err != nil:
		return nil, unanswered(cluster, err)
	}
	return obj.GetLabels(), nil
}

// Wanted counts what ReplicaSets and StatefulSets want whose pods carry the labels. Who may
// not read these is not told.
func (m *Mesh) Wanted(ctx context.Context, cluster, namespace string, match map[string]string) (int, error) {
	c, err := m.Clusters(cluster)
	if err != nil {
		return 0, err
	}
	wanted, covers := 0, labels.SelectorFromSet(match)
	count := func(replicas *int32, pods corev1.PodTemplateSpec) {
		if replicas != nil && covers.Matches(labels.Set(pods.Labels)) {
			wanted += int(*replicas)
		}
	}
	apps := c.Typed().AppsV1()
	err = kube.Each(ctx, apps.ReplicaSets(namespace).List, metav1.ListOptions{}, func(r *appsv1.ReplicaSet) error {
		count(r.Spec.Replicas, r.Spec.Template)
		return nil
	})
	if err == nil {
		err = kube.Each(ctx, apps.StatefulSets(namespace).List, metav1.ListOptions{}, func(s *appsv1.StatefulSet) error {
			count(s.Spec.Replicas, s.Spec.Template)
			return nil
		})
	}
	switch {
	case apierrors.IsForbidden(err):
		return 0, nil
	case err != nil:
		return 0, unanswered(cluster, err)
	}
	return wanted, nil
}

func mayNotRead(cluster, what string, err error) error {
	return hint.Add(fmt.Errorf("read %s on %s: %w", what, cluster, err), "nothing is broken without knowing it: grant get and list of namespaces and of poddisruptionbudgets in policy")
}

// guards are the PodDisruptionBudgets of a namespace.
type guards []guard

type guard struct {
	name    string
	covers  labels.Selector
	allowed int
}

func disruptionBudgets(ctx context.Context, c *kube.Cluster, cluster, namespace string) (guards, error) {
	var budgets []*policyv1.PodDisruptionBudget
	err := kube.Each(ctx, c.Typed().PolicyV1().PodDisruptionBudgets(namespace).List, metav1.ListOptions{}, func(b *policyv1.PodDisruptionBudget) error {
		budgets = append(budgets, b)
		return nil
	})
	switch {
	case apierrors.IsForbidden(err):
		return nil, mayNotRead(cluster, "PodDisruptionBudgets of namespace "+namespace, err)
	case err != nil:
		return nil, unanswered(cluster, err)
	}
	var all guards
	for _, b := range budgets {
		covers, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return nil, fmt.Errorf("read the selector of PodDisruptionBudget %s/%s on %s: %w", namespace, b.Name, cluster, err)
		}
		g := guard{b.Name, covers, int(b.Status.DisruptionsAllowed)}
		if b.Status.ObservedGeneration < b.Generation {
			g.allowed = 0 // what it says is of an older one
		}
		all = append(all, g)
	}
	return all, nil
}

func (gs guards) of(p corev1.Pod) map[string]int {
	var on map[string]int
	for _, g := range gs {
		if g.covers.Matches(labels.Set(p.Labels)) {
			if on == nil {
				on = map[string]int{}
			}
			on[g.name] = g.allowed
		}
	}
	return on
}
