package live

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/seatrial/seatrial/deployer/live/kinds"
	"github.com/seatrial/seatrial/deployer/live/options"
)

// scope says whether a kind lives in namespaces.
type scope func(schema.GroupVersionKind) (bool, error)

// prepare makes the objects as they are applied: in their namespace, marked as ours and
// with a digest of what they are to be. problem says what the cluster cannot take; err,
// that it could not be asked.
func prepare(w Want, namespaced scope) (objs []*unstructured.Unstructured, problem *Result, err error) {
	defined := kinds.Defined(w.Objects)
	for _, o := range w.Objects {
		gvk := o.GroupVersionKind()
		ns, err := namespaced(gvk)
		switch {
		case meta.IsNoMatchError(err) && defined[gvk.GroupKind()] != "":
			ns = defined[gvk.GroupKind()] == "Namespaced"
		case meta.IsNoMatchError(err) && options.Late(o):
			ns = true // until it is known; applying takes a namespace away where there is none
		case meta.IsNoMatchError(err):
			return nil, &Result{State: Refused, Message: fmt.Sprintf("%s: the cluster has no kind %s in %s", nameOf(o), gvk.Kind, gvk.GroupVersion()),
				Hint: "install its definition first, or correct apiVersion and kind"}, nil
		case err != nil:
			return nil, nil, err
		}
		objs = append(objs, mark(o, w, ns))
	}
	return objs, nil, nil
}

func mark(o *unstructured.Unstructured, w Want, namespaced bool) *unstructured.Unstructured {
	o = o.DeepCopy()
	delete(o.Object, "status") // is the cluster's to say
	switch {
	case !namespaced:
		o.SetNamespace("")
	case o.GetNamespace() == "":
		o.SetNamespace(w.Namespace)
	}
	notes := o.GetAnnotations()
	if notes == nil {
		notes = map[string]string{}
	}
	// Everything is applied on the server's side; asking for it by annotation would
	// switch the engine to a way of comparing that needs the cluster's whole schema.
	if opts, ok := notes[common.AnnotationSyncOptions]; ok {
		notes[common.AnnotationSyncOptions] = options.Without(opts, "ServerSideApply=")
	}
	if options.Recreated(o) {
		notes[common.AnnotationSyncOptions] = strings.TrimPrefix(notes[common.AnnotationSyncOptions]+","+common.SyncOptionForce, ",")
	}
	notes[ContentAnnotation] = contentOf(o)
	notes[ServiceAnnotation] = annotationOf(w.Service)
	if hook.IsHook(o) {
		notes[RevisionAnnotation] = string(w.Revision)
	}
	o.SetAnnotations(notes)
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[ManagedByLabel] = ManagedBy
	o.SetLabels(labels)
	return o
}

// contentOf is the digest of an object as desired.
func contentOf(o *unstructured.Unstructured) string {
	data, err := json.Marshal(o.Object)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// nameOf is how people call an object: "Deployment/web".
func nameOf(o *unstructured.Unstructured) string {
	if o.GetName() == "" {
		return o.GetKind() + "/" + o.GetGenerateName() + "*"
	}
	return o.GetKind() + "/" + o.GetName()
}
