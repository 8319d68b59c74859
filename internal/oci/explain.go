package oci

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci/busy"
)

// explain wraps err with the act and its object, and turns "there is none" into
// ErrNotFound so that callers can tell it from "could not ask".
func (r *Registry) explain(ctx context.Context, act, object string, err error) error {
	if err == nil {
		return nil
	}
	var te *transport.Error
	if b, ok := errors.AsType[busy.Error](err); ok { // what go-containerregistry says around it misleads
		return fmt.Errorf("%s %s: %w", act, object, b)
	}
	if errors.As(err, &te) {
		return r.answered(ctx, fmt.Sprintf("%s %s", act, object), te, err)
	}
	// go-containerregistry has no type for either.
	if s := err.Error(); strings.Contains(s, "does not match requested digest") || strings.Contains(s, "error verifying") {
		return fmt.Errorf("%s %s: the content is not what its digest says: %w", act, object, ErrMalformed)
	}
	var ne net.Error
	if errors.As(err, &ne) && !errors.Is(err, context.Canceled) && hint.Of(err) == "" {
		return hint.Add(fmt.Errorf("%s %s: the registry does not answer: %w", act, object, err), "start the registry; what waits for it goes on by itself")
	}
	return fmt.Errorf("%s %s: %w", act, object, err)
}

// answered explains a status that is not the one hoped for.
func (r *Registry) answered(ctx context.Context, what string, te *transport.Error, err error) error {
	switch code := te.StatusCode; {
	case code == http.StatusNotFound:
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		next := "check the user and password of this registry in the server's settings"
		if te.Request != nil {
			if h := r.client(ctx).owner(te.Request.URL.Host); h.Of != "" {
				next = fmt.Sprintf("check the user %q and the %s, and what the registry lets it do", h.User, h.Of)
			}
		}
		return hint.Add(fmt.Errorf("%s: %w", what, err), next)
	case code >= http.StatusInternalServerError:
		return hint.Add(fmt.Errorf("%s: %w", what, err), "look at the registry's own log and its disk; what waits for it goes on by itself")
	}
	return fmt.Errorf("%s: %w", what, err)
}
