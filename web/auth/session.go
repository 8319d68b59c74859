package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/seatrial/seatrial/web/vault"
)

const (
	sessionKeys = "sessions/"
	// seenEvery is how exact the last use of a session or token is kept: a write each.
	seenEvery = 5 * time.Minute
)

// session is a sign-in as the vault knows it.
type session struct {
	User    string    `json:"user"`
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
}

// SignIn checks a password and starts a new session; the one that r carries ends, so an
// id that somebody planted is worth nothing.
func (g *Guard) SignIn(r *http.Request, name, password string) (Who, *http.Cookie, error) {
	ctx, now, addr := r.Context(), time.Now(), g.address(r)
	if wait, ok := g.tries.take("addr:"+addr, perAddress, now); !ok {
		g.log.Warn("sign-in", "result", "limited", "addr", addr)
		return Who{}, nil, &Limited{RetryAfter: wait}
	}
	if wait, ok := g.tries.take("name:"+fingerprint(name), perName, now); !ok {
		g.log.Warn("sign-in", "result", "limited", "addr", addr)
		return Who{}, nil, &Limited{RetryAfter: wait}
	}
	u, err := g.check(ctx, name, password)
	if err != nil {
		if errors.Is(err, ErrDenied) {
			g.log.Warn("sign-in", "result", "denied", "addr", addr)
		}
		return Who{}, nil, err
	}
	g.tries.giveBack("addr:"+addr, perAddress)
	g.tries.giveBack("name:"+fingerprint(name), perName)
	if old, err := r.Cookie(g.cookieName()); err == nil {
		if err := g.vault.Delete(ctx, sessionKeys+fingerprint(old.Value)); err != nil {
			return Who{}, nil, fmt.Errorf("end the old session: %w", err)
		}
	}
	id := random()
	key := sessionKeys + fingerprint(id)
	if err := vault.Write(ctx, g.vault, key, session{User: u.Name, Created: now, Seen: now}, 0); err != nil {
		return Who{}, nil, fmt.Errorf("start a session: %w", err)
	}
	g.log.Info("sign-in", "result", "ok", "user", u.Name, "addr", addr)
	who := Who{Name: u.Name, Role: u.Role, Expires: now.Add(g.config.Absolute), key: key}
	return who, g.cookie(id, g.config.Absolute), nil
}

// check takes the same time whether the name exists or not.
func (g *Guard) check(ctx context.Context, name, password string) (user, error) {
	var u user
	if validUser(name) {
		found, _, err := vault.Read[user](ctx, g.vault, userKeys+name)
		if err != nil && !errors.Is(err, vault.ErrNotFound) {
			return u, fmt.Errorf("sign in: %w", err)
		}
		u = found
	}
	if len(password) > maxBytes {
		password = "" // no user has it
	}
	ok, err := g.hasher.matches(ctx, password, u.Hash)
	if err != nil {
		return u, err
	}
	if !ok {
		return u, ErrDenied
	}
	return u, nil
}

// SignOut ends the session; a token is not ended by it.
func (g *Guard) SignOut(ctx context.Context, w Who) (*http.Cookie, error) {
	if w.Expires.IsZero() {
		return g.cookie("", -1), nil
	}
	return g.cookie("", -1), g.vault.Delete(ctx, w.key)
}

func (g *Guard) bySession(ctx context.Context, key string, how use) (Who, error) {
	s, rev, err := vault.Read[session](ctx, g.vault, key)
	if errors.Is(err, vault.ErrNotFound) {
		return Who{}, ErrAnonymous
	}
	if err != nil {
		return Who{}, fmt.Errorf("read session: %w", err)
	}
	u, _, err := vault.Read[user](ctx, g.vault, userKeys+s.User)
	if errors.Is(err, vault.ErrNotFound) {
		return Who{}, ErrAnonymous
	}
	if err != nil {
		return Who{}, fmt.Errorf("read user: %w", err)
	}
	now := time.Now()
	end := s.Created.Add(g.config.Absolute)
	if now.After(end) || now.After(s.Seen.Add(g.config.Idle)) || s.Created.Before(u.Changed) || !u.Role.Valid() {
		return Who{}, ErrAnonymous
	}
	if how == aRequest && now.Sub(s.Seen) > seenEvery {
		s.Seen = now
		if err := g.note(ctx, key, s, rev); err != nil {
			return Who{}, err
		}
	}
	return Who{Name: u.Name, Role: u.Role, Expires: end, key: key}, nil
}

// cookieName carries the browser's promise: __Host- cookies come from this host only,
// over TLS only.
func (g *Guard) cookieName() string {
	if g.secure {
		return "__Host-seatrial"
	}
	return "seatrial"
}

func (g *Guard) cookie(value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{Name: g.cookieName(), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: g.secure, SameSite: http.SameSiteLaxMode}
	if life < 0 {
		c.MaxAge = -1
	}
	return c
}
