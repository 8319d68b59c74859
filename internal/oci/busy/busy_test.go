package busy_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci/busy"
)

// server is busy for a number of requests.
type server struct {
	busy   int
	after  string
	bodies []string
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	s.bodies = append(s.bodies, string(body))
	resp := &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}
	if len(s.bodies) <= s.busy {
		resp.StatusCode = http.StatusTooManyRequests
		resp.Header.Set("Retry-After", s.after)
	}
	return resp, nil
}

func TestABusyServerIsComeBackToWithinLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		server server
		stream bool // the body can be read once
		asked  int
		waited time.Duration
		ok     bool
	}{
		{name: "when it says", server: server{busy: 1, after: "7"}, asked: 2, waited: 7 * time.Second, ok: true},
		{name: "after a second when it says nothing", server: server{busy: 2}, asked: 3, waited: 2 * time.Second, ok: true},
		{name: "at a time of day", server: server{busy: 1, after: "Sat, 01 Jan 2000 00:00:05 GMT"}, asked: 2, waited: 5 * time.Second, ok: true}, // a bubble's clock begins with 2000
		{name: "not for longer than we are patient", server: server{busy: 1, after: "11"}, asked: 1},
		{name: "not again and again", server: server{busy: 100, after: "1"}, asked: 3, waited: 2 * time.Second},
		{name: "not with half a body", server: server{busy: 1, after: "1"}, stream: true, asked: 1},
		{name: "not when it says nonsense for ever", server: server{busy: 100, after: "-1"}, asked: 3, waited: 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://registry.example/v2/", strings.NewReader("a manifest"))
				if err != nil {
					t.Fatal(err)
				}
				if c.stream {
					req.GetBody = nil
				}
				began := time.Now()
				resp, err := busy.Transport{Next: &c.server, Patience: 10 * time.Second}.RoundTrip(req)
				if (err == nil) != c.ok || len(c.server.bodies) != c.asked || time.Since(began) != c.waited {
					t.Errorf("asked %d times in %s: %v", len(c.server.bodies), time.Since(began), err)
				}
				for _, body := range c.server.bodies {
					if body != "a manifest" {
						t.Errorf("it was sent %q", body)
					}
				}
				if err == nil {
					resp.Body.Close()
					return
				}
				if _, ok := errors.AsType[busy.Error](err); !ok || !strings.Contains(hint.Of(err), "come back in") {
					t.Errorf("%v, hint %q", err, hint.Of(err))
				}
			})
		})
	}
}
