package live

import (
	"encoding/json"
	"hash/fnv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seatrial/seatrial/deployer/live/pods"
	"github.com/seatrial/seatrial/release"
)

// owned is what the cache knows of an object of ours.
type owned struct {
	service release.Service
	mark    uint64 // hash of the service: every object is asked whose it is, for each service
	content string
	shape   uint64 // of everything but status and bookkeeping
}

// ending is a namespace that is being deleted.
type ending struct{}

// replicas is what the cache knows of a ReplicaSet.
type replicas struct {
	owner    types.UID
	uid      types.UID
	revision string
}

// describe is called for each object that is listed or watched. Only objects of ours
// are kept whole, and without the record of who owns which field.
func describe(un *unstructured.Unstructured, root bool) (any, bool) {
	un.SetManagedFields(nil)
	switch un.GetKind() {
	case "Pod":
		if !root {
			return pods.Describe(un), false
		}
	case "Namespace":
		if un.GetDeletionTimestamp() != nil {
			return &ending{}, false
		}
	case "ReplicaSet":
		if refs := un.GetOwnerReferences(); len(refs) > 0 {
			return &replicas{owner: refs[0].UID, uid: un.GetUID(), revision: un.GetAnnotations()[revisionAnnotation]}, false
		}
	}
	svc := un.GetAnnotations()[ServiceAnnotation]
	if svc == "" || !root {
		return nil, false
	}
	return &owned{service: serviceOf(svc), mark: markOf(serviceOf(svc)), content: un.GetAnnotations()[ContentAnnotation], shape: shapeOf(un)}, true
}

const revisionAnnotation = "deployment.kubernetes.io/revision"

// serviceOf reads "shop.web"; dots cannot be part of either name.
func serviceOf(s string) release.Service {
	team, name, _ := strings.Cut(s, ".")
	return release.Service(team + "/" + name)
}

func annotationOf(s release.Service) string { return s.Team() + "." + s.Name() }

func markOf(s release.Service) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum64()
}

// shapeOf is a hash of an object without its status.
func shapeOf(un *unstructured.Unstructured) uint64 {
	bare := make(map[string]any, len(un.Object))
	for k, v := range un.Object {
		if k != "status" && k != "metadata" {
			bare[k] = v
		}
	}
	bare["labels"], bare["annotations"] = un.GetLabels(), un.GetAnnotations()
	bare["finalizers"], bare["deleted"] = un.GetFinalizers(), un.GetDeletionTimestamp() != nil
	h := fnv.New64a()
	if err := json.NewEncoder(h).Encode(bare); err != nil {
		return 0
	}
	return h.Sum64()
}
