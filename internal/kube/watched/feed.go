package watched

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

const (
	settle = time.Second      // a watch that begins anew first brings what it has missed
	silent = 90 * time.Second // servers say every minute that nothing has changed
)

// feed is what one watch has brought: the store of a reflector.
type feed[T any] struct {
	keep  func(*unstructured.Unstructured) (T, error)
	now   func() time.Time
	taken bool               // guarded by Watches.mu
	stop  context.CancelFunc // Run's only

	mu     sync.Mutex // guards the fields below
	used   time.Time
	open   time.Time // since when it runs; zero: it does not
	heard  time.Time
	things map[string]*thing[T]
}

// thing is one object.
type thing[T any] struct {
	kept    T
	version string // of what was brought; empty: nothing was yet
	leaving bool   // it was brought as one that is being deleted
	least   string // somebody has seen this version
	removed bool   // somebody has asked for its deletion
}

func key(namespace, name string) string { return namespace + "/" + name }

func (f *feed[T]) find(name string) (kept T, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	f.used = now
	t := f.things[name]
	if t == nil || f.open.IsZero() || now.Sub(f.open) < settle || now.Sub(f.heard) > silent {
		return kept, false
	}
	if t.version == "" || t.removed && !t.leaving || t.version != later(t.version, t.least) {
		return kept, false
	}
	return t.kept, true
}

// later is the newer of two versions; empty is older than any. One that cannot be compared is
// taken for newer: it is waited for in vain, and the cluster asked.
func later(a, b string) string {
	if b == "" {
		return a
	}
	if order, err := resourceversion.CompareResourceVersion(a, b); err == nil && order >= 0 {
		return a
	}
	return b
}

func (f *feed[T]) expect(name string, change func(*thing[T])) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used = f.now()
	t := f.things[name]
	if t == nil {
		t = &thing[T]{}
		f.things[name] = t
	}
	change(t)
}

func (f *feed[T]) forget(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.things, name)
}

func (f *feed[T]) unused(since time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used.Before(since)
}

func (f *feed[T]) opened() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = f.now()
	f.heard = f.open
}

func (f *feed[T]) closed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open = time.Time{}
}

// Add is the reflector's.
func (f *feed[T]) Add(obj any) error { return f.Update(obj) }

// Update is the reflector's.
func (f *feed[T]) Update(obj any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = f.now()
	return f.takeLocked(obj)
}

// takeLocked keeps an object. One that cannot be read is for the cluster to show.
func (f *feed[T]) takeLocked(obj any) error {
	o, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("a watch brought a %T", obj)
	}
	name := key(o.GetNamespace(), o.GetName())
	t := f.things[name]
	if t == nil {
		t = &thing[T]{}
		f.things[name] = t
	}
	kept, err := f.keep(o)
	if err != nil {
		t.version = ""
		return nil
	}
	t.kept, t.version, t.leaving = kept, o.GetResourceVersion(), o.GetDeletionTimestamp() != nil
	return nil
}

// Delete is the reflector's.
func (f *feed[T]) Delete(obj any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = f.now()
	o, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("a watch brought a %T", obj)
	}
	delete(f.things, key(o.GetNamespace(), o.GetName()))
	return nil
}

// Replace is the reflector's, after it has listed: what is not in the list has gone, unless it
// is still waited for.
func (f *feed[T]) Replace(list []any, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = f.now()
	before := f.things
	f.things = map[string]*thing[T]{}
	for name, t := range before {
		if t.version == "" {
			f.things[name] = t
		}
	}
	for _, obj := range list {
		if err := f.takeLocked(obj); err != nil {
			return err
		}
	}
	for name, t := range f.things {
		if was := before[name]; was != nil {
			t.least, t.removed = was.least, was.removed
		}
	}
	return nil
}

// Bookmark is the reflector's: nothing has changed, and the watch runs.
func (f *feed[T]) Bookmark(string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = f.now()
	return nil
}

// Resync is the reflector's, who never asks for it here.
func (f *feed[T]) Resync() error { return nil }
