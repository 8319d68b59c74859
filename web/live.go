package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/builds"
	"github.com/seatrial/seatrial/web/stream"
)

const streamRoute = "GET /api/v1/stream"

// logEvent is a batch of lines of a build log.
type logEvent struct {
	Release release.ID       `json:"release"`
	Lines   []builds.LogLine `json:"lines"`
	Done    bool             `json:"done,omitempty"` // no line will follow
}

// source is what the stream shows of the store.
func (s *Server) source() stream.Source {
	return stream.Source{
		Revision: s.parts.Changes.Revision,
		Watch: func(ctx context.Context, from release.Revision, fn func(stream.Event) error) error {
			return s.parts.Changes.Watch(ctx, from, func(c Change) error {
				e, ok, err := event(c)
				if err != nil || !ok {
					return err
				}
				return fn(e)
			})
		},
		Follow: s.follow,
		Still:  s.guard.Still,
	}
}

// event is a change as clients see it; false for one they do not.
func event(c Change) (stream.Event, bool, error) {
	e := stream.Event{Revision: c.Revision}
	var body any
	switch {
	case c.Release != nil:
		e.Topic, e.Name, body = "releases", "release", Summary(*c.Release)
	case c.Slot != nil:
		e.Topic, e.Name, body = "board", "slot", slimSlot(*c.Slot)
	case c.Run != nil:
		e.Topic, e.Name, body = "experiments", "experiment", *c.Run
	default:
		return e, false, nil
	}
	var err error
	e.Data, err = json.Marshal(body)
	return e, err == nil, err
}

func (s *Server) follow(ctx context.Context, id release.ID, from int, fn func([]byte) error) error {
	tell := func(e logEvent) error {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		return fn(b)
	}
	err := s.parts.Logs.Follow(ctx, id, from, func(lines []builds.LogLine) error {
		return tell(logEvent{Release: id, Lines: lines})
	})
	if err != nil {
		return err
	}
	return tell(logEvent{Release: id, Lines: []builds.LogLine{}, Done: true})
}

// live is the stream. The server's read deadline would end it.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a recorder in a test has none
	s.hub.ServeHTTP(w, r)
}
