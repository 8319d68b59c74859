package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

const (
	served   = 10 * time.Second // for a new definition to be served
	goneIn   = 30 * time.Second // for a deleted object to be gone
	lookStep = 100 * time.Millisecond
)

// applier is the operation as the engine's four-method applying interface. The engine's
// own dry run, which would only parse what has been parsed already, is skipped.
type applier struct{ o *Operation }

// ApplyResource applies on the server's side. With force, what cannot be changed in place
// is deleted and made again.
func (a applier) ApplyResource(ctx context.Context, obj *unstructured.Unstructured, dry cmdutil.DryRunStrategy, force, _, _ bool, _ string) (string, error) {
	if dry == cmdutil.DryRunClient {
		return "", nil
	}
	got, err := a.o.apply(ctx, obj, dry == cmdutil.DryRunServer)
	if err != nil && force && dry == cmdutil.DryRunNone && unchangeable(obj, err) {
		return a.again(ctx, obj)
	}
	if err != nil {
		return "", err
	}
	if dry == cmdutil.DryRunServer {
		data, err := json.Marshal(got.Object)
		return string(data), err
	}
	return fmt.Sprintf("%s/%s applied", obj.GetKind(), obj.GetName()), nil
}

// unchangeable reports whether deleting and making an object again may help. A namespace
// or a definition is never deleted for that: all that is in it would go.
func unchangeable(obj *unstructured.Unstructured, err error) bool {
	return apierrors.IsInvalid(err) && obj.GetKind() != "Namespace" && obj.GetKind() != "CustomResourceDefinition"
}

// again deletes an object, waits until it is gone and makes it again.
func (a applier) again(ctx context.Context, obj *unstructured.Unstructured) (string, error) {
	if err := a.o.remove(ctx, obj); err != nil {
		return "", err
	}
	if _, err := a.o.apply(ctx, obj, false); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/%s deleted and made again", obj.GetKind(), obj.GetName()), nil
}

// ReplaceResource replaces an object, for those that ask for it by annotation; with force
// it is deleted first.
func (a applier) ReplaceResource(ctx context.Context, obj *unstructured.Unstructured, dry cmdutil.DryRunStrategy, force bool) (string, error) {
	if dry == cmdutil.DryRunClient {
		return "", nil
	}
	if force && dry == cmdutil.DryRunNone {
		return a.again(ctx, obj)
	}
	if _, err := a.o.replace(ctx, obj, dry == cmdutil.DryRunServer); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/%s replaced", obj.GetKind(), obj.GetName()), nil
}

// CreateResource applies: it creates what is not there.
func (a applier) CreateResource(ctx context.Context, obj *unstructured.Unstructured, dry cmdutil.DryRunStrategy, validate bool) (string, error) {
	return a.ApplyResource(ctx, obj, dry, false, validate, true, Manager)
}

// UpdateResource replaces a definition or a namespace and gives it back.
func (a applier) UpdateResource(ctx context.Context, obj *unstructured.Unstructured, dry cmdutil.DryRunStrategy) (*unstructured.Unstructured, error) {
	if dry == cmdutil.DryRunClient {
		return obj, nil
	}
	return a.o.replace(ctx, obj, dry == cmdutil.DryRunServer)
}

// DeleteResource deletes, for the engine's pruning.
func (o *Operation) DeleteResource(ctx context.Context, _ *rest.Config, gvk schema.GroupVersionKind, name, namespace string, opts metav1.DeleteOptions) error {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(gvk)
	obj.SetName(name)
	obj.SetNamespace(namespace)
	_, err := o.call(ctx, obj, func(client dynamic.ResourceInterface, _ *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return nil, client.Delete(ctx, name, opts)
	})
	if err == nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.deleted = append(o.deleted, obj)
	}
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil // it is gone, alone or with its kind
	}
	return err
}

// apply applies on the server's side.
func (o *Operation) apply(ctx context.Context, obj *unstructured.Unstructured, dry bool) (*unstructured.Unstructured, error) {
	got, err := o.call(ctx, obj, func(client dynamic.ResourceInterface, body *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		data, err := json.Marshal(body.Object)
		if err != nil {
			return nil, err
		}
		force := true
		opts := metav1.PatchOptions{FieldManager: Manager, Force: &force, FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun(dry)}
		return client.Patch(ctx, body.GetName(), types.ApplyPatchType, data, opts)
	})
	if err == nil && !dry {
		o.learn(got)
	}
	return got, err
}

