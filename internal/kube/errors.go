package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

// readAll reads a small file whole.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("it is over 1 MiB")
	}
	return data, err
}

// answered reports whether an error still means that the server is there.
func answered(err error) bool {
	return apierrors.IsForbidden(err)
}

// Transient reports whether an error means "could not ask": the network, an overloaded or
// restarting server, a webhook that does not answer, a lost race. Everything else is the
// server's refusal.
func Transient(err error) bool {
	if err == nil || meta.IsNoMatchError(err) {
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	code := status.Status().Code
	if malformed(status.Status().Message) {
		return false
	}
	return code >= 500 || code == http.StatusTooManyRequests || code == http.StatusConflict || code == http.StatusUnauthorized || code == http.StatusRequestTimeout
}

// Hangs says what does not answer when the server itself does: an admission webhook, or
// the one call. It is empty for other trouble.
func Hangs(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		message := status.Status().Message
		if i := strings.Index(message, "failed calling webhook"); i >= 0 {
			line, _, _ := strings.Cut(message[i:], "\n")
			return "an admission webhook does not answer: " + line[:min(len(line), 300)]
		}
		return ""
	}
	var ne net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout() {
		return fmt.Sprintf("the API server answers, but not to this within %s; an admission webhook may hang", callTimeout)
	}
	return ""
}

// malformed knows the messages of objects that cannot be read, to which the server answers
// with 500 as if it were its own trouble.
func malformed(message string) bool {
	for _, m := range []string{"field not declared in schema", "typed patch object", "illegal base64", "cannot unmarshal", "strict decoding", "unable to decode", "invalid character"} {
		if strings.Contains(message, m) {
			return true
		}
	}
	return false
}

// Why says in a few words why a server did not answer.
func Why(err error) string {
	var op *net.OpError
	var ne net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return "timed out"
	case errors.As(err, &op):
		why := op.Err.Error()
		for _, call := range []string{"connect: ", "read: ", "write: "} {
			why = strings.TrimPrefix(why, call)
		}
		return why
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut"
	case apierrors.IsUnauthorized(err):
		return "it refuses our credentials"
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line[:min(len(line), 300)]
}

// notReady is the reason of a server that answers and is not ready to serve.
func notReady(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && !apierrors.IsUnauthorized(err) {
		return fmt.Sprintf("it is not ready (%d %s)", status.Status().Code, http.StatusText(int(status.Status().Code)))
	}
	return Why(err)
}

// masked hides what a server said about a Secret, because it may quote it, and keeps
// what kind of error it is.
type masked struct{ err error }

// Error says nothing of the content.
func (m masked) Error() string {
	return "the API server does not take the Secret (its message is withheld, because it may quote the Secret)"
}

// Unwrap is the server's error.
func (m masked) Unwrap() error { return m.err }
