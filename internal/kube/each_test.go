package kube_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seatrial/seatrial/internal/kube"
)

func TestEachGoesThroughEveryPage(t *testing.T) {
	var asked []metav1.ListOptions
	three := func(_ context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
		asked = append(asked, o)
		n := len(asked)
		l := &corev1.PodList{Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("a%d", n)}}, {ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("b%d", n)}}}}
		if n < 3 {
			l.Continue = fmt.Sprintf("after %d", n)
		}
		return l, nil
	}
	var names []string
	err := kube.Each(t.Context(), three, metav1.ListOptions{LabelSelector: "app=web"}, func(p *corev1.Pod) error {
		names = append(names, p.Name)
		return nil
	})
	if got := fmt.Sprint(names); err != nil || got != "[a1 b1 a2 b2 a3 b3]" {
		t.Errorf("%v %s", err, got)
	}
	for i, o := range asked {
		if want := []string{"", "after 1", "after 2"}[i]; o.Continue != want || o.Limit != 500 || o.LabelSelector != "app=web" {
			t.Errorf("page %d was asked for with %+v", i, o)
		}
	}
}

func TestEachEndsWithTheFirstError(t *testing.T) {
	denied, enough := apierrors.NewForbidden(corev1.Resource("pods"), "", nil), errors.New("enough")
	for name, c := range map[string]struct{ list, do, want error }{
		"the cluster refuses": {denied, nil, denied},
		"it is enough":        {nil, enough, enough},
	} {
		t.Run(name, func(t *testing.T) {
			done := 0
			err := kube.Each(t.Context(), func(context.Context, metav1.ListOptions) (*corev1.PodList, error) {
				return &corev1.PodList{Items: make([]corev1.Pod, 3)}, c.list
			}, metav1.ListOptions{}, func(*corev1.Pod) error { done++; return c.do })
			if !errors.Is(err, c.want) || (c.do != nil) != (done == 1) {
				t.Errorf("%v after %d", err, done)
			}
		})
	}
}