// replace puts a whole object in the place of the one that is there.
func (o *Operation) replace(ctx context.Context, obj *unstructured.Unstructured, dry bool) (*unstructured.Unstructured, error) {
	got, err := o.call(ctx, obj, func(client dynamic.ResourceInterface, body *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		live, err := client.Get(ctx, body.GetName(), metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		next := body.DeepCopy()
		next.SetResourceVersion(live.GetResourceVersion())
		return client.Update(ctx, next, metav1.UpdateOptions{FieldManager: Manager, FieldValidation: metav1.FieldValidationStrict, DryRun: dryRun(dry)})
	})
	if err == nil && !dry {
		o.learn(got)
	}
	return got, err
}

func dryRun(dry bool) []string {
	if dry {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// remove deletes an object and waits until it is gone.
func (o *Operation) remove(ctx context.Context, obj *unstructured.Unstructured) error {
	foreground := metav1.DeletePropagationForeground
	if err := o.DeleteResource(ctx, nil, obj.GroupVersionKind(), obj.GetName(), obj.GetNamespace(), metav1.DeleteOptions{PropagationPolicy: &foreground}); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < goneIn; {
		_, err := o.call(ctx, obj, func(client dynamic.ResourceInterface, body *unstructured.Unstructured) (*unstructured.Unstructured, error) {
			return client.Get(ctx, body.GetName(), metav1.GetOptions{})
		})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s/%s was deleted to be made again, and is still there after %s: a finalizer holds it", obj.GetKind(), obj.GetName(), goneIn)
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(lookStep):
		return nil
	}
}

// call is one call about one object, within the limit of calls at once. A kind whose
// definition has just been applied is waited for.
func (o *Operation) call(ctx context.Context, obj *unstructured.Unstructured, do func(dynamic.ResourceInterface, *unstructured.Unstructured) (*unstructured.Unstructured, error)) (*unstructured.Unstructured, error) {
	if err := o.Trouble(); err != nil {
		return nil, err // the next call would only wait for its deadline, too
	}
	if o.slots != nil {
		o.slots <- struct{}{}
		defer func() { <-o.slots }()
	}
	gvk := obj.GroupVersionKind()
	for began := time.Now(); ; {
		got, err := o.once(obj, do)
		if unserved(err) {
			o.cluster.kinds.forget(gvk.GroupVersion())
			err = &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
		}
		if meta.IsNoMatchError(err) && o.expects(gvk.GroupKind()) && time.Since(began) < served {
			if err := pause(ctx); err != nil {
				return nil, err
			}
			continue
		}
		return got, o.note(obj, err)
	}
}

func (o *Operation) once(obj *unstructured.Unstructured, do func(dynamic.ResourceInterface, *unstructured.Unstructured) (*unstructured.Unstructured, error)) (*unstructured.Unstructured, error) {
	client, err := o.cluster.Objects(obj)
	if err != nil {
		return nil, err
	}
	if ns, err := o.cluster.Namespaced(obj.GroupVersionKind()); err == nil && !ns && obj.GetNamespace() != "" {
		obj = obj.DeepCopy()
		obj.SetNamespace("")
	}
	return do(client, obj)
}

// unserved reports whether the server does not know the kind any more. An object that is
// not there is another 404.
func unserved(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsNotFound(err) || status.Status().Details == nil {
		return false
	}
	for _, c := range status.Status().Details.Causes {
		if c.Type == metav1.CauseTypeUnexpectedServerResponse {
			return true
		}
	}
	return false
}

// expects reports whether a kind's definition was applied in this operation.
func (o *Operation) expects(gk schema.GroupKind) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.defined[gk]
}

// learn remembers the version of an object that was applied, and the kind that it defines.
func (o *Operation) learn(obj *unstructured.Unstructured) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mark := &unstructured.Unstructured{}
	mark.SetGroupVersionKind(obj.GroupVersionKind())
	mark.SetNamespace(obj.GetNamespace())
	mark.SetName(obj.GetName())
	mark.SetResourceVersion(obj.GetResourceVersion())
	o.applied = append(o.applied, mark)
	o.deleted = slices.DeleteFunc(o.deleted, func(d *unstructured.Unstructured) bool { return named(d) == named(mark) }) // and made again
	if obj.GetKind() != "CustomResourceDefinition" {
		return
	}
	group, _, _ := unstructured.NestedString(obj.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(obj.Object, "spec", "names", "kind")
	if o.defined == nil {
		o.defined = map[schema.GroupKind]bool{}
	}
	o.defined[schema.GroupKind{Group: group, Kind: kind}] = true
}

// Done names what was applied, with the versions that the objects have since, and what was
// deleted; nothing else is known of them.
func (o *Operation) Done() (applied, deleted []*unstructured.Unstructured) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.applied, o.deleted
}

// Shows reports whether an object of this version is as new as it was when it was applied.
func Shows(version string, applied *unstructured.Unstructured) bool {
	a, b := version, applied.GetResourceVersion()
	return len(a) > len(b) || len(a) == len(b) && a >= b // both are numbers
}

func named(obj *unstructured.Unstructured) string {
	return obj.GroupVersionKind().GroupKind().String() + "/" + obj.GetNamespace() + "/" + obj.GetName()
}

// note remembers an error that means "could not ask", and a kind that is not served.
func (o *Operation) note(obj *unstructured.Unstructured, err error) error {
	if err == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if meta.IsNoMatchError(err) {
		if o.missing == nil {
			o.missing = map[schema.GroupKind]bool{}
		}
		o.missing[obj.GroupVersionKind().GroupKind()] = true
		return err
	}
	if obj.GetKind() == "Secret" {
		err = masked{err}
	}
	if o.trouble == nil && Transient(err) {
		o.trouble = err
	}
	return err
}
