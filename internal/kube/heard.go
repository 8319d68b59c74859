package kube

import (
	"net/http"
	"sync/atomic"
	"time"
)

// heard is when a cluster last answered a call well.
type heard struct{ at atomic.Int64 }

func (h *heard) lately() bool {
	at := h.at.Load()
	return at != 0 && time.Since(time.Unix(0, at)) < probeFresh
}

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
		l.heard.at.Store(time.Now().UnixNano())
	}
	return res, err
}
