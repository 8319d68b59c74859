package details

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/internal/kube"
)

const (
	longest = 8 * time.Second // for all that a cluster is asked
	most    = 2000            // events that are read; a cluster lists the oldest first, so the newest are the last
)

// Read asks a cluster about one object of a tree. What the tree does not show is Missing,
// whether it is on the cluster or not.
func Read(ctx context.Context, k *kube.Cluster, grown tree.Tree, at Ref) (Details, error) {
	i := slices.IndexFunc(grown.Nodes, func(n tree.Node) bool {
		return n.UID != "" && at == Ref{Group: n.Group, Kind: n.Kind, Namespace: n.Namespace, Name: n.Name}
	})
	if i < 0 {
		return Details{Missing: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	o, err := object(ctx, k, grown.Nodes[i])
	if err != nil {
		return Details{}, fmt.Errorf("cluster %s: read %s/%s: %s", k.Name, at.Kind, at.Name, kube.Why(err))
	}
	if o == nil {
		return Details{Missing: true}, nil
	}
	all, whole, err := events(ctx, k, o)
	d := Of(o, all)
	switch {
	case apierrors.IsForbidden(err):
		d.Problem, d.Hint = "the server's account may not list events", "allow it to list events; seatrial cluster add gives it that right, also when it is run again"
	case err != nil:
		d.Problem, d.Hint = "events could not be read: "+kube.Why(err), "it is tried again while this is open"
	case !whole:
		d.Problem = fmt.Sprintf("there are more than %d events; newer ones may be missing", most)
	}
	return d, nil
}

// object is the one that the tree has, not another that took its name meanwhile; nil when it
// is gone.
func object(ctx context.Context, k *kube.Cluster, n tree.Node) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(metav1.GroupVersion{Group: n.Group, Version: n.Version}.String())
	o.SetKind(n.Kind)
	o.SetNamespace(n.Namespace)
	client, err := k.Objects(o)
	if err != nil {
		return nil, err
	}
	got, err := client.Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && got.GetUID() != n.UID {
		return nil, nil
	}
	return got, err
}

// events lists those of one object; whole says that there are no more.
func events(ctx context.Context, k *kube.Cluster, o *unstructured.Unstructured) (all []corev1.Event, whole bool, err error) {
	namespace := o.GetNamespace()
	if namespace == "" {
		namespace = metav1.NamespaceDefault // where those of objects without one are
	}
	ask := metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(o.GetUID())}
	err = kube.Each(ctx, k.Typed().CoreV1().Events(namespace).List, ask, func(e *corev1.Event) error {
		if len(all) == most {
			return errMore
		}
		all = append(all, *e)
		return nil
	})
	if errors.Is(err, errMore) {
		return all, false, nil
	}
	return all, err == nil, err
}

var errMore = errors.New("there are more")
