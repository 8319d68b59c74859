package kube

import (
	"net/http"
	"sync/atomic"
	"time"
)

// heard is when a cluster last answered a call well: at is forgotten when a call fails, good
// is not.
type heard struct{ at, good atomic.Int64 }

func (h *heard) lately() bool {
	at := h.at.Load()
	return at != 0 && time.Since(time.Unix(0, at)) < probeFresh
}

// since reports whether any call was answered well after a moment.
func (h *heard) since(t time.Time) bool { return h.good.Load() > t.UnixNano() }

func (h *heard) listen(next http.RoundTripper) http.RoundTripper { return listening{next, h} }

type listening struct {
	next  http.RoundTripper
	heard *heard
}

// RoundTrip passes the call on and notes a good answer.
func (l listening) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(req)
	switch {
	case err != nil:
		l.heard.at.Store(0) // whether it is there is asked anew
	case res.StatusCode < http.StatusMultipleChoices:
		now := time.Now().UnixNano()
		l.heard.at.Store(now)
		l.heard.good.Store(now)
	}
	return res, err
}
