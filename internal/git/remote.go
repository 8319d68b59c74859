package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/go-git/go-git/v5/plumbing/transport/file"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/seatrial/seatrial/internal/hint"
)

// reportLimit bounds the answer to a push.
const reportLimit = 1 << 20

func newHTTP() *http.Client {
	dial := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{Transport: wholeReports{&http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial.DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: time.Minute,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   8,
	}}}
}

// wholeReports reads the answer to a push at once, because the client library leaves its
// body open and the connection would never be used again.
type wholeReports struct{ next http.RoundTripper }

// RoundTrip passes the request on.
func (w wholeReports) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(req)
	if err != nil || req.Method != http.MethodPost || !strings.HasSuffix(req.URL.Path, "/git-receive-pack") {
		return res, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, reportLimit))
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	return res, nil
}

func (r *Repos) transport(u *url.URL, login *url.Userinfo) (transport.Transport, transport.AuthMethod) {
	if u.Scheme == "file" {
		return file.DefaultClient, nil
	}
	client := githttp.NewClient(r.http)
	if l, ok := r.cfg.Credentials(u.Host); ok {
		user := l.User
		if user == "" {
			user = "seatrial"
		}
		return client, &githttp.BasicAuth{Username: user, Password: l.Token.Reveal()}
	}
	if login != nil {
		pass, _ := login.Password()
		return client, &githttp.BasicAuth{Username: login.Username(), Password: pass}
	}
	return client, nil
}

// explain turns the library's errors into sentences that name the forge and the next
// step.
func (m *mirror) explain(err error) error {
	forge := strings.TrimSuffix(m.url, m.ep.Path)
	text := err.Error()
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("ask %s: %w", m.url, context.Canceled)
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return hint.Add(fmt.Errorf("the forge at %s refuses our login to %s: %w", forge, m.ep.Path, shorten(err)), "check the token of the forge in the server's settings")
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return hint.Add(fmt.Errorf("the forge at %s has no repository %s, or hides it from us", forge, m.ep.Path), "check its name, and that the server's token may read it")
	case strings.Contains(text, "not our ref"), strings.Contains(text, "no such remote ref"):
		return fmt.Errorf("%w: %s", ErrNoCommit, m.url)
	}
	if why, ok := unanswered(err); ok {
		return hint.Add(fmt.Errorf("the forge at %s does not answer: %s", forge, why), "it is asked again; nothing is lost")
	}
	var status *githttp.Err
	if errors.As(unwrap(err), &status) {
		return hint.Add(fmt.Errorf("the forge at %s answers %d to %s", forge, status.StatusCode(), m.ep.Path), "it is asked again; look at the forge's log if it goes on")
	}
	return fmt.Errorf("git %s: %w", m.url, shorten(unwrap(err)))
}

// unwrap sees through the library's wrapper, which has no Unwrap.
func unwrap(err error) error {
	var u *plumbing.UnexpectedError
	if errors.As(err, &u) {
		return unwrap(u.Err)
	}
	return err
}

// unanswered says why nobody answered, if that is the trouble.
func unanswered(err error) (string, bool) {
	err = unwrap(err)
	if errors.Is(err, context.DeadlineExceeded) {
		return "timed out", true
	}
	var op *net.OpError
	if errors.As(err, &op) {
		why := op.Err.Error()
		for _, call := range []string{"connect: ", "read: ", "write: "} {
			why = strings.TrimPrefix(why, call)
		}
		return why, true
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return "timed out", true
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return "the connection was cut", true
	}
	return "", false
}

func shorten(err error) error {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	if len(line) > 300 {
		line = line[:300] + "…"
	}
	return errors.New(line)
}
