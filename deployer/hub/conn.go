package hub

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const (
	waiting   = 64 // messages that may wait to be sent to one agent
	atOnce    = 48 // asks that one agent works on; it refuses more than 64
	statusGap = 10 * time.Second
)

// conn is one open stream.
type conn struct {
	caller
	out     chan *wire.Message
	done    chan struct{} // closed when the stream has ended
	replace chan struct{} // closed when another stream takes its place
	turns   chan struct{} // one per ask that is not answered

	mu      sync.Mutex // guards what follows
	last    uint64     // number of the last ask
	asked   map[uint64]chan *wire.Answer
	held    map[release.Service]wire.Held
	scripts release.Commit
	scripty bool // scripts were sent
}

// Stream speaks to one agent until it goes.
func (h *Hub) Stream(stream grpc.ServerStream) error {
	who, err := h.who(stream.Context())
	if err != nil {
		return err
	}
	c := &conn{caller: who, out: make(chan *wire.Message, waiting), done: make(chan struct{}), replace: make(chan struct{}), turns: make(chan struct{}, atOnce), asked: map[uint64]chan *wire.Answer{}}
	defer h.leave(c) // after it is done: it may have joined unseen, or may be about to
	defer close(c.done)
	heard, joined := make(chan error, 1), make(chan struct{})
	go func() { heard <- h.hear(c, stream, joined) }() // it ends with the stream, which ends when we return
	select {
	case err := <-heard:
		return err
	case <-time.After(wire.Dialling):
		return status.Error(codes.DeadlineExceeded, "no hello came")
	case <-joined:
	}
	return h.speak(c, stream, heard)
}

// speak sends what waits, and asks now and then whether the agent is still allowed.
func (h *Hub) speak(c *conn, stream grpc.ServerStream, heard <-chan error) error {
	check, note := time.NewTicker(h.cfg.Check), time.NewTicker(statusGap)
	defer check.Stop()
	defer note.Stop()
	for {
		select {
		case m := <-c.out:
			if err := stream.SendMsg(m); err != nil {
				return err
			}
		case <-check.C:
			if err := h.allowed(c.caller); err != nil {
				return err
			}
		case <-note.C:
			h.note(c.cluster)
		case <-c.replace:
			return status.Error(codes.Aborted, "another stream of the same agent took its place")
		case err := <-heard:
			return err
		}
	}
}

// hear takes what the agent reports.
func (h *Hub) hear(c *conn, stream grpc.ServerStream, joined chan<- struct{}) error {
	hello := false
	for {
		r := new(wire.Report)
		if err := stream.RecvMsg(r); err != nil {
			return err
		}
		if err := h.allowed(c.caller); err != nil {
			return err
		}
		switch {
		case r.Hello != nil && !hello:
			if len(r.Hello.Held) > wire.MaxHeld {
				return status.Error(codes.InvalidArgument, "the agent holds too many services")
			}
			hello = true
			h.join(c, r.Hello)
			close(joined)
		case !hello || r.Hello != nil:
			return status.Error(codes.InvalidArgument, "want one hello, first")
		case r.State != nil:
			if err := h.learn(c, r.State); err != nil {
				return err
			}
		case r.Answer != nil:
			c.answer(r.Answer)
		case r.Healed != nil && h.cfg.Healed != nil:
			h.cfg.Healed(stream.Context(), c.cluster, *r.Healed)
		}
	}
}

// join makes the stream the agent's only one, and says where its list goes on.
func (h *Hub) join(c *conn, hello *wire.Hello) {
	c.held = map[release.Service]wire.Held{}
	h.mu.Lock()
	if c.ended() {
		h.mu.Unlock()
		return
	}
	m := h.memberLocked(c.cluster)
	if m.conn != nil {
		close(m.conn.replace)
	}
	m.conn, m.version, m.since = c, clip(hello.Version), h.cfg.Now()
	welcome := &wire.Welcome{}
	if m.epoch == hello.Epoch && m.current && m.revision <= hello.Revision {
		welcome.After = m.revision
	}
	m.epoch, m.current = hello.Epoch, m.current && welcome.After > 0
	if len(m.seqs) > wire.MaxHeld {
		clear(m.seqs) // an agent names what it holds, and the clock goes on
	}
	for _, held := range hello.Held {
		c.held[held.Service] = held
		m.seqs[held.Service] = max(m.seqs[held.Service], held.Seq)
		h.pending[live.Change{Cluster: c.cluster, Service: held.Service}] = struct{}{}
	}
	c.out <- &wire.Message{Welcome: welcome} // the first: there is room
	h.mu.Unlock()
	h.ring()
	h.cfg.Log.Info("agent connected", "cluster", c.cluster, "version", clip(hello.Version), "resumed", welcome.After > 0)
	h.note(c.cluster)
}

