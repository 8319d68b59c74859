package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Book speaks in release types over a KV. Every document carries its index keys in the
// same transaction, so a list never shows what is not there.
//
//	release/ID                        the release
//	index/active/ID                   it still has somewhere to go
//	index/all/TIME-ID                 newest first
//	index/service/TEAM/NAME/TIME-ID   newest first
//	index/set/PROJECT/SET/TEAM/NAME/TIME-ID  newest first of each service
//	slot/ENV/TEAM/NAME                a service's place in an environment
//	outbox/ID                         an event that nobody has been told yet
type Book struct{ kv KV }

// NewBook writes into kv.
func NewBook(kv KV) *Book { return &Book{kv: kv} }

// KV is the store under the book.
func (b *Book) KV() KV { return b.kv }

// Release reads one release.
func (b *Book) Release(ctx context.Context, id release.ID) (release.Release, error) {
	e, err := b.kv.Get(ctx, "release/"+string(id))
	if errors.Is(err, ErrNotFound) {
		return release.Release{}, fmt.Errorf("release %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return release.Release{}, err
	}
	return DecodeRelease(e)
}

// DecodeRelease reads a release from its document.
func DecodeRelease(e Entry) (release.Release, error) {
	var r release.Release
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", e.Key, err)
	}
	r.Version = e.Modified
	return r, nil
}

// Slot reads a service's place in an environment; one never used is empty.
func (b *Book) Slot(ctx context.Context, s release.Service, env release.Env) (release.Slot, error) {
	e, err := b.kv.Get(ctx, slotKey(s, env))
	if errors.Is(err, ErrNotFound) {
		return release.Slot{Service: s, Env: env}, nil
	}
	if err != nil {
		return release.Slot{}, err
	}
	return DecodeSlot(e)
}

// DecodeSlot reads a slot from its document.
func DecodeSlot(e Entry) (release.Slot, error) {
	var s release.Slot
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return s, fmt.Errorf("read %s: %w", e.Key, err)
	}
	s.Version = e.Modified
	return s, nil
}

// Slots lists every slot.
func (b *Book) Slots(ctx context.Context) ([]release.Slot, error) {
	return listAll(ctx, b.kv, "slot/", DecodeSlot)
}

// Place writes a slot as it was read, and tells of it, or nothing of it: release.ErrStale.
func (b *Book) Place(ctx context.Context, s release.Slot, events ...release.Event) error {
	var t Txn
	if err := t.put(slotKey(s.Service, s.Env), s, s.Version); err != nil {
		return err
	}
	if err := t.tell(events); err != nil {
		return err
	}
	if _, err := b.kv.Commit(ctx, t); err != nil {
		return fmt.Errorf("save the place of %s in %s: %w", s.Service, s.Env, err)
	}
	return nil
}

// Save writes a change, or nothing of it: release.ErrStale. The release comes back with
// its new version. More deletes may join the transaction.
func (b *Book) Save(ctx context.Context, c release.Change, done ...string) (release.Release, error) {
	t, err := b.txn(c)
	if err != nil {
		return c.Release, err
	}
	t.Delete = append(t.Delete, done...)
	rev, err := b.kv.Commit(ctx, t)
	if err != nil {
		return c.Release, fmt.Errorf("save %s: %w", c.Release.ID, err)
	}
	c.Release.Version = rev
	return c.Release, nil
}

func (b *Book) txn(c release.Change) (Txn, error) {
	var t Txn
	r := c.Release
	key := "release/" + string(r.ID)
	if err := t.put(key, r, r.Version); err != nil {
		return t, err
	}
	inverse := TimeKey(r.Created, string(r.ID))
	if r.Version == 0 {
		t.Put = append(t.Put,
			Put{Key: "index/all/" + inverse},
			Put{Key: "index/service/" + string(r.Service) + "/" + inverse})
		if r.Set != "" {
			t.Put = append(t.Put, Put{Key: setPrefix(r) + string(r.Service) + "/" + inverse})
		}
	}
	if active := "index/active/" + string(r.ID); r.Phase.Final() {
		t.Delete = append(t.Delete, active)
	} else {
		t.Put = append(t.Put, Put{Key: active})
	}
	for _, s := range c.Slots {
		if err := t.put(slotKey(s.Service, s.Env), s, s.Version); err != nil {
			return t, err
		}
	}
	return t, t.tell(c.Events)
}

// tell adds events to the outbox.
func (t *Txn) tell(events []release.Event) error {
	for _, e := range events {
		value, err := json.Marshal(e)
		if err != nil {
			return err
		}
		t.Put = append(t.Put, Put{Key: OutboxPrefix + e.ID, Value: value})
	}
	return nil
}

// put adds a document that must still be at version.
func (t *Txn) put(key string, doc any, version release.Revision) error {
	value, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("write %s: %w", key, err)
	}
	t.If = append(t.If, Condition{Key: key, Modified: version})
	t.Put = append(t.Put, Put{Key: key, Value: value})
	return nil
}

// OutboxPrefix is where events wait to be told.
const OutboxPrefix = "outbox/"

