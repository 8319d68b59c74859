package oci

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/seatrial/seatrial/internal/secret"
)

// Logins gives the logins of a project, with PlainHTTP left out. One whose password is
// not set comes without it, and nothing is asked of its host.
type Logins func(project string) []Host

type identityKey struct{}

// identity is in whose name registries are spoken to.
type identity struct {
	project string
	nobody  bool
}

// As lets everything that is asked with the context be asked with the logins of a
// project. A host for which it has none is asked with the login of the settings.
func As(ctx context.Context, project string) context.Context {
	return context.WithValue(ctx, identityKey{}, identity{project: project})
}

// Anonymous lets everything that is asked with the context be asked without a login.
func Anonymous(ctx context.Context) context.Context {
	return context.WithValue(ctx, identityKey{}, identity{nobody: true})
}

// hosts are by canonical name.
type hosts map[string]Host

func (h hosts) of(host string) Host {
	host = canonical(host)
	if known, ok := h[host]; ok {
		return known
	}
	return Host{Name: host}
}

// dockerHub has one name for people and others for its API.
const dockerHub = "docker.io"

func canonical(host string) string {
	switch host {
	case "index.docker.io", "registry-1.docker.io":
		return dockerHub
	}
	return host
}

// takes reports whether a login of h may be sent to a host.
func (h Host) takes(host string) bool {
	tokens := h.TokenHost
	if tokens == "" && h.Name == dockerHub {
		tokens = "auth.docker.io"
	}
	return canonical(host) == h.Name || tokens != "" && host == tokens
}

// client is what speaks in one name. What it learns, a token for example, is never used
// in another.
type client struct {
	hosts  hosts
	tr     http.RoundTripper
	pause  time.Duration
	puller *remote.Puller
	pusher *remote.Pusher
}

func (r *Registry) newClient(h hosts) (*client, error) {
	c := &client{hosts: h, pause: r.pause, tr: &guard{hosts: h, next: r.next}}
	var err error
	if c.puller, err = remote.NewPuller(c.options()...); err != nil {
		return nil, fmt.Errorf("prepare the registry client: %w", err)
	}
	if c.pusher, err = remote.NewPusher(c.options()...); err != nil {
		return nil, fmt.Errorf("prepare the registry client: %w", err)
	}
	return c, nil
}

func (c *client) options() []remote.Option {
	return []remote.Option{
		remote.WithTransport(c.tr),
		remote.WithAuthFromKeychain(c),
		remote.WithUserAgent("seatrial"),
		remote.WithJobs(2),
		remote.WithRetryBackoff(remote.Backoff{Duration: c.pause, Factor: 3, Jitter: 0.1, Steps: 3}),
	}
}

// client is the one for the context's identity. A project whose logins have changed has
// a new one.
func (r *Registry) client(ctx context.Context) *client {
	who, _ := ctx.Value(identityKey{}).(identity)
	if who.nobody {
		return r.nobody
	}
	if who.project == "" || r.logins == nil {
		return r.base
	}
	own := r.logins(who.project)
	if len(own) == 0 {
		return r.base
	}
	all := maps.Clone(r.base.hosts)
	for _, h := range own {
		h.Name = canonical(h.Name)
		h.PlainHTTP = all[h.Name].PlainHTTP
		all[h.Name] = h
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.clients[who.project]; c != nil && maps.Equal(c.hosts, all) {
		return c
	}
	c, err := r.newClient(all)
	if err != nil { // the same options have made the first one
		return r.nobody
	}
	r.clients[who.project] = c
	return c
}

// Login is the login for a host in the name of the context; both are empty when there is
// none.
func (r *Registry) Login(ctx context.Context, host string) (user string, password secret.Text, err error) {
	h := r.client(ctx).hosts.of(host)
	return h.User, h.Password, h.usable()
}

// usable says why a login that somebody wants used cannot be.
func (h Host) usable() error {
	if h.Of != "" && h.Password == "" {
		return fmt.Errorf("log in to %s: the %s is not set on the server", h.Name, h.Of)
	}
	return h.safe()
}

// Resolve gives a host its credentials from the settings or the project, and nobody
// else's: the machine's docker configuration is not read.
func (c *client) Resolve(res authn.Resource) (authn.Authenticator, error) {
	h := c.hosts.of(res.RegistryStr())
	if err := h.usable(); err != nil {
		return nil, loginMissing{err}
	}
	if h.User == "" && h.Password == "" {
		return authn.Anonymous, nil
	}
	return &authn.Basic{Username: h.User, Password: h.Password.Reveal()}, nil
}

// loginMissing is a login that is wanted and cannot be used.
type loginMissing struct{ error }

func (l loginMissing) Unwrap() error { return l.error }

// Hint is what to do.
func (l loginMissing) Hint() string {
	return "set the variable of this secret, SEATRIAL_SECRET_<NAME>, and start the server again; or let the project name another under spec.registries"
}

// owner is the login that a request to a host would have been sent with.
func (c *client) owner(host string) Host {
	for _, h := range c.hosts {
		if h.takes(host) && h.Of != "" {
			return h
		}
	}
	return c.hosts.of(host)
}

// Token is what a registry's token server gave.
type Token struct {
	Value   string
	Expires time.Duration // from now on; 0: it did not say
}

// Token asks the token server that a registry has named for a token, in the name of the
// context. The login goes there only when it is the registry's own host, or the one that
// the login names.
func (r *Registry) Token(ctx context.Context, host, realm, service string, scopes []string) (Token, error) {
	c := r.client(ctx)
	plain := c.hosts.of(host).PlainHTTP
	opts := []name.Option{name.StrictValidation}
	if plain {
		opts = append(opts, name.Insecure)
	}
	reg, err := name.NewRegistry(host, opts...)
	if err != nil {
		return Token{}, fmt.Errorf("registry host %q: %w", host, err)
	}
	auth, err := c.Resolve(reg)
	if err != nil {
		return Token{}, err
	}
	challenge := &transport.Challenge{Scheme: "bearer", Parameters: map[string]string{"realm": realm, "service": service}, Insecure: plain}
	got, err := transport.Exchange(ctx, reg, auth, c.tr, scopes, challenge)
	if err != nil {
		return Token{}, r.explain(ctx, "log in to", host, err)
	}
	out := Token{Value: got.Token, Expires: time.Duration(got.ExpiresIn) * time.Second}
	if out.Value == "" {
		out.Value = got.AccessToken
	}
	if out.Value == "" {
		return Token{}, errors.New("log in to " + host + ": the answer has no token")
	}
	return out, nil
}
