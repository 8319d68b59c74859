package deploy

import (
	"bytes"
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
	"github.com/seatrial/seatrial/internal/kube"
)

const loopWorkers = 16

// call is one object to apply.
type call struct {
	kind kind
	name string
	body []byte
}

// calls are all objects of a generation, read before the clock starts.
func calls(services, generation int) ([]call, error) {
	var all []call
	for i := range services {
		for n, doc := range bytes.Split([]byte(manifestOf(i, generation)), []byte("\n---\n")) {
			body, err := yaml.YAMLToJSON(doc)
			if err != nil {
				return nil, err
			}
			all = append(all, call{kinds[n], nameOf(i), body})
		}
	}
	return all, nil
}

// bareLoop is the limit: workers that do nothing but apply on the server's side.
func bareLoop(ctx context.Context, c *kube.Cluster, services, generation int) (time.Duration, error) {
	all, err := calls(services, generation)
	if err != nil {
		return 0, err
	}
	work := make(chan call)
	g, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	g.Go(func() error {
		defer close(work)
		for _, one := range all {
			select {
			case work <- one:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	for range loopWorkers {
		g.Go(func() error {
			for one := range work {
				if err := apply(ctx, c, one); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err = g.Wait()
	return time.Since(began), err
}

// observed waits until the controller manager has seen every Deployment as it was applied.
// No deployer that waits for health can be done before.
func observed(ctx context.Context, c *kube.Cluster, services int) error {
	deployments := c.Dynamic().Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(subject.Team)
	for {
		list, err := deployments.List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return err
		}
		seen := 0
		for _, d := range list.Items {
			if at, _, _ := unstructured.NestedInt64(d.Object, "status", "observedGeneration"); at == d.GetGeneration() {
				seen++
			}
		}
		if seen == services {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(observeLook):
		}
	}
}

const observeLook = 250 * time.Millisecond

func apply(ctx context.Context, c *kube.Cluster, one call) error {
	force := true
	_, err := c.Dynamic().Resource(schema.GroupVersionResource{Group: one.kind.group, Version: "v1", Resource: one.kind.resource}).Namespace(subject.Team).
		Patch(ctx, one.name, types.ApplyPatchType, one.body, metav1.PatchOptions{FieldManager: "bench", Force: &force})
	return err
}