// Tell puts events into the outbox; one that is there already stays as it is.
func (b *Book) Tell(ctx context.Context, events ...release.Event) error {
	for _, e := range events {
		value, err := json.Marshal(e)
		if err != nil {
			return err
		}
		key := OutboxPrefix + e.ID
		_, err = b.kv.Commit(ctx, Txn{If: []Condition{{Key: key}}, Put: []Put{{Key: key, Value: value}}})
		if err != nil && !errors.Is(err, ErrStale) {
			return fmt.Errorf("tell %s: %w", e.ID, err)
		}
	}
	return nil
}

// Active lists the releases that still have somewhere to go.
func (b *Book) Active(ctx context.Context) ([]release.ID, error) { return b.active(ctx, "") }

// ActiveOf lists those of one service.
func (b *Book) ActiveOf(ctx context.Context, s release.Service) ([]release.ID, error) {
	return b.active(ctx, string(release.NewID(s, "")))
}

func (b *Book) active(ctx context.Context, prefix string) ([]release.ID, error) {
	return listAll(ctx, b.kv, "index/active/"+prefix, func(e Entry) (release.ID, error) {
		return release.ID(strings.TrimPrefix(e.Key, "index/active/")), nil
	})
}

func setPrefix(r release.Release) string { return "index/set/" + r.Project + "/" + r.Set + "/" }

// With are the newest releases of the other services that are released together with r.
func (b *Book) With(ctx context.Context, r release.Release) ([]release.Release, error) {
	if r.Set == "" {
		return nil, nil
	}
	prefix := setPrefix(r)
	names, err := listAll(ctx, b.kv, prefix, func(e Entry) (string, error) { return strings.TrimPrefix(e.Key, prefix), nil })
	if err != nil {
		return nil, err
	}
	var with []release.Release
	last := string(r.Service)
	for _, name := range names {
		cut := strings.LastIndex(name, "/")
		if service := name[:cut]; service == last || service == string(r.Service) {
			continue
		}
		last = name[:cut]
		_, id, _ := strings.Cut(name[cut+1:], "-")
		other, err := b.Release(ctx, release.ID(id))
		if err != nil {
			return nil, err
		}
		with = append(with, other)
	}
	return with, nil
}

// Filter narrows a list of releases; zero fields match everything.
type Filter struct {
	Service release.Service
	Env     release.Env // it is in, or has been verified in, this environment
	Phase   release.Phase
	Except  release.Origin // leave out what came this way; empty: nothing
	Text    string         // in the id, the message or the author
	After   string         // cursor from the page before
	Limit   int            // 1 to 200; default 50
}

func (f Filter) matches(r release.Release) bool {
	if f.Phase != release.Unknown && r.Phase != f.Phase {
		return false
	}
	if f.Except != "" && r.Origin == f.Except {
		return false
	}
	if f.Env != "" && r.Env() != f.Env {
		return false
	}
	text := strings.ToLower(f.Text)
	return text == "" || strings.Contains(strings.ToLower(string(r.ID)+" "+r.Message+" "+r.Author+" "+string(r.Commit)), text)
}

// Releases lists the newest first, and the cursor of the next page, empty at the end.
func (b *Book) Releases(ctx context.Context, f Filter) (page []release.Release, next string, err error) {
	limit := f.Limit
	if limit < 1 || limit > 200 {
		limit = 50
	}
	prefix := "index/all/"
	if f.Service != "" {
		prefix = "index/service/" + string(f.Service) + "/"
	}
	after := ""
	if f.After != "" {
		after = prefix + f.After
	}
	for len(page) < limit {
		keys, err := b.kv.List(ctx, prefix, after, limit)
		if err != nil {
			return nil, "", err
		}
		for _, e := range keys {
			after = e.Key
			name := strings.TrimPrefix(e.Key, prefix)
			_, id, _ := strings.Cut(name, "-")
			r, err := b.Release(ctx, release.ID(id))
			if err != nil {
				return nil, "", err
			}
			if !f.matches(r) {
				continue
			}
			if page = append(page, r); len(page) == limit {
				return page, name, nil
			}
		}
		if len(keys) < limit {
			break
		}
	}
	return page, "", nil
}

// Get reads a document of another part into doc and returns its version; ErrNotFound
// when there is none.
func (b *Book) Get(ctx context.Context, key string, doc any) (release.Revision, error) {
	e, err := b.kv.Get(ctx, key)
	if err != nil {
		return 0, err
	}
	if err := json.Unmarshal(e.Value, doc); err != nil {
		return 0, fmt.Errorf("read %s: %w", key, err)
	}
	return e.Modified, nil
}

// Put writes a document of another part that must still be at version; 0 creates it.
func (b *Book) Put(ctx context.Context, key string, doc any, version release.Revision) (release.Revision, error) {
	var t Txn
	if err := t.put(key, doc, version); err != nil {
		return 0, err
	}
	return b.kv.Commit(ctx, t)
}

func listAll[T any](ctx context.Context, kv KV, prefix string, decode func(Entry) (T, error)) ([]T, error) {
	var out []T
	for e, err := range Scan(ctx, kv, prefix) {
		if err != nil {
			return nil, err
		}
		v, err := decode(e)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func slotKey(s release.Service, env release.Env) string {
	return "slot/" + string(env) + "/" + string(s)
}

// TimeKey sorts newest first.
func TimeKey(t time.Time, id string) string {
	return fmt.Sprintf("%019d-%s", math.MaxInt64-t.UnixNano(), id)
}
