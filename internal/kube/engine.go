package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
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

	mu      sync.Mutex // guards trouble and applied
	trouble error
	applied int
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

// Applied counts the objects that were applied.
func (o *Operation) Applied() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.applied
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

// applier is the operation as the engine's four-method applying interface.
type applier struct{ o *Operation }

// ApplyResource applies on the server's side. The engine's dry run, which would only
// parse what has been parsed already, is skipped.
func (a applier) ApplyResource(ctx context.Context, obj *unstructured.Unstructured, dry cmdutil.DryRunStrategy, force, validate, serverSide bool, manager string) (string, error) {
	if dry == cmdutil.DryRunClient {
		return "", nil
	}
	got, err := a.o.apply(ctx, obj, dry == cmdutil.DryRunServer)
	if err != nil {
		return "", err
	}
	if dry == cmdutil.DryRunServer {
		data, err := json.Marshal(got.Object)
		return string(data), err
	}
	return fmt.Sprintf("%s/%s applied", obj.GetKind(), obj.GetName()), nil
}

func (o *Operation) apply(ctx context.Context, obj *unstructured.Unstructured, dry bool) (*unstructured.Unstructured, error) {
	if err := o.Trouble(); err != nil {
		return nil, err // the next call would only wait for its deadline, too
	}
	if o.slots != nil {
		o.slots <- struct{}{}
		defer func() { <-o.slots }()
	}
	client, err := o.cluster.Objects(obj)
	if err != nil {
		return nil, o.note(obj, err)
	}
	body := obj
	if ns, err := o.cluster.Namespaced(obj.GroupVersionKind()); err == nil && !ns && obj.GetNamespace() != "" {
		body = obj.DeepCopy()
		body.SetNamespace("")
	}
	data, err := json.Marshal(body.Object)
	if err != nil {
		return nil, err
	}
	force := true
	opts := metav1.PatchOptions{FieldManager: Manager, Force: &force, FieldValidation: metav1.FieldValidationStrict}
	if dry {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	got, err := client.Patch(ctx, obj.GetName(), types.ApplyPatchType, data, opts)
	if err != nil {
		return nil, o.note(obj, err)
	}
	if !dry {
		o.mu.Lock()
		o.applied++
		o.mu.Unlock()
	}
	return got, nil
}

// note remembers an error that means "could not ask".
func (o *Operation) note(obj *unstructured.Unstructured, err error) error {
	if obj.GetKind() == "Secret" && !meta.IsNoMatchError(err) {
		err = masked{err}
	}
	if Transient(err) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.trouble == nil {
			o.trouble = err
		}
	}
	return err
}

// ReplaceResource replaces an object, for those that ask for it by annotation.
func (a applier) ReplaceResource(ctx context.Context, obj *unstructured.Unstructured, dry cmdutil.DryRunStrategy, force bool) (string, error) {
	if dry == cmdutil.DryRunClient {
		return "", nil
	}
	client, err := a.o.cluster.Objects(obj)
	if err != nil {
		return "", a.o.note(obj, err)
	}
	live, err := client.Get(ctx, obj.GetName(), metav1.GetOptions{})
	if err != nil {
		return "", a.o.note(obj, err)
	}
	next := obj.DeepCopy()
	next.SetResourceVersion(live.GetResourceVersion())
	if _, err := client.Update(ctx, next, metav1.UpdateOptions{FieldManager: Manager}); err != nil {
		return "", a.o.note(obj, err)
	}
	return fmt.Sprintf("%s/%s replaced", obj.GetKind(), obj.GetName()), nil
}

// CreateResource applies: it creates what is not there.
func (a applier) CreateResource(ctx context.Context, obj *unstructured.Unstructured, dry cmdutil.DryRunStrategy, validate bool) (string, error) {
	return a.ApplyResource(ctx, obj, dry, true, validate, true, Manager)
}

// UpdateResource applies and gives the object back.
func (a applier) UpdateResource(ctx context.Context, obj *unstructured.Unstructured, dry cmdutil.DryRunStrategy) (*unstructured.Unstructured, error) {
	if dry == cmdutil.DryRunClient {
		return obj, nil
	}
	return a.o.apply(ctx, obj, dry == cmdutil.DryRunServer)
}
