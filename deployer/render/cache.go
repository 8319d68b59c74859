package render

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"slices"
	"sync"

	"github.com/seatrial/seatrial/deployer/render/source"
)

// variants of one question that are remembered: the branches of a service, say.
const variants = 4

// cache remembers what was made of which files. It is bounded, and safe for concurrent use.
type cache struct {
	max int64 // bytes

	mu    sync.Mutex // guards the fields below
	size  int64
	byKey map[string][]*list.Element // the newest first
	order *list.List                 // of *memory, the last used first
}

// memory is one rendering: what was asked of the tree, and what came out.
type memory struct {
	key   string
	reads source.Reads
	kept
}

// kept is a rendering in the form in which it travels and is kept.
type kept struct {
	Place place           `json:"place"`
	Docs  json.RawMessage `json:"docs"`
	Notes []string        `json:"notes,omitempty"`
}

func newCache(max int64) *cache {
	return &cache{max: max, byKey: map[string][]*list.Element{}, order: list.New()}
}

// keyOf is the digest of all that counts beside the files. Images are put in later.
func keyOf(o Options) string {
	o.Image = ""
	data, err := json.Marshal(o)
	if err != nil {
		return "" // never: texts and numbers only
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// find is what was made when a tree gave the same answers, whatever commit it is of.
func (c *cache) find(ctx context.Context, root fs.FS, o Options) (kept, bool) {
	c.mu.Lock()
	candidates := slices.Clone(c.byKey[keyOf(o)])
	c.mu.Unlock()
	for _, e := range candidates {
		m, ok := e.Value.(*memory)
		if ok && m.reads.Still(ctx, root, o.Limits.source()) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.order.MoveToFront(e) // nothing, if it was forgotten meanwhile
			return m.kept, true
		}
	}
	return kept{}, false
}

func (c *cache) keep(o Options, reads source.Reads, k kept) {
	m := &memory{keyOf(o), reads, k}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byKey[m.key] = append([]*list.Element{c.order.PushFront(m)}, c.byKey[m.key]...)
	c.size += m.bytes()
	if all := c.byKey[m.key]; len(all) > variants {
		c.forgetLocked(all[variants])
	}
	for c.size > c.max && c.order.Len() > 0 {
		c.forgetLocked(c.order.Back())
	}
}

func (c *cache) forgetLocked(e *list.Element) {
	m, ok := c.order.Remove(e).(*memory)
	if !ok {
		return
	}
	c.size -= m.bytes()
	rest := slices.DeleteFunc(c.byKey[m.key], func(x *list.Element) bool { return x == e })
	if c.byKey[m.key] = rest; len(rest) == 0 {
		delete(c.byKey, m.key)
	}
}

func (m *memory) bytes() int64 {
	n := int64(len(m.key) + len(m.Docs))
	for question, answer := range m.reads {
		n += int64(len(question) + len(answer))
	}
	return n
}
