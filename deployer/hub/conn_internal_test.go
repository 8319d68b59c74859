package hub

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/release"
)

func TestAStreamThatHasEndedIsNoConnection(t *testing.T) {
	h := New(Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	open := func() *conn {
		return &conn{caller: caller{cluster: "far"}, out: make(chan *wire.Message, waiting), done: make(chan struct{}), replace: make(chan struct{})}
	}
	now := open()
	h.join(now, &wire.Hello{})
	late := open()
	close(late.done) // its hello came when it was given up
	h.join(late, &wire.Hello{})
	if !h.Connection("far").Connected || h.members["far"].conn != now {
		t.Error("a stream that has ended took the place of one that is open")
	}
	close(now.done)
	h.leave(now)
	if h.Connection("far").Connected {
		t.Error("a stream that has ended counts")
	}
}

func TestAnAgentThatNamesOtherServicesEachTimeFillsNoMemory(t *testing.T) {
	h := New(Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	var last wire.Held
	for i := range 5 {
		c := &conn{caller: caller{cluster: "far"}, out: make(chan *wire.Message, waiting), done: make(chan struct{}), replace: make(chan struct{})}
		hello := &wire.Hello{}
		for n := range wire.MaxHeld {
			last = wire.Held{Service: release.Service(fmt.Sprintf("t%d/s%d", i, n)), Seq: uint64(time.Now().Add(time.Hour).UnixMicro())}
			hello.Held = append(hello.Held, last)
		}
		h.join(c, hello)
	}
	if n := len(h.members["far"].seqs); n > 2*wire.MaxHeld {
		t.Errorf("%d numbers are remembered", n)
	}
	if next := h.next("far", last.Service); next <= last.Seq {
		t.Errorf("number %d is not above %d, which the agent holds", next, last.Seq)
	}
}

func TestAnAgentThatHasMuchToDoIsThereAllTheSame(t *testing.T) {
	h := New(Config{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	c := &conn{caller: caller{cluster: "far"}, out: make(chan *wire.Message, waiting), done: make(chan struct{}), replace: make(chan struct{}), turns: make(chan struct{}, 1), asked: map[uint64]chan *wire.Answer{}}
	h.join(c, &wire.Hello{})
	c.turns <- struct{}{} // all that may be asked at once
	go func() {
		for m := range c.out {
			if m.Ask != nil {
				c.answer(&wire.Answer{ID: m.Ask.ID, State: "Ready"})
			}
		}
	}()
	if state, message := h.Reach(t.Context(), "far"); state != "Ready" {
		t.Errorf("%s: %s", state, message)
	}
}
