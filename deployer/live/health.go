package live

import (
	"context"
	"sync"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	enginekube "github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/deployer/live/options"
	"github.com/seatrial/seatrial/deployer/live/pods"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// Health says whether every object is there, carries this content and is healthy. since
// is when the sync ended. What the cache shows as healthy is asked for once more from
// the API server itself, because a watch may lag.
func (c *Clusters) Health(ctx context.Context, name string, w Want, since time.Time) (Result, error) {
	began := time.Now()
	v, err := c.reach(ctx, name, w.Objects)
	if err != nil {
		return Result{State: Unreachable, Message: err.Error()}, err
	}
	rules, refused := c.rules(w.Rules)
	if refused != nil {
		return *refused, nil
	}
	objs, refused, err := prepare(w, v.conn.Namespaced)
	if err != nil {
		return Result{State: Unreachable}, v.blame(ctx, err)
	}
	if refused != nil {
		return *refused, nil
	}
	pairs, err := v.pairs(objs)
	if err != nil {
		return Result{State: Unreachable}, v.blame(ctx, err)
	}
	res := Judge(pairs, rules.health, since, began, c.cfg)
	if res.State == Healthy {
		if err := v.confirm(ctx, pairs); err != nil {
			return Result{State: Unreachable}, v.blame(ctx, err)
		}
		res = Judge(pairs, rules.health, since, began, c.cfg)
	}
	res.Took = time.Since(began)
	return res, nil
}

// pairs reads what the cache knows of the objects and their pods.
func (v view) pairs(objs []*unstructured.Unstructured) ([]Pair, error) {
	lives, err := v.cache.GetManagedLiveObjs(objs, func(*cache.Resource) bool { return false })
	if err != nil {
		return nil, err
	}
	sets, all := v.made(objs, lives)
	var out []Pair
	for _, o := range objs {
		if hook.IsHook(o) {
			continue
		}
		live := lives[enginekube.GetResourceKey(o)]
		managing := options.Of(o, live)
		if managing == options.HandsOff {
			continue
		}
		out = append(out, Pair{Want: o, Live: live, Pods: currentPods(live, sets, all), Loose: managing == options.Once})
	}
	return out, nil
}

// made are the ReplicaSets and the pods of the objects' workloads.
func (v view) made(objs []*unstructured.Unstructured, lives objects) (sets []replicas, all []pods.State) {
	namespaces, owners := map[string]bool{}, map[types.UID]bool{}
	for _, o := range objs {
		live := lives[enginekube.GetResourceKey(o)]
		switch o.GetKind() {
		case "Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet":
			if live != nil && o.GetNamespace() != "" {
				namespaces[o.GetNamespace()], owners[live.GetUID()] = true, true
			}
		}
	}
	var there []*pods.State
	for ns := range namespaces {
		v.cache.FindResources(ns, func(r *cache.Resource) bool {
			switch info := r.Info.(type) {
			case *replicas:
				if owners[info.owner] {
					sets = append(sets, *info)
				}
			case *pods.State:
				there = append(there, info)
			}
			return false
		})
	}
	for _, set := range sets {
		owners[set.uid] = true
	}
	for _, pod := range there {
		if owners[pod.Owner] {
			all = append(all, *pod)
		}
	}
	return sets, all
}

// confirm reads the workloads from the API server.
func (v view) confirm(ctx context.Context, pairs []Pair) error {
	var mu sync.Mutex // guards pairs
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cap(v.slots))
	for i, p := range pairs {
		switch p.Want.GroupVersionKind().Group {
		case "apps", "batch":
		default:
			continue
		}
		g.Go(func() error {
			client, err := v.conn.Objects(p.Want)
			if err != nil {
				return err
			}
			live, err := client.Get(ctx, p.Want.GetName(), metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				live, err = nil, nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			pairs[i].Live = live
			return nil
		})
	}
	return g.Wait()
}
