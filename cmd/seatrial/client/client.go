// Package client speaks to a server's API for the command line.
//
// Start at Remote.Call. It never keeps a token or a password: they come from the environment
// at each call, and go nowhere but to the server.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

// Remote is the server that a command talks to.
type Remote struct {
	Server string

	cookie  *http.Cookie // of a person who is signed in, instead of a token
	ifMatch string
}

// IfMatch is the server, where a request only counts for what has this ETag.
func (r *Remote) IfMatch(etag string) *Remote {
	other := *r
	other.ifMatch = etag
	return &other
}

const session = "/api/v1/session"

// SignIn is the server with a person who is signed in; who calls it calls SignOut.
func (r *Remote) SignIn(ctx context.Context, user string, password secret.Text) (*Remote, error) {
	res, err := r.Send(ctx, http.MethodPost, session, nil, map[string]string{"user": user, "password": password.Reveal()})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	cookies := res.Cookies()
	if len(cookies) == 0 {
		return nil, fmt.Errorf("sign in at %s: the answer has no session", r.Address())
	}
	other := *r
	other.cookie = cookies[0]
	return &other, nil
}

// SignOut ends the session of SignIn.
func (r *Remote) SignOut(ctx context.Context) error {
	return r.Call(ctx, http.MethodDelete, session, nil, nil, nil)
}

// MaxAnswer bounds, in bytes, what a command reads of one answer.
const MaxAnswer = 64 << 20

// Address is where the server is.
func (r *Remote) Address() string {
	for _, a := range []string{r.Server, os.Getenv("SEATRIAL_SERVER")} {
		if a != "" {
			return strings.TrimSuffix(a, "/")
		}
	}
	return "http://127.0.0.1:8480"
}

// problem is the server's application/problem+json.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

// Call sends in, when it is not nil, and reads the answer into out.
func (r *Remote) Call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	res, err := r.Send(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, MaxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s: %w", path, err)
	}
	return nil
}

// Send sends in and returns the answer when it is not a refusal; the caller closes it.
func (r *Remote) Send(ctx context.Context, method, path string, query url.Values, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	target := r.Address() + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("server address %q: %w", r.Address(), err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.ifMatch != "" {
		req.Header.Set("If-Match", r.ifMatch)
	}
	if r.cookie != nil {
		req.AddCookie(r.cookie)
	} else if token := settings.Env("SEATRIAL_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	res, err := (&http.Client{Transport: &http.Transport{ResponseHeaderTimeout: 30 * time.Second, Proxy: nil}}).Do(req)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("ask %s: %w", r.Address(), errors.Unwrap(err)), "is the server running? name it with --server or SEATRIAL_SERVER")
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	return nil, refusal(res)
}

func refusal(res *http.Response) error {
	p := problem{Title: res.Status}
	_ = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p)
	if res.StatusCode == http.StatusUnauthorized && res.Request.URL.Path != session {
		return hint.Add(errors.New("the server wants to know who you are"), "set SEATRIAL_TOKEN to a token from the console's page Tokens")
	}
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	return hint.Add(errors.New(text), p.Hint)
}
