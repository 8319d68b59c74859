package oci

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/seatrial/seatrial/internal/hint"
)

// maxManifest bounds manifests and lists; registries refuse larger ones too.
const maxManifest = 4 << 20

// guard lets plain HTTP through to named hosts only and logins to their own, and bounds
// manifests.
type guard struct {
	hosts hosts
	next  http.RoundTripper
}

// RoundTrip carries out one request.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	plain := g.hosts.of(req.URL.Host).PlainHTTP
	switch {
	case req.URL.Scheme == "http" && !plain:
		return nil, fmt.Errorf("%s: plain HTTP is not allowed for this registry", req.URL.Host)
	case req.URL.Scheme == "https" && plain:
		return nil, errors.New("this registry is set to plain HTTP") // spares the attempt
	}
	if err := g.allowed(req); err != nil {
		return nil, err
	}
	resp, err := g.next.RoundTrip(req)
	if err != nil || req.Method != http.MethodGet {
		return resp, err
	}
	if p := req.URL.Path; strings.Contains(p, "/manifests/") || strings.Contains(p, "/referrers/") || strings.HasSuffix(p, "/tags/list") {
		resp.Body = &capped{resp.Body, maxManifest, maxManifest}
	}
	return resp, nil
}

// allowed refuses to send a login to a host that it is not for: a registry says itself
// where its tokens are given, and may send a request elsewhere.
func (g *guard) allowed(req *http.Request) error {
	user, password, ok := req.BasicAuth()
	if !ok {
		return nil
	}
	var of string
	for _, h := range g.hosts {
		if h.User != user || !h.Password.Equal(password) {
			continue
		}
		if h.takes(req.URL.Host) {
			return nil
		}
		of = h.Name
	}
	return hint.Add(fmt.Errorf("the login for %s is not sent to %s", of, req.URL.Host),
		"the registry wants it there; if that is right, name "+req.URL.Host+" as tokenHost of this login")
}

// capped fails, instead of ending quietly, when more than left bytes come.
type capped struct {
	io.ReadCloser
	left, limit int64
}

// Read reads at most what is left, and one byte more to see that there is more.
func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.ReadCloser.Read(p)
	if int64(n) > c.left {
		return int(c.left), fmt.Errorf("over %d bytes: %w", c.limit, ErrTooLarge)
	}
	c.left -= int64(n)
	return n, err
}
