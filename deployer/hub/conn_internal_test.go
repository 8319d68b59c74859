package hub

import (
	"log/slog"
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer/agent/wire"
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
