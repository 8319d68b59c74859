package stream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/stream"
)

// tape is a store's history: it is written on and watched.
type tape struct {
	mu      sync.Mutex // guards all below
	events  []stream.Event
	kept    release.Revision // what is older is gone
	changed chan struct{}
	fail    error // what the next watch ends with
	signed  bool  // whether sessions are still good
	lines   int   // of every log
}

func newTape(n int) *tape {
	t := &tape{changed: make(chan struct{}), signed: true}
	for range n {
		t.write("releases", "release", `{}`)
	}
	return t
}

func (t *tape) write(topic, name, data string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	rev := release.Revision(len(t.events) + 1)
	t.events = append(t.events, stream.Event{Revision: rev, Topic: topic, Name: name, Data: []byte(data)})
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *tape) revision(context.Context) (release.Revision, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return release.Revision(len(t.events)), nil
}

func (t *tape) since(from release.Revision) ([]stream.Event, chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.fail; err != nil {
		t.fail = nil
		return nil, nil, err
	}
	if from < t.kept {
		return nil, nil, stream.ErrTooOld
	}
	return t.events[from:], t.changed, nil
}

func (t *tape) watch(ctx context.Context, from release.Revision, fn func(stream.Event) error) error {
	for {
		events, changed, err := t.since(from)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := fn(e); err != nil {
				return err
			}
			from = e.Revision
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *tape) follow(_ context.Context, id release.ID, from int, fn func([]byte) error) error {
	for n := from; n < t.lines; n++ {
		if err := fn(fmt.Appendf(nil, `{"release":%q,"n":%d}`, id, n)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tape) still(_ context.Context, w auth.Who) (auth.Who, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.signed {
		return auth.Who{}, auth.ErrAnonymous
	}
	return w, nil
}

// screen is a browser's end of one stream.
type screen struct {
	mu     sync.Mutex // guards both
	text   strings.Builder
	code   int
	header http.Header
	stuck  chan struct{} // when set, writes wait for it
	ended  chan struct{}
	close  context.CancelFunc
}

func (s *screen) Header() http.Header              { return s.header }
func (s *screen) WriteHeader(code int)             { s.code = code }
func (s *screen) FlushError() error                { return nil }
func (s *screen) SetWriteDeadline(time.Time) error { return nil }
func (s *screen) Write(b []byte) (int, error) {
	if s.stuck != nil {
		<-s.stuck
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

// shows waits until nothing moves any more and gives back what is new.
func (s *screen) shows() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.text.String()
	s.text.Reset()
	return text
}

func run(t *testing.T, p *tape) *stream.Hub {
	hub := stream.New(stream.Source{Revision: p.revision, Watch: p.watch, Follow: p.follow, Still: p.still}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- hub.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	synctest.Wait()
	return hub
}

func connect(t *testing.T, hub *stream.Hub, query, last string) *screen {
	return attach(t, hub, query, last, &screen{})
}

func attach(t *testing.T, hub *stream.Hub, query, last string, s *screen) *screen {
	s.header, s.ended = http.Header{}, make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	s.close = cancel
	r := httptest.NewRequestWithContext(ctx, "GET", "/api/v1/stream?"+query, nil)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	go func() {
		defer close(s.ended)
		hub.ServeHTTP(s, r)
	}()
	t.Cleanup(func() { cancel(); <-s.ended })
	synctest.Wait()
	return s
}

func (s *screen) over() bool {
	synctest.Wait()
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

const hello = "retry: 2000\n: ok\n\n"

func TestAClientGetsItsTopicsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTape(3)
		hub := run(t, p)
		releases, board := connect(t, hub, "topics=releases", ""), connect(t, hub, "topics=board,experiments", "")
		if got := releases.shows(); got != hello+"id: 3\n\n" {
			t.Errorf("at first %q", got)
		}
		board.shows()
		p.write("releases", "release", `{"id":"shop.web.1"}`)
		p.write("board", "slot", `{"env":"prod"}`)
		if got := releases.shows(); got != "id: 4\nevent: release\ndata: {\"id\":\"shop.web.1\"}\n\n" {
			t.Errorf("releases: %q", got)
		}
		if got := board.shows(); got != "id: 5\nevent: slot\ndata: {\"env\":\"prod\"}\n\n" {
			t.Errorf("board: %q", got)
		}
		for k, want := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"} {
			if got := board.header.Get(k); got != want {
				t.Errorf("%s: %q", k, got)
			}
		}
	})
}

func TestComingBack(t *testing.T) {
	for _, c := range []struct {
		name, query, last, want string
	}{
		{name: "what was missed is sent again, with the last revision once more", last: "4", want: "id: 4|id: 5"},
		{name: "a client may name its revision in the query", query: "&since=5", want: "id: 5"},
		{name: "the header is newer than the query", query: "&since=1", last: "5", want: "id: 5"},
		{name: "a client from the last run of the server goes on", last: "1", want: "id: 1|id: 2|id: 3|id: 4|id: 5"},
		{name: "a client from another store reads everything again", last: "99", want: "resync"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newTape(3)
				hub := run(t, p)
				p.write("releases", "release", `{}`)
				p.write("releases", "release", `{}`)
				synctest.Wait()
				s := connect(t, hub, "topics=releases"+c.query, c.last)
				got := strings.TrimPrefix(s.shows(), hello)
				if c.want == "resync" {
					if got != "id: 5\nevent: resync\ndata: {\"revision\":5}\n\n" {
						t.Errorf("got %q", got)
					}
					return
				}
				var ids []string
				for e := range strings.SplitSeq(strings.TrimSpace(got), "\n\n") {
					id, _, _ := strings.Cut(e, "\n")
					ids = append(ids, id)
				}
				if s := strings.Join(ids, "|"); s != c.want {
					t.Errorf("got %s", s)
				}
			})
		})
	}
}

func TestWhatIsForgottenIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTape(0)
		hub := run(t, p)
		for range 3000 {
			p.write("releases", "release", `{}`)
		}
		synctest.Wait()
		if got := connect(t, hub, "topics=releases", "500").shows(); !strings.Contains(got, "event: resync") {
			t.Errorf("got %.200q", got)
		}
		if got := connect(t, hub, "topics=releases", "2999").shows(); strings.Count(got, "event: release") != 2 {
			t.Errorf("got %.200q", got)
		}
	})
}

func TestAHistoryThatStartsLaterMeansResyncForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTape(10)
		p.kept = 9
		hub := run(t, p)
		s := connect(t, hub, "topics=releases", "")
		s.shows()
		p.write("releases", "release", `{}`)
		if got := s.shows(); !strings.HasPrefix(got, "id: 11\nevent: release") {
			t.Errorf("got %q", got)
		}
		if got := connect(t, hub, "topics=releases", "3").shows(); !strings.Contains(got, "event: resync") {
			t.Errorf("got %q", got)
		}
	})
}

func TestAStoreThatStumblesLosesNoEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTape(1)
		hub := run(t, p)
		s := connect(t, hub, "topics=releases", "")
		s.shows()
		p.fail = errors.New("connection reset")
		p.write("board", "slot", `{}`)
		synctest.Wait()
		p.write("releases", "release", `{"n":3}`)
		time.Sleep(2 * time.Second)
		if got := s.shows(); !strings.Contains(got, "id: 3\n") {
			t.Errorf("got %q", got)
		}
	})
}

func TestPingsAndRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTape(1)
		s := connect(t, run(t, p), "topics=releases", "")
		s.shows()
		time.Sleep(31 * time.Second)
		if got := s.shows(); got != ": ping\n\n: ping\n\n" {
			t.Errorf("in 31 s: %q", got)
		}
		p.mu.Lock()
		p.signed = false
		p.mu.Unlock()
		time.Sleep(15 * time.Second)
		if !s.over() {
			t.Error("the stream outlives its session")
		}
		if got := s.shows(); got != "" {
			t.Errorf("after the sign-out: %q", got)
		}
	})
}

func TestASlowClientIsDroppedAndTheOthersAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTape(1)
		hub := run(t, p)
		quick, slow := connect(t, hub, "topics=releases", ""), attach(t, hub, "topics=releases", "", &screen{stuck: make(chan struct{})})
		quick.shows()
		for range 400 {
			p.write("releases", "release", `{}`)
			synctest.Wait()
		}
		close(slow.stuck)
		if !slow.over() {
			t.Error("the slow client is still there")
		}
		if quick.over() || strings.Count(quick.shows(), "event: release") != 400 {
			t.Error("the quick client missed something")
		}
		if n := hub.Open(); n != 1 {
			t.Errorf("%d streams open", n)
		}
	})
}

func TestASessionHasFewStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := run(t, newTape(1))
		var first *screen
		for range 8 {
			first = connect(t, hub, "topics=releases", "")
		}
		ninth := connect(t, hub, "topics=releases", "")
		if !ninth.over() || ninth.code != http.StatusTooManyRequests {
			t.Errorf("the ninth is answered %d", ninth.code)
		}
		first.close()
		synctest.Wait()
		if again := connect(t, hub, "topics=releases", ""); again.over() {
			t.Errorf("after one has left: %d", again.code)
		}
	})
}

func TestLogsAreFollowedAtTheClientsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTape(1)
		p.lines = 5000
		hub := run(t, p)
		s := attach(t, hub, "topics=releases,log:shop.web.3f2a91c07d0b@10", "", &screen{stuck: make(chan struct{})})
		close(s.stuck)
		got := s.shows()
		if n := strings.Count(got, "event: log\n"); n != 4990 {
			t.Errorf("%d lines", n)
		}
		if !strings.Contains(got, `data: {"release":"shop.web.3f2a91c07d0b","n":10}`) || strings.Contains(got, "id: 2") {
			t.Errorf("got %.300q", got)
		}
		if s.over() {
			t.Error("the stream ended with the log")
		}
	})
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	for _, query := range []string{"", "topics=", "topics=secrets", "topics=releases,,board", "topics=log:", "topics=log:../x",
		"topics=log:a,log:b,log:c,log:d,log:e", "topics=releases&since=yesterday", "topics=releases&since=-1", "topics=版本"} {
		synctest.Test(t, func(t *testing.T) {
			s := connect(t, run(t, newTape(1)), query, "")
			if !s.over() || s.code != http.StatusBadRequest {
				t.Errorf("%q is answered %d", query, s.code)
			}
		})
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTape(1)
		hub := stream.New(stream.Source{Revision: p.revision, Watch: p.watch, Follow: p.follow, Still: p.still}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = hub.Run(ctx) }()
		s := connect(t, hub, "topics=releases", "")
		cancel()
		if !s.over() {
			t.Error("the stream is still open")
		}
	})
}
