package mesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/kube/watched"
	"github.com/seatrial/seatrial/release"
)

// ours selects what we have made.
const ours = chaos.LabelManaged + "=true"

// View is what is remembered of a fault that a watch has brought: what See says of it.
type View struct {
	Sight      chaos.Sight
	Unselected bool // nothing matched; why is in an event
}

func view(obj *unstructured.Unstructured) (View, error) {
	fault, err := read(obj)
	if err != nil {
		return View{}, err
	}
	return View{See(fault), fault.selected() == corev1.ConditionFalse}, nil
}

// Watches are those for a Mesh: one for each kind of fault that is active on a cluster,
// however many of them are. They have to Run.
func Watches() *watched.Watches[View] { return &watched.Watches[View]{Labels: ours, Keep: view} }

// Look is the fault as its status shows it now: as the watch of its kind has brought it, or,
// whenever that may be behind, as the cluster shows it. Only the cluster says that it is gone.
func (m *Mesh) Look(ctx context.Context, f release.FaultRecord) (chaos.Sight, error) {
	gvr, err := resource(f.Kind)
	if err != nil {
		return chaos.Sight{}, err
	}
	c, err := m.Clusters(f.Cluster)
	if err != nil {
		return chaos.Sight{}, err
	}
	at := watched.Object{Cluster: c, Resource: gvr, Namespace: f.Namespace, Name: f.Name}
	seen, ok := m.Watches.Find(ctx, at)
	if !ok {
		obj, err := c.Dynamic().Resource(gvr).Namespace(f.Namespace).Get(ctx, f.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			m.Watches.Forget(at)
			return chaos.Sight{State: chaos.Gone, Seen: true}, nil
		}
		if err != nil {
			return chaos.Sight{}, unanswered(f.Cluster, err)
		}
		if seen, err = view(obj); err != nil {
			return chaos.Sight{}, fmt.Errorf("look at %s %s/%s on %s: %w", f.Kind, f.Namespace, f.Name, f.Cluster, err)
		}
		m.Watches.Shown(at, obj)
	}
	sight := seen.Sight
	sight.Targets = slices.Clone(sight.Targets)
	if seen.Unselected && sight.State == chaos.Starting {
		return noTarget(ctx, c, f, sight)
	}
	return sight, nil
}

// noTarget asks the events of a fault that has selected nothing whether that is final.
func noTarget(ctx context.Context, c *kube.Cluster, f release.FaultRecord, sight chaos.Sight) (chaos.Sight, error) {
	found, err := c.Dynamic().Resource(events()).Namespace(f.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + f.Name, Limit: 50})
	if err != nil {
		return chaos.Sight{}, unanswered(f.Cluster, err)
	}
	for _, e := range found.Items {
		if message, _, _ := unstructured.NestedString(e.Object, "message"); strings.Contains(message, "no target") || strings.Contains(message, "no pod") {
			sight.State, sight.Message = chaos.NoTarget, "no target: "+message
		}
	}
	return sight, nil
}

// Faults are the faults of this installation on a cluster; none when it has no Chaos Mesh. Those that were
// found are answered beside an error about a kind that may not be listed.
func (m *Mesh) Faults(ctx context.Context, cluster string) ([]chaos.Found, error) {
	c, err := m.Clusters(cluster)
	if err != nil {
		return nil, err
	}
	var all []chaos.Found
	var problems []error
	for kind, gvr := range kinds() {
		err := kube.Each(ctx, c.Dynamic().Resource(gvr).List, metav1.ListOptions{LabelSelector: ours}, func(o *unstructured.Unstructured) error {
			if whose := o.GetLabels()[chaos.LabelInstallation]; whose == "" || whose == m.Installation {
				all = append(all, found(*o, kind, cluster))
			}
			return nil
		})
		switch {
		case apierrors.IsForbidden(err):
			problems = append(problems, hint.Add(fmt.Errorf("list %s on %s: %w", kind, cluster, err), "let the server's account list "+gvr.Resource+" of chaos-mesh.org: what it does not see it does not put back"))
		case err != nil && !apierrors.IsNotFound(err):
			return all, unanswered(cluster, err) // nor will it to the next question
		}
	}
	return all, errors.Join(problems...)
}

func found(o unstructured.Unstructured, kind, cluster string) chaos.Found {
	f := release.FaultRecord{Kind: kind, Name: o.GetName(), Namespace: o.GetNamespace(), Cluster: cluster, Created: o.GetCreationTimestamp().Time}
	f.Experiment = o.GetAnnotations()[annotationExperiment]
	if f.Action = o.GetAnnotations()[annotationAction]; f.Action == "" {
		f.Action, _, _ = unstructured.NestedString(o.Object, "spec", "action")
	}
	id := o.GetAnnotations()[chaos.LabelRelease]
	if id == "" {
		id = o.GetLabels()[chaos.LabelRelease]
	}
	return chaos.Found{Fault: f, Run: o.GetLabels()[chaos.LabelRun], Release: release.ID(id)}
}