// ended reports whether the stream is over.
func (c *conn) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func clip(version string) string { return version[:min(len(version), 64)] }

func (h *Hub) leave(c *conn) {
	h.mu.Lock()
	m := h.memberLocked(c.cluster)
	ours := m.conn == c
	if ours {
		m.conn, m.since = nil, h.cfg.Now()
	}
	h.mu.Unlock()
	if ours {
		h.cfg.Log.Warn("agent gone", "cluster", c.cluster)
		h.note(c.cluster)
	}
}

const maxObjects = 200_000 // of one agent

// learn keeps what an agent says of its objects.
func (h *Hub) learn(c *conn, s *wire.State) error {
	h.mu.Lock()
	m := h.memberLocked(c.cluster)
	if m.conn != c {
		h.mu.Unlock()
		return nil // it is being replaced
	}
	if s.List {
		m.objects, m.current = map[string]wire.Object{}, false
	}
	for _, o := range s.Objects {
		if o.Gone {
			delete(m.objects, o.Key())
		} else {
			m.objects[o.Key()] = o
		}
	}
	m.revision, m.current = s.Revision, m.current || s.Current
	many := len(m.objects) > maxObjects
	h.mu.Unlock()
	if many {
		return status.Error(codes.ResourceExhausted, "the agent has too many objects")
	}
	for _, o := range s.Objects {
		h.cfg.Object(c.cluster, o)
	}
	return nil
}

func (h *Hub) ring() {
	select {
	case h.news <- struct{}{}:
	default:
	}
}

func (c *conn) answer(a *wire.Answer) {
	c.mu.Lock()
	to := c.asked[a.ID]
	delete(c.asked, a.ID)
	c.mu.Unlock()
	if to != nil {
		to <- a // there is room for one
	}
}

// ask sends and waits. The error means that the agent could not be asked.
func (c *conn) ask(gone <-chan struct{}, within time.Duration, a wire.Ask) (*wire.Answer, error) {
	late := time.NewTimer(within + time.Second) // the agent says so itself when its time is over
	defer late.Stop()
	began := time.Now()
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-c.done:
		return nil, away(c.cluster, "its agent was cut off", began)
	case <-late.C:
		return nil, away(c.cluster, "its agent has too much to do", began)
	case <-gone:
		return nil, context.Canceled
	}
	return c.await(gone, late.C, within, a)
}

// probe asks without waiting for a turn: whether an agent is there does not depend on how
// much it has to do.
func (c *conn) probe(gone <-chan struct{}, within time.Duration, a wire.Ask) (*wire.Answer, error) {
	late := time.NewTimer(within + time.Second)
	defer late.Stop()
	return c.await(gone, late.C, within, a)
}

// await sends an ask whose turn it is, and waits for the answer.
func (c *conn) await(gone <-chan struct{}, late <-chan time.Time, within time.Duration, a wire.Ask) (*wire.Answer, error) {
	came, began := make(chan *wire.Answer, 1), time.Now()
	c.mu.Lock()
	c.last++
	a.ID, a.Within = c.last, within
	c.asked[a.ID] = came
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.asked, a.ID)
		c.mu.Unlock()
	}()
	select {
	case c.out <- &wire.Message{Ask: &a}:
	case <-c.done:
		return nil, away(c.cluster, "its agent was cut off", began)
	case <-late:
		return nil, away(c.cluster, "its agent takes no messages", began)
	case <-gone:
		return nil, context.Canceled
	}
	select {
	case got := <-came:
		if got.Error != "" {
			return got, hint.Add(errors.New(got.Error), got.Hint)
		}
		return got, nil
	case <-c.done:
		return nil, away(c.cluster, "its agent was cut off", began)
	case <-late:
		return nil, away(c.cluster, fmt.Sprintf("its agent gave no answer within %s", within), began)
	case <-gone:
		return nil, context.Canceled
	}
}

// tell sends the health scripts when they are others than the agent has.
func (c *conn) tell(commit release.Commit, files map[string]string) {
	c.mu.Lock()
	known := c.scripty && c.scripts == commit
	c.scripty, c.scripts = true, commit
	c.mu.Unlock()
	if known {
		return
	}
	select {
	case c.out <- &wire.Message{Scripts: &wire.Scripts{Commit: commit, Files: files}}:
	case <-c.done:
	}
}

func (c *conn) holds(s release.Service) wire.Held {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held[s]
}

func (c *conn) hold(held wire.Held) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[held.Service] = held
}

func (c *conn) forget(s release.Service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.held[s]
	h.Digest = ""
	c.held[s] = h
}
