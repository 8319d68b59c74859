// Package once answers a repeated request as it was answered before. A request is written
// down before it is carried out, so two at the same time act once.
//
// Start at Once.Serve. It never keeps the answer of a request whose answer is a secret.
package once

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/problem"
	"github.com/seatrial/seatrial/web/vault"
)

const (
	keys       = "once/"
	keepAnswer = 24 * time.Hour
	abandoned  = 2 * time.Minute // an act that takes longer has died with its server
	maxKey     = 255
)

// MaxRequest is how many bytes a request to the API may have.
const MaxRequest = 64 << 10

// Once knows the requests of the last day.
type Once struct {
	Vault vault.Vault
	Log   *slog.Logger
}

// answered is a request and what it was answered.
type answered struct {
	Print  string      `json:"print"` // of method, path and body
	At     time.Time   `json:"at"`
	Done   bool        `json:"done"`
	Status int         `json:"status,omitempty"`
	Header http.Header `json:"header,omitempty"`
	Body   []byte      `json:"body,omitempty"`
}

// Serve carries out a request with a key, unless it was before. An answer that is a secret
// is shown once.
func (o *Once) Serve(w http.ResponseWriter, r *http.Request, key string, secret bool, next http.Handler) {
	if len(key) > maxKey {
		problem.Write(w, http.StatusBadRequest, "the Idempotency-Key is longer than 255 characters", "use a random id")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxRequest))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		problem.Write(w, http.StatusRequestEntityTooLarge, "the body is larger than 64 KiB", "")
		return
	}
	if err != nil {
		problem.Write(w, http.StatusBadRequest, "the body ended early", "")
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	name := keys + digest(auth.From(r.Context()).Name, key)
	mine := answered{Print: digest(r.Method, r.URL.RequestURI(), string(body)), At: time.Now()}
	p, before := o.begin(r.Context(), name, mine)
	switch {
	case p != nil:
		if p.Status == http.StatusConflict || p.Status == http.StatusServiceUnavailable {
			problem.RetryAfter(w.Header(), time.Second)
		}
		p.Write(w)
	case before != nil && secret:
		problem.Write(w, http.StatusConflict, "this was done before, and its answer is shown only once", "remove what was made and make it again")
	case before != nil:
		before.write(w)
	default:
		o.run(w, r, name, mine, secret, next)
	}
}

// begin writes the request down, or finds out what became of it before.
func (o *Once) begin(ctx context.Context, name string, mine answered) (*problem.Problem, *answered) {
	for range 3 { // each time around, somebody else was faster
		old, rev, err := vault.Read[answered](ctx, o.Vault, name)
		switch {
		case errors.Is(err, vault.ErrNotFound):
			rev = 0
		case err != nil:
			return o.unavailable("read", err), nil
		case mine.At.Sub(old.At) > keepAnswer, !old.Done && mine.At.Sub(old.At) > abandoned && old.Print == mine.Print:
		case old.Print != mine.Print:
			return problem.New(http.StatusUnprocessableEntity, "this Idempotency-Key was used for another request", "use a new key for a new request"), nil
		case !old.Done:
			return problem.New(http.StatusConflict, "the same request is being carried out", "ask again in a moment"), nil
		default:
			return nil, &old
		}
		err = vault.Write(ctx, o.Vault, name, mine, rev)
		if err == nil {
			return nil, nil
		}
		if !errors.Is(err, vault.ErrStale) {
			return o.unavailable("write", err), nil
		}
	}
	return problem.New(http.StatusConflict, "the same request is being carried out", "ask again in a moment"), nil
}

// run carries the request out and keeps the answer before it is sent. A request that
// broke is forgotten, so that it can be tried again.
func (o *Once) run(w http.ResponseWriter, r *http.Request, name string, mine answered, secret bool, next http.Handler) {
	got := &capture{header: http.Header{}, status: http.StatusOK}
	finished := false
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
		defer cancel()
		if !finished || got.status >= http.StatusInternalServerError || got.status == http.StatusTooManyRequests {
			if err := o.Vault.Delete(ctx, name); err != nil {
				o.Log.Error("web", "act", "forget request", "error", err)
			}
		} else if err := o.keep(ctx, name, mine, got, secret); err != nil {
			o.Log.Error("web", "act", "keep answer", "error", err)
		}
		if finished {
			got.send(w)
		}
	}()
	next.ServeHTTP(got, r)
	finished = true
}

func (o *Once) keep(ctx context.Context, name string, mine answered, got *capture, secret bool) error {
	now, err := o.Vault.Get(ctx, name)
	if err != nil {
		return err
	}
	mine.Done, mine.Status, mine.Header = true, got.status, got.header
	if !secret {
		mine.Body = got.body.Bytes()
	}
	return vault.Write(ctx, o.Vault, name, mine, now.Revision)
}

// Sweep forgets answers that were kept long enough.
func (o *Once) Sweep(ctx context.Context, now time.Time) error {
	return vault.Each(ctx, o.Vault, keys, func(r vault.Record) error {
		a, _, err := vault.Read[answered](ctx, o.Vault, r.Key)
		if err != nil || now.Sub(a.At) <= keepAnswer {
			return err
		}
		return o.Vault.Delete(ctx, r.Key)
	})
}

func (o *Once) unavailable(act string, err error) *problem.Problem {
	o.Log.Error("web", "act", act+" idempotency record", "error", err)
	return problem.New(http.StatusServiceUnavailable, "the request could not be written down", "try again")
}

func (a *answered) write(w http.ResponseWriter) {
	for k, v := range a.Header {
		w.Header()[k] = v
	}
	w.Header().Set("Idempotency-Replayed", "true")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// capture holds an answer back until it is on disk.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *capture) Header() http.Header         { return c.header }
func (c *capture) WriteHeader(status int)      { c.status = status }
func (c *capture) Write(b []byte) (int, error) { return c.body.Write(b) }

func (c *capture) send(w http.ResponseWriter) {
	for k, v := range c.header {
		w.Header()[k] = v
	}
	w.WriteHeader(c.status)
	_, _ = w.Write(c.body.Bytes())
}

// digest joins parts so that no two lists of parts give the same text.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
