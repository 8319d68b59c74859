// Package busy comes back to a server that answers 429 and says when.
//
// Start at Transport. It never waits longer than it was told to be patient, and a request
// whose body cannot be had again is made once.
package busy

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Tries is how often a request is made of a server that asks to come back.
const Tries = 3

// Transport makes a request again when the server is busy.
type Transport struct {
	Next     http.RoundTripper
	Patience time.Duration // with a server that names the time to come back
}

// RoundTrip carries out one request, with its body from the beginning: whoever tries again
// above hands in one that has been read. The error is an Error when the server stays busy.
func (t Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	for try := 1; ; try++ {
		again, err := rewound(req)
		if err != nil {
			return nil, err
		}
		resp, err := t.Next.RoundTrip(again)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		after := comeBack(resp.Header.Get("Retry-After"), time.Now())
		_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
		resp.Body.Close()
		if after > t.Patience || try == Tries || req.Body != nil && req.GetBody == nil {
			return nil, Error{Host: req.URL.Host, After: after}
		}
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(after):
		}
	}
}

func rewound(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.GetBody == nil {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	req.Body.Close()
	again := req.Clone(req.Context())
	again.Body = body
	return again, nil
}

// comeBack reads Retry-After, seconds or a date; a second when it says nothing.
func comeBack(header string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(at.Sub(now), 0)
	}
	return time.Second
}

// Error is a server that takes no more requests for now.
type Error struct {
	Host  string
	After time.Duration // to come back
}

// Error is what it answered.
func (e Error) Error() string { return e.Host + " answers 429 Too Many Requests" }

// Hint is when to come back.
func (e Error) Hint() string {
	return fmt.Sprintf("the registry limits requests and asks to come back in %s; what waits for it goes on by itself. Raise its limit, or let it know who asks with a login", e.After.Round(time.Second))
}
