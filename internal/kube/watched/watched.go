// Package watched follows objects by one watch per kind and cluster, so that whoever wants
// to know how each of many is does not ask for each.
//
// Start at Watches.Find. It never answers from a watch that may be behind: what is not there,
// is older than what somebody has seen or done, or came by a watch that does not run is for
// the cluster itself to say. So it never says that an object does not exist.
package watched

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/seatrial/seatrial/internal/kube"
)

// Object is one on a cluster.
type Object struct {
	Cluster   *kube.Cluster
	Resource  schema.GroupVersionResource
	Namespace string
	Name      string
}

// Watches remembers of each object what Keep makes of it, and nothing else. A nil one knows
// nothing, and so does one that does not Run.
type Watches[T any] struct {
	Labels string // that the objects carry: "seatrial.dev/managed=true"
	Keep   func(*unstructured.Unstructured) (T, error)
	Idle   time.Duration    // a watch ends that nobody has asked for so long; default 1m
	Now    func() time.Time // default time.Now

	mu      sync.Mutex // guards the fields below
	running bool
	feeds   map[place]*feed[T]
	wake    chan struct{}
}

// place is what one watch is of.
type place struct {
	cluster  *kube.Cluster
	resource schema.GroupVersionResource
}

// Run keeps the watches going until ctx ends, and ends those that nobody needs.
func (w *Watches[T]) Run(ctx context.Context) error {
	var feeds sync.WaitGroup
	defer feeds.Wait()
	wake := w.begin()
	defer w.end()
	tick := time.NewTicker(w.idle() / 4)
	defer tick.Stop()
	for {
		for at, f := range w.waiting() {
			ctx, stop := context.WithCancel(ctx)
			f.stop = stop
			feeds.Go(func() { f.follow(ctx, at, w.Labels) })
		}
		select {
		case <-ctx.Done():
			w.retire(func(*feed[T]) bool { return true })
			return ctx.Err()
		case <-wake:
		case <-tick.C:
			since := w.now().Add(-w.idle())
			w.retire(func(f *feed[T]) bool { return f.unused(since) })
		}
	}
}

func (w *Watches[T]) begin() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.feeds, w.wake = true, map[place]*feed[T]{}, make(chan struct{}, 1)
	return w.wake
}

func (w *Watches[T]) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.feeds = false, nil
}

// waiting takes the feeds that nobody follows yet.
func (w *Watches[T]) waiting() map[place]*feed[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[place]*feed[T]{}
	for at, f := range w.feeds {
		if !f.taken {
			f.taken, found[at] = true, f
		}
	}
	return found
}

// retire ends feeds; only Run does, which has begun them.
func (w *Watches[T]) retire(over func(*feed[T]) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, f := range w.feeds {
		if f.stop != nil && over(f) {
			delete(w.feeds, at)
			f.stop()
		}
	}
}

func (w *Watches[T]) idle() time.Duration {
	if w.Idle == 0 {
		return time.Minute
	}
	return w.Idle
}

func (w *Watches[T]) now() time.Time {
	if w.Now == nil {
		return time.Now()
	}
	return w.Now()
}

// Open is how many watches there are.
func (w *Watches[T]) Open() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.feeds)
}

// feed is the watch that an object is in. With begin it is begun when there is none.
func (w *Watches[T]) feed(o Object, begin bool) *feed[T] {
	if w == nil {
		return nil
	}
	at := place{o.Cluster, o.Resource}
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.feeds[at]
	if f == nil && begin && w.running {
		f = &feed[T]{keep: w.Keep, now: w.now, used: w.now(), things: map[string]*thing[T]{}}
		w.feeds[at] = f
		select {
		case w.wake <- struct{}{}:
		default: // it is awake
		}
	}
	return f
}

// Find is what was kept of an object as it is now; false: the cluster has to be asked. The
// cluster has to answer, so it may be asked whether it does: once in a while, for all objects.
func (w *Watches[T]) Find(ctx context.Context, o Object) (T, bool) {
	f := w.feed(o, false)
	if f == nil {
		var none T
		return none, false
	}
	kept, ok := f.find(o.key())
	return kept, ok && o.Cluster.Ready(ctx) == nil
}

// Shown begins to watch, when nobody does, since the cluster has just shown an object. Find
// does not go back behind what was shown.
func (w *Watches[T]) Shown(o Object, obj *unstructured.Unstructured) {
	if f := w.feed(o, true); f != nil {
		f.expect(o.key(), func(t *thing[T]) { t.least = later(t.least, obj.GetResourceVersion()) })
	}
}

// Removed: the cluster was asked to delete an object. Find knows it again once it has been
// brought as one that is going away.
func (w *Watches[T]) Removed(o Object) {
	if f := w.feed(o, false); f != nil {
		f.expect(o.key(), func(t *thing[T]) { t.removed = true })
	}
}

// Forget drops an object that the cluster says is gone.
func (w *Watches[T]) Forget(o Object) {
	if f := w.feed(o, false); f != nil {
		f.forget(o.key())
	}
}

func (o Object) key() string { return key(o.Namespace, o.Name) }

// follow lists and watches until ctx ends. client-go's reflector does it: it goes on from
// where a watch ended, lists anew when the cluster has forgotten that place, and takes longer
// and longer to try again.
func (f *feed[T]) follow(ctx context.Context, at place, labels string) {
	patient, err := dynamic.NewForConfig(at.cluster.WatchConfig())
	if err != nil {
		return // the same configuration has made a client before
	}
	source := lister{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, opts metav1.ListOptions) (runtime.Object, error) {
			opts.LabelSelector = labels
			return at.cluster.Dynamic().Resource(at.resource).List(ctx, opts)
		},
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.LabelSelector = labels
			stream, err := patient.Resource(at.resource).Watch(ctx, opts)
			if err != nil {
				return nil, err
			}
			f.opened()
			return ending{stream, f.closed}, nil
		},
	}}
	cache.NewReflectorWithOptions(source, &unstructured.Unstructured{}, f, cache.ReflectorOptions{Name: at.resource.Resource}).RunWithContext(ctx)
	f.closed()
}

// lister lists first and watches then: every server can do that.
type lister struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported is asked by the reflector.
func (lister) IsWatchListSemanticsUnSupported() bool { return true }

// ending tells of its end: the reflector stops every stream, also one that has ended.
type ending struct {
	watch.Interface
	ended func()
}

// Stop ends the stream.
func (e ending) Stop() {
	e.ended()
	e.Interface.Stop()
}
