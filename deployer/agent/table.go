package agent

import (
	"container/list"
	"crypto/rand"
	"sync"

	"github.com/seatrial/seatrial/deployer/agent/wire"
)

const maxGone = 10_000 // deleted objects that are remembered for a stream that resumes

// table is what the agent sees, each object once, in the order of its last change. It is
// bounded by what there is: a newer state takes the place of an older one.
type table struct {
	epoch string
	bell  chan struct{} // of one: something changed

	mu        sync.Mutex // guards what follows
	revision  uint64
	all       map[string]*list.Element // of row
	changes   *list.List               // oldest first
	gone      int
	forgotten uint64 // up to this revision, deletions may be unknown
}

type row struct {
	object   wire.Object
	revision uint64
}

func newTable() *table {
	return &table{epoch: rand.Text(), bell: make(chan struct{}, 1), all: map[string]*list.Element{}, changes: list.New()}
}

// put notes how an object is.
func (t *table) put(o wire.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.putLocked(o)
}

func (t *table) putLocked(o wire.Object) {
	key := o.Key()
	at, known := t.all[key]
	if known && at.Value.(*row).object == o || !known && o.Gone {
		return
	}
	t.revision++
	if !known {
		t.all[key] = t.changes.PushBack(&row{o, t.revision})
	} else {
		r := at.Value.(*row)
		if o.Gone && !r.object.Gone {
			t.gone++
		} else if !o.Gone && r.object.Gone {
			t.gone--
		}
		r.object, r.revision = o, t.revision
		t.changes.MoveToBack(at)
	}
	t.trimLocked()
	select {
	case t.bell <- struct{}{}:
	default:
	}
}

// trimLocked forgets the oldest deletions.
func (t *table) trimLocked() {
	for at := t.changes.Front(); at != nil && t.gone > maxGone; {
		next := at.Next()
		if r := at.Value.(*row); r.object.Gone {
			t.forgotten = r.revision
			delete(t.all, r.object.Key())
			t.changes.Remove(at)
			t.gone--
		}
		at = next
	}
}

// now is the newest revision.
func (t *table) now() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.revision
}

// reconcile takes a whole list that was begun at a revision: what changed since then is
// newer than the list.
func (t *table) reconcile(all []wire.Object, begun uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	there := make(map[string]bool, len(all))
	for _, o := range all {
		there[o.Key()] = true
		if at, ok := t.all[o.Key()]; !ok || at.Value.(*row).revision <= begun {
			t.putLocked(o)
		}
	}
	for key, at := range t.all {
		if r := at.Value.(*row); !there[key] && r.revision <= begun && !r.object.Gone {
			t.putLocked(goneOf(r.object))
		}
	}
}

func goneOf(o wire.Object) wire.Object {
	return wire.Object{Group: o.Group, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Gone: true}
}

// can reports whether a stream can go on after a revision: whether all deletions since are
// known.
func (t *table) can(after uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return after >= t.forgotten
}

// after lists the oldest changes since a revision; the revision of the answer is where to
// go on. Nothing new is nil. A list has no use for what was gone when it was begun; what
// went since then may have been sent already.
func (t *table) after(revision, begun uint64) *wire.State {
	t.mu.Lock()
	defer t.mu.Unlock()
	if revision >= t.revision {
		return nil
	}
	at := t.changes.Back()
	for at != nil && at.Value.(*row).revision > revision {
		at = at.Prev()
	}
	if at == nil {
		at = t.changes.Front()
	} else {
		at = at.Next()
	}
	s := &wire.State{Revision: t.revision}
	for ; at != nil; at = at.Next() {
		r := at.Value.(*row)
		if len(s.Objects) == wire.MaxBatch {
			return s
		}
		if !r.object.Gone || r.revision > begun {
			s.Objects = append(s.Objects, r.object)
		}
		s.Revision = r.revision
	}
	s.Revision, s.Current = t.revision, true
	return s
}
