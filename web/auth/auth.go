// Package auth knows who is asking and what they may do: people with a password and a
// session, machines with a token, and three roles.
//
// Start at Guard, then Guard.Who, which every request passes. It never keeps a
// password, a session id or a token, only what they hash to, and never tells a stranger
// whether a name exists.
package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/vault"
)

// Role is what somebody may do; each covers the ones before it.
type Role string

// The roles, weakest first.
const (
	Viewer   Role = "viewer"   // reads everything
	Operator Role = "operator" // moves releases, runs experiments
	Admin    Role = "admin"    // people and tokens too
)

func (r Role) rank() int {
	switch r {
	case Viewer:
		return 1
	case Operator:
		return 2
	case Admin:
		return 3
	}
	return 0
}

// Valid reports whether r is one of the roles.
func (r Role) Valid() bool { return r.rank() > 0 }

// Covers reports whether r may do what need may do. No role covers an unknown one.
func (r Role) Covers(need Role) bool { return need.Valid() && r.rank() >= need.rank() }

var (
	// ErrAnonymous: the request carries no session or token that is still good.
	ErrAnonymous = errors.New("not signed in")
	// ErrDenied: the name or the password is wrong; which one is not said.
	ErrDenied = errors.New("the user name or the password is wrong")
	// ErrTaken: that name is in use.
	ErrTaken = errors.New("the name is taken")
	// ErrInvalid: a name, a role or a password that cannot be.
	ErrInvalid = errors.New("invalid")
)

// Limited says that too many sign-ins were tried.
type Limited struct{ RetryAfter time.Duration }

// Error is for the person who has to wait.
func (l *Limited) Error() string { return "too many sign-ins; wait a little" }

// Config is how long sessions live and where they are used from.
type Config struct {
	External string         // the URL people use, for example "https://seatrial.example"
	Idle     time.Duration  // a session unused for so long ends; default 12h
	Absolute time.Duration  // every session ends after so long; default 7 days
	Proxies  []netip.Prefix // whose X-Forwarded-For is believed; none by default
}

// Validate refuses an address where a session would cross a network in the clear.
func (c Config) Validate() error {
	u, err := url.Parse(c.External)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("external url %q: want http(s)://host", c.External)
	}
	if u.Scheme == "https" || loopback(u.Hostname()) {
		return nil
	}
	return hint.Add(fmt.Errorf("external url %q: sessions would cross the network in the clear", c.External),
		"put a TLS proxy in front and use its https address, or a loopback address")
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

// Guard knows everybody. It is safe for concurrent use.
type Guard struct {
	config Config
	vault  vault.Vault
	log    *slog.Logger
	hasher *hasher
	tries  *limiter
	secure bool // cookies only over TLS
}

// New checks the configuration; nobody is created yet, see FirstAdmin.
func New(c Config, v vault.Vault, log *slog.Logger) (*Guard, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Idle <= 0 {
		c.Idle = 12 * time.Hour
	}
	if c.Absolute <= 0 {
		c.Absolute = 7 * 24 * time.Hour
	}
	h, err := newHasher()
	if err != nil {
		return nil, err
	}
	return &Guard{config: c, vault: v, log: log, hasher: h, tries: newLimiter(),
		secure: strings.HasPrefix(c.External, "https:")}, nil
}

// Who is somebody we know.
type Who struct {
	Name    string // of the person; of a token: "token:<name>"
	Role    Role
	Expires time.Time // of the session; zero for a token
	key     string    // of the session or token in the vault
}

// Key names the session or token without giving it away; one per sign-in.
func (w Who) Key() string { return w.key }

// Who finds out who sent a request. A bad token is an error even beside a good session:
// whoever sends one means it.
func (g *Guard) Who(r *http.Request) (Who, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, tokenPrefix) {
			return Who{}, ErrAnonymous
		}
		return g.again(r.Context(), tokenKeys+fingerprint(token), aRequest)
	}
	cookie, err := r.Cookie(g.cookieName())
	if err != nil || cookie.Value == "" {
		return Who{}, ErrAnonymous
	}
	return g.again(r.Context(), sessionKeys+fingerprint(cookie.Value), aRequest)
}

// Still asks again, for a stream that lives longer than one request. ErrAnonymous: end
// it. Asking does not count as use: a forgotten tab does not keep a session alive.
func (g *Guard) Still(ctx context.Context, w Who) (Who, error) { return g.again(ctx, w.key, aLook) }

// use says whether a look at a session or token is also a sign of life.
type use bool

const (
	aRequest use = true
	aLook    use = false
)

func (g *Guard) again(ctx context.Context, key string, how use) (Who, error) {
	if strings.HasPrefix(key, tokenKeys) {
		return g.byToken(ctx, key, how)
	}
	return g.bySession(ctx, key, how)
}

// note saves a sign of life. Another request may have saved it just now, or the session
// or token may be gone: neither is an error, and nothing comes back to life.
func (g *Guard) note(ctx context.Context, key string, record any, was release.Revision) error {
	err := vault.Write(ctx, g.vault, key, record, was)
	if err != nil && !errors.Is(err, vault.ErrStale) {
		return fmt.Errorf("note last use: %w", err)
	}
	return nil
}

// Sweep forgets sessions that have ended.
func (g *Guard) Sweep(ctx context.Context) error {
	return vault.Each(ctx, g.vault, sessionKeys, func(r vault.Record) error {
		_, err := g.bySession(ctx, r.Key, aLook)
		if errors.Is(err, ErrAnonymous) {
			return g.vault.Delete(ctx, r.Key)
		}
		return err
	})
}

type whoKey struct{}

// With puts somebody into the context of a request.
func With(ctx context.Context, w Who) context.Context { return context.WithValue(ctx, whoKey{}, w) }

// From is who sent the request; the zero Who is a stranger.
func From(ctx context.Context) Who {
	w, _ := ctx.Value(whoKey{}).(Who)
	return w
}

// fingerprint is what the vault knows of a random secret: long enough to need no salt.
func fingerprint(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// random is 256 bits as text.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
