// Package oci is the one door to registries: it resolves names to digests, opens
// indexes, fetches images for inspection, attaches signed documents to digests and
// deletes what nobody needs.
//
// Start reading at Registry, then Attach; As says in whose name a registry is spoken to.
// Everything read is checked against its digest and bounded in size. It never builds or
// pushes images (BuildKit does), it speaks plain HTTP only to hosts that the settings
// name, and it sends a login to nobody but the host it is for.
package oci

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/seatrial/seatrial/internal/oci/busy"
	"github.com/seatrial/seatrial/internal/secret"
)

var (
	// ErrNotFound: the registry answered that there is no such thing.
	ErrNotFound = errors.New("not found in the registry")
	// ErrTooLarge: what the registry holds is larger than we are ready to read.
	ErrTooLarge = errors.New("too large")
	// ErrMalformed: the registry holds something that is not what its place promises.
	ErrMalformed = errors.New("malformed")
)

// Host is one registry and how to talk to it. As a login of a project it says nothing of
// plain HTTP: only the settings do.
type Host struct {
	Name      string      `json:"host"`                // "registry.example:5000"
	PlainHTTP bool        `json:"plainHTTP,omitempty"` // without TLS; never guessed
	User      string      `json:"user,omitempty"`
	Password  secret.Text `json:"-"`                   // the settings name it, cmd reads it
	TokenHost string      `json:"tokenHost,omitempty"` // that gives tokens for the login; default: the host itself
	Of        string      `json:"-"`                   // whose login it is, for messages: "secret harbor-robot of project shop"
}

// Config says which registries need something special.
type Config struct {
	Hosts        []Host
	Logins       Logins        // of projects, instead of those in Hosts; may be nil
	Timeout      time.Duration // for a registry to begin its answer; default 30s
	Pause        time.Duration // before a request that failed is made again; default 200ms
	Patience     time.Duration // with a registry that names the time to come back; default 10s
	MaxReferrers int           // looked at of one subject, the newest by what the list says; default 256
	Settle       time.Duration // that another client may take to write back a list it has read; default 250ms
}

// Validate reports the first setting that cannot be meant.
func (c Config) Validate() error {
	for _, h := range c.Hosts {
		if h.Name == "" || strings.Contains(h.Name, "/") {
			return fmt.Errorf("registry host %q: want HOST or HOST:PORT", h.Name)
		}
		if err := h.safe(); err != nil {
			return err
		}
	}
	return nil
}

// safe refuses a password that others on the way could read.
func (h Host) safe() error {
	if h.PlainHTTP && h.Password != "" && !loopback(h.Name) {
		return fmt.Errorf("registry host %s: a password would travel over plain HTTP", h.Name)
	}
	return nil
}

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Registry talks to registries. It is safe for concurrent use.
type Registry struct {
	base         *client
	nobody       *client // has no login at all
	logins       Logins
	next         http.RoundTripper
	pause        time.Duration
	maxReferrers int
	settle       time.Duration

	mu       sync.Mutex             // guards subjects and clients
	subjects map[string]*subjectUse // by repository@digest: who attaches to it right now
	clients  map[string]*client     // by project
}

// New makes a Registry; it opens no connection yet.
func New(c Config) (*Registry, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Pause <= 0 {
		c.Pause = 200 * time.Millisecond
	}
	if c.Patience <= 0 {
		c.Patience = 10 * time.Second
	}
	if c.MaxReferrers <= 0 {
		c.MaxReferrers = 256
	}
	if c.Settle <= 0 {
		c.Settle = 250 * time.Millisecond
	}
	r := &Registry{
		logins: c.Logins, pause: c.Pause, maxReferrers: c.MaxReferrers, settle: c.Settle,
		subjects: map[string]*subjectUse{}, clients: map[string]*client{},
		next: busy.Transport{Patience: c.Patience, Next: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: c.Timeout,
			MaxIdleConnsPerHost:   16, // an image is proved with many small questions at once
			IdleConnTimeout:       90 * time.Second,
		}},
	}
	all, none := hosts{}, hosts{}
	for _, h := range c.Hosts {
		h.Name = canonical(h.Name)
		all[h.Name], none[h.Name] = h, Host{Name: h.Name, PlainHTTP: h.PlainHTTP}
	}
	var err error
	if r.base, err = r.newClient(all); err != nil {
		return nil, err
	}
	r.nobody, err = r.newClient(none)
	return r, err
}

// Host is the setting of a host; one that no setting names has none but its name.
func (r *Registry) Host(host string) Host { return r.base.hosts.of(host) }

func (r *Registry) options(ctx context.Context) []remote.Option {
	return append(r.client(ctx).options(), remote.WithContext(ctx))
}

func (r *Registry) reading(ctx context.Context) []remote.Option {
	c := r.client(ctx)
	return append(c.options(), remote.Reuse(c.puller), remote.WithContext(ctx))
}

func (r *Registry) repository(s string) (name.Repository, error) {
	host, _, _ := strings.Cut(s, "/")
	opts := []name.Option{name.StrictValidation}
	if r.Host(host).PlainHTTP {
		opts = append(opts, name.Insecure)
	}
	repo, err := name.NewRepository(s, opts...)
	if err != nil {
		return name.Repository{}, fmt.Errorf("repository %q: %w", s, err)
	}
	return repo, nil
}
