package hooks

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/web/problem"
)

// answer is what a delivery gets, and the one word that metrics get.
type answer struct {
	code         int
	result       string
	detail, hint string
	body         string
}

// The answers that say nothing about a particular delivery.
var (
	unserved = answer{http.StatusNotFound, "unserved", "this forge's webhooks are not served",
		"add the forge and its webhook secret to seatrial.yaml", ""}
	unsigned = answer{http.StatusUnauthorized, "unsigned", "the signature is missing or wrong",
		"set the same secret in the forge's webhook and in Seatrial", ""}
	tooLarge = answer{http.StatusRequestEntityTooLarge, "too-large", "the body is larger than 1 MiB",
		"push fewer commits at once, or start the release by hand", ""}
	notJSON = answer{http.StatusUnsupportedMediaType, "malformed", "the content type is not application/json",
		"set the webhook's content type to application/json", ""}
	unread    = answer{http.StatusBadRequest, "malformed", "the body ended early", "", ""}
	noID      = answer{http.StatusBadRequest, "malformed", "the delivery id is missing or malformed", "", ""}
	busy      = answer{http.StatusServiceUnavailable, "busy", "too many deliveries at once", "deliver again in a few seconds", ""}
	ignored   = answer{code: http.StatusNoContent, result: "ignored"}
	duplicate = answer{code: http.StatusOK, result: "duplicate", body: "{\"duplicate\":true}\n"}
)

func (a answer) write(w http.ResponseWriter) {
	if a.code == http.StatusServiceUnavailable {
		problem.RetryAfter(w.Header(), queueTime)
	}
	if a.code >= http.StatusBadRequest {
		problem.Write(w, a.code, a.detail, a.hint)
		return
	}
	if a.body != "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.code)
	_, _ = io.WriteString(w, a.body) // the forge has gone: the push is kept all the same
}

// receive takes a delivery through all checks, the cheap ones first: nothing is read
// without a signature, nothing is parsed without a right one.
func (r *Receiver) receive(w http.ResponseWriter, req *http.Request, s *signer) answer {
	sum, ok := s.claimed(req.Header)
	if !ok {
		return unsigned
	}
	if req.ContentLength > MaxBody {
		return tooLarge
	}
	if !r.enter(req.Context()) {
		return busy
	}
	defer func() { <-r.slots }()

	body := r.buffer()
	defer r.giveBack(body)
	if a, ok := read(w, req, body); !ok {
		return a
	}
	if !s.signed(body.Bytes(), sum) {
		return unsigned
	}
	if !isJSON(req.Header.Get("Content-Type")) {
		return notJSON
	}
	delivery := req.Header.Get(s.delivery)
	if !validDelivery(delivery) {
		return noID
	}
	p, matters, err := parse(s.kind, req.Header.Get(s.event), body.Bytes())
	switch {
	case err != nil:
		return answer{code: http.StatusBadRequest, result: "malformed", detail: err.Error()}
	case !matters:
		return ignored
	}
	p.Delivery = delivery
	return r.keep(req.Context(), s.kind, p)
}

// parse reads what an event says; false when no build depends on it.
func parse(kind forge.Kind, event string, body []byte) (p forge.Push, matters bool, err error) {
	switch event {
	case "push":
		p, err = forge.ParsePush(kind, body)
		return p, true, err
	case "pull_request":
		return forge.ParsePull(kind, body)
	case "issue_comment":
		return forge.ParseComment(kind, body)
	}
	return p, false, nil
}

// keep keeps a signed word of a branch or a pull request of a repo we know.
func (r *Receiver) keep(ctx context.Context, kind forge.Kind, p forge.Push) answer {
	if !r.known(kind, p.Repo) {
		return answer{http.StatusNotFound, "unknown", "no project has the repo " + p.Repo,
			"add it to a Project in the platform repo", ""}
	}
	if _, branch := p.Branch(); p.Pull == 0 && !branch || p.Deleted {
		return ignored
	}
	fresh, err := r.intake(ctx, p)
	if err != nil {
		r.log.Error("webhook", "forge", kind, "delivery", p.Delivery, "repo", p.Repo, "error", err, "hint", hint.Of(err))
		return answer{http.StatusServiceUnavailable, "failed", "the push could not be kept", "deliver it again", ""}
	}
	if !fresh {
		return duplicate
	}
	return answer{code: http.StatusAccepted, result: "accepted", body: "{\"delivery\":\"" + p.Delivery + "\"}\n"}
}

// enter waits for a free place, not for long.
func (r *Receiver) enter(ctx context.Context) bool {
	select {
	case r.slots <- struct{}{}:
		return true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, queueTime)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (r *Receiver) buffer() *bytes.Buffer {
	if b, ok := r.bodies.Get().(*bytes.Buffer); ok {
		return b
	}
	return new(bytes.Buffer)
}

func (r *Receiver) giveBack(b *bytes.Buffer) {
	if b.Cap() <= keepBuffer { // one huge push is not kept in memory for ever
		b.Reset()
		r.bodies.Put(b)
	}
}

func read(w http.ResponseWriter, req *http.Request, into *bytes.Buffer) (answer, bool) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTime)) // a recorder in a test has none
	_, err := into.ReadFrom(http.MaxBytesReader(w, req.Body, MaxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return tooLarge, false
	}
	if err != nil {
		return unread, false
	}
	return answer{}, true
}

func isJSON(contentType string) bool {
	if contentType == "application/json" { // what both forges send
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

func validDelivery(id string) bool {
	if id == "" || len(id) > maxDelivery {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return true
}
