// Package stream tells browsers and command lines what changed, as server-sent events.
// One Hub watches the store and every client gets the frames of its topics; a client
// that comes back with Last-Event-ID gets what it missed.
//
// Start at Hub. It never waits for a slow client: that one is dropped and comes back. It
// never promises an event only once: the events of the revision a client saw last are
// sent again, since a connection may break between two of them, so events carry state,
// not differences.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/auth"
)

// Event is one change that clients of a topic are told.
type Event struct {
	Revision release.Revision // of the store; becomes the event's id
	Topic    string           // "releases", "board" or "experiments"
	Name     string           // "release", "slot" or "experiment"
	Data     []byte           // JSON on one line
}

// ErrTooOld: the changes since that revision are no longer kept.
var ErrTooOld = errors.New("revision no longer kept")

// Source is where events come from.
type Source struct {
	// Revision is the newest revision.
	Revision func(ctx context.Context) (release.Revision, error)
	// Watch calls fn with every event after revision from, in order and without gaps,
	// until ctx ends or fn returns an error. ErrTooOld: the history starts later.
	Watch func(ctx context.Context, from release.Revision, fn func(Event) error) error
	// Follow calls fn with a JSON document per batch of log lines from line number from
	// on, and returns when the log is complete or ctx ends.
	Follow func(ctx context.Context, id release.ID, from int, fn func(data []byte) error) error
	// Still is asked at every ping whether the client may go on.
	Still func(ctx context.Context, w auth.Who) (auth.Who, error)
}

// Limits of the hub and of each client.
const (
	keepFrames  = 2048
	keepBytes   = 4 << 20
	lookBack    = 1000 // revisions read again at the start, for clients of the last run
	queue       = 256  // frames a client may be behind
	perSession  = 8    // streams of one session or token
	inAll       = 1000
	pingEvery   = 15 * time.Second
	writeWithin = 10 * time.Second
	againAfter  = time.Second
)

// frame is an event as it goes over the wire; all clients share its bytes.
type frame struct {
	revision release.Revision
	topic    string
	bytes    []byte
}

// Hub keeps the newest frames and the clients.
type Hub struct {
	source Source
	log    *slog.Logger
	ready  chan struct{} // closed when the first revision is known
	ended  chan struct{} // closed when Run ends, and with it every stream

	mu      sync.Mutex // guards all below
	frames  []frame    // in order of revision
	size    int        // bytes in frames
	oldest  release.Revision
	newest  release.Revision
	clients map[*client]struct{}
	streams map[string]int // open ones by session or token
	open    int
}

// client is one open stream.
type client struct {
	topics map[string]bool
	frames chan []byte
	slow   chan struct{} // closed when it was dropped
}

// New makes a hub; nothing is watched before Run.
func New(s Source, log *slog.Logger) *Hub {
	return &Hub{source: s, log: log, ready: make(chan struct{}), ended: make(chan struct{}),
		clients: map[*client]struct{}{}, streams: map[string]int{}}
}

// Open is how many streams are open.
func (h *Hub) Open() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// Run watches the source until ctx ends. It may be called once.
func (h *Hub) Run(ctx context.Context) error {
	defer close(h.ended)
	from, err := h.begin(ctx)
	for err == nil {
		from, err = h.watch(ctx, from)
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// begin finds out where to start: a little back, so that clients of the last run can go
// on where they were.
func (h *Hub) begin(ctx context.Context) (release.Revision, error) {
	now, err := h.source.Revision(ctx)
	if err != nil {
		return 0, fmt.Errorf("stream: read revision: %w", err)
	}
	from := max(0, now-lookBack)
	h.mu.Lock()
	h.oldest, h.newest = from, now
	h.mu.Unlock()
	close(h.ready)
	return from, nil
}

// watch watches once and says where to go on; an error ends the hub.
func (h *Hub) watch(ctx context.Context, from release.Revision) (release.Revision, error) {
	err := h.source.Watch(ctx, from, h.publish)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if errors.Is(err, ErrTooOld) {
		return h.startOver(ctx)
	}
	h.log.Warn("stream", "act", "watch again", "error", err)
	select {
	case <-time.After(againAfter):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(from, h.newest-1), nil // the newest revision may have been told by half
}

// startOver drops what is kept and tells every client to read everything again.
func (h *Hub) startOver(ctx context.Context) (release.Revision, error) {
	now, err := h.source.Revision(ctx)
	if err != nil {
		return 0, fmt.Errorf("stream: read revision: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frames, h.size, h.oldest, h.newest = nil, 0, now, now
	for c := range h.clients {
		h.sendLocked(c, resync(now))
	}
	return now, nil
}

// publish keeps an event and hands it to the clients of its topic. What was already
// past when the hub began is kept only: clients have read a newer state.
func (h *Hub) publish(e Event) error {
	f := frame{e.Revision, e.Topic, fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", e.Revision, e.Name, e.Data)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frames, h.size = append(h.frames, f), h.size+len(f.bytes)
	drop := 0
	for ; len(h.frames)-drop > keepFrames || h.size > keepBytes; drop++ {
		h.oldest = h.frames[drop].revision + 1
		h.size -= len(h.frames[drop].bytes)
	}
	clear(h.frames[:drop]) // or the array would keep their bytes
	h.frames = h.frames[drop:]
	if e.Revision < h.newest {
		return nil
	}
	h.newest = e.Revision
	for c := range h.clients {
		if c.topics[e.Topic] {
			h.sendLocked(c, f.bytes)
		}
	}
	return nil
}

// sendLocked drops a client that is too far behind.
func (h *Hub) sendLocked(c *client, b []byte) {
	select {
	case c.frames <- b:
	default:
		close(c.slow)
		delete(h.clients, c)
	}
}

// join opens a stream for a session and returns what the client missed since last.
func (h *Hub) join(session string, topics map[string]bool, last release.Revision, again bool) (*client, [][]byte, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[session] >= perSession || h.open >= inAll {
		return nil, nil, false
	}
	h.streams[session]++
	h.open++
	c := &client{topics: topics, frames: make(chan []byte, queue), slow: make(chan struct{})}
	h.clients[c] = struct{}{}
	return c, h.missedLocked(topics, last, again), true
}

func (h *Hub) missedLocked(topics map[string]bool, last release.Revision, again bool) [][]byte {
	switch {
	case !again:
		return [][]byte{fmt.Appendf(nil, "id: %d\n\n", h.newest)}
	case last < h.oldest || last > h.newest: // forgotten, or of another store
		return [][]byte{resync(h.newest)}
	}
	var missed [][]byte
	for _, f := range h.frames {
		if f.revision >= last && topics[f.topic] {
			missed = append(missed, f.bytes)
		}
	}
	return missed
}

func (h *Hub) leave(session string, c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
	h.open--
	if h.streams[session]--; h.streams[session] == 0 {
		delete(h.streams, session)
	}
}

// resync tells a client to read everything again.
func resync(now release.Revision) []byte {
	return fmt.Appendf(nil, "id: %d\nevent: resync\ndata: {\"revision\":%d}\n\n", now, now)
}
