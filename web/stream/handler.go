package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/problem"
)

// mostLogs is how many build logs one stream may follow.
const mostLogs = 4

// ask is what a client wants.
type ask struct {
	topics map[string]bool
	logs   map[release.ID]int // the first line wanted
	last   release.Revision
	again  bool // last is set
}

var logTopic = regexp.MustCompile(`^log:([a-z0-9.-]{1,160})(?:@([0-9]{1,9}))?$`)

// parse reads topics=releases,board,experiments,log:ID or log:ID@LINE, and what the
// client saw last: the header of a browser that comes back, or since=REVISION.
func parse(r *http.Request) (ask, error) {
	a := ask{topics: map[string]bool{}, logs: map[release.ID]int{}}
	for t := range strings.SplitSeq(r.URL.Query().Get("topics"), ",") {
		switch m := logTopic.FindStringSubmatch(t); {
		case t == "releases", t == "board", t == "experiments":
			a.topics[t] = true
		case m != nil && len(a.logs) < mostLogs:
			line, _ := strconv.Atoi("0" + m[2])
			a.logs[release.ID(m[1])] = line
		case m != nil:
			return a, fmt.Errorf("more than %d logs", mostLogs)
		default:
			return a, fmt.Errorf("topic %.80q is none of releases, board, experiments, log:ID", t)
		}
	}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("since")
	}
	if last == "" {
		return a, nil
	}
	n, err := strconv.ParseInt(last, 10, 64)
	if err != nil || n < 0 {
		return a, fmt.Errorf("last event id %.80q is no revision", last)
	}
	a.last, a.again = release.Revision(n), true
	return a, nil
}

// ServeHTTP is one client's stream. Whoever calls it has already checked who it is.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := parse(r)
	if err != nil {
		problem.Write(w, http.StatusBadRequest, err.Error(), "ask for topics=releases,board,experiments")
		return
	}
	select {
	case <-h.ready:
	case <-r.Context().Done():
		return
	case <-h.ended:
		problem.Write(w, http.StatusServiceUnavailable, "the server is stopping", "")
		return
	}
	who := auth.From(r.Context())
	c, missed, ok := h.join(who.Key(), a.topics, a.last, a.again)
	if !ok {
		problem.RetryAfter(w.Header(), pingEvery)
		problem.Write(w, http.StatusTooManyRequests, fmt.Sprintf("more than %d streams", perSession), "close other tabs")
		return
	}
	defer h.leave(who.Key(), c)

	head := w.Header()
	head.Set("Content-Type", "text/event-stream")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s := sender{w, http.NewResponseController(w)}
	if s.send(append([][]byte{[]byte("retry: 2000\n: ok\n\n")}, missed...)...) != nil {
		return
	}
	h.pump(r.Context(), s, c, a, who)
}

// pump sends until the client leaves, falls behind or may no longer see it.
func (h *Hub) pump(ctx context.Context, s sender, c *client, a ask, who auth.Who) {
	ctx, cancel := context.WithCancel(ctx)
	lines, wait := h.follow(ctx, a.logs)
	defer wait()
	defer cancel()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-h.ended:
			return
		case <-c.slow:
			return
		case b := <-c.frames:
			err = s.send(append([][]byte{b}, drain(c.frames)...)...)
		case b := <-lines:
			err = s.send(b)
		case <-ping.C:
			if _, err = h.source.Still(ctx, who); err == nil {
				err = s.send([]byte(": ping\n\n"))
			} else if !errors.Is(err, auth.ErrAnonymous) && ctx.Err() == nil {
				h.log.Warn("stream", "act", "check session", "error", err)
			}
		}
		if err != nil {
			return
		}
	}
}

// drain is what else is waiting, so that a burst is one write.
func drain(frames <-chan []byte) (more [][]byte) {
	for len(more) < queue {
		select {
		case b := <-frames:
			more = append(more, b)
		default:
			return more
		}
	}
	return more
}

// follow reads the wanted logs; each waits for the client, so none piles up.
func (h *Hub) follow(ctx context.Context, logs map[release.ID]int) (<-chan []byte, func()) {
	lines := make(chan []byte)
	var wg sync.WaitGroup
	for id, from := range logs {
		wg.Go(func() {
			err := h.source.Follow(ctx, id, from, func(data []byte) error {
				select {
				case lines <- fmt.Appendf(nil, "event: log\ndata: %s\n\n", data):
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			if err != nil && ctx.Err() == nil {
				h.log.Warn("stream", "act", "follow log", "release", id, "error", err)
			}
		})
	}
	return lines, wg.Wait
}

// sender writes within a deadline of its own: the server's would end the stream.
type sender struct {
	w    http.ResponseWriter
	ctrl *http.ResponseController
}

func (s sender) send(parts ...[]byte) error {
	if err := s.ctrl.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	for _, b := range parts {
		if _, err := s.w.Write(b); err != nil {
			return err
		}
	}
	return s.ctrl.Flush()
}
