package forge

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/google/go-github/v72/github"
	"github.com/seatrial/seatrial/internal/hint"
)

// Error is a forge's refusal.
type Error struct {
	Code       int           // HTTP status
	RetryAfter time.Duration // zero: the forge did not say
	cause      error
}

// Error is the forge's own text, shortened.
func (e *Error) Error() string {
	return fmt.Sprintf("forge answers %d: %s", e.Code, cut(e.cause.Error(), 300))
}

// Unwrap is the SDK's error.
func (e *Error) Unwrap() error { return e.cause }

// Temporary reports whether asking again later can help.
func (e *Error) Temporary() bool {
	return e.Code >= 500 || e.Code == http.StatusTooManyRequests || e.RetryAfter > 0
}

// refusal turns an SDK's error into ours; without an answer it stays as it is.
func refusal(err error, resp *http.Response) error {
	if err == nil || resp == nil {
		return err
	}
	e := &Error{Code: resp.StatusCode, RetryAfter: retryAfter(err, resp), cause: err}
	switch {
	case e.Temporary():
		return e
	case e.Code == http.StatusUnauthorized:
		return hint.Add(e, "the forge's token is wrong or has expired: set a new one")
	case e.Code == http.StatusForbidden:
		return hint.Add(e, "the forge's token needs the right to write commit statuses, to read pull requests, to read and write their comments, and to read its own account (read:user)")
	case e.Code == http.StatusNotFound:
		return hint.Add(e, "check the repository's name and that the token's account may write to it")
	}
	return e
}

func retryAfter(err error, resp *http.Response) time.Duration {
	if limit, ok := errors.AsType[*github.RateLimitError](err); ok {
		return max(time.Until(limit.Rate.Reset.Time), time.Second)
	}
	if limit, ok := errors.AsType[*github.AbuseRateLimitError](err); ok && limit.RetryAfter != nil {
		return *limit.RetryAfter
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 24*3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
