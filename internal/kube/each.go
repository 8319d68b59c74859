package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"
)

// pageSize is how many objects a cluster is asked for at a time.
const pageSize = 500

// Each goes through a whole list, a page at a time, and ends with the first error: of the
// cluster as it is, or of do. T is what the list is of, for example *corev1.Pod.
func Each[T any, L runtime.Object](ctx context.Context, list func(context.Context, metav1.ListOptions) (L, error), o metav1.ListOptions, do func(T) error) error {
	pages := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return list(ctx, o) })
	pages.PageSize, pages.PageBufferSize = pageSize, 1
	return pages.EachListItem(ctx, o, func(o runtime.Object) error {
		is, ok := o.(T)
		if !ok {
			return fmt.Errorf("the list has a %T", o)
		}
		return do(is)
	})
}
