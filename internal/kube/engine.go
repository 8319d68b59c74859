package kube

import (
	"sync"

	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/kubectl/pkg/util/openapi"
)

// Manager is our name among the owners of fields.
const Manager = "seatrial"

// Operation is what one sync does to one cluster, as the engine's Kubectl. It applies on
// the server's side through the dynamic client – no temporary files with credentials and
// Secrets, no schema of the whole cluster in memory – and remembers why the cluster could
// not be asked.
type Operation struct {
	*enginekube.KubectlCmd
	cluster *Cluster
	slots   chan struct{}

	mu      sync.Mutex // guards what follows
	trouble error
	applied []*unstructured.Unstructured // only their names and versions
	deleted []*unstructured.Unstructured
	defined map[schema.GroupKind]bool // whose definitions were applied
	missing map[schema.GroupKind]bool // that the cluster does not serve
}

// Operation makes one; at most cap(slots) of its calls run at once, together with those
// of all operations that share slots.
func (c *Cluster) Operation(slots chan struct{}) *Operation {
	return &Operation{KubectlCmd: quiet(), cluster: c, slots: slots}
}

// Lister is what a cluster cache lists and watches with.
func (c *Cluster) Lister() enginekube.Kubectl {
	return &Operation{KubectlCmd: quiet(), cluster: c}
}

// Quiet keeps the Kubernetes libraries from writing to standard error: while a cluster is
// away they would write a line per kind and second. What matters comes back as errors.
// Call it once, at the start of the program.
func Quiet() { klog.SetLogger(logr.Discard()) }

func quiet() *enginekube.KubectlCmd {
	return &enginekube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
}

// Trouble is the first error that means "could not ask"; nil when there was none.
func (o *Operation) Trouble() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.trouble
}

// Missing reports whether objects of a kind could not be applied because the cluster does
// not serve it.
func (o *Operation) Missing(gk schema.GroupKind) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.missing[gk]
}

// LoadOpenAPISchema loads nothing: the schema of a cluster with many custom kinds takes
// tens of megabytes, and the server checks what is applied anyway.
func (o *Operation) LoadOpenAPISchema(*rest.Config) (openapi.Resources, *managedfields.GvkParser, error) {
	return nil, nil, nil
}

// GetAPIResources lists the preferred version of the kinds that filter lets through. The
// engine also asks for all versions of everything, only to show them: nobody looks.
func (o *Operation) GetAPIResources(config *rest.Config, preferred bool, filter enginekube.ResourceFilter) ([]enginekube.APIResourceInfo, error) {
	if !preferred {
		return nil, nil
	}
	return o.KubectlCmd.GetAPIResources(config, preferred, filter)
}

// ManageResources gives the operation's way to apply.
func (o *Operation) ManageResources(*rest.Config) (enginekube.ResourceOperations, func(), error) {
	return applier{o}, func() {}, nil
}
