package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/web/vault"
)

const (
	tokenKeys   = "tokens/"
	tokenPrefix = "st_" // lets scanners for leaked secrets find ours
	idDigits    = 16    // of the hash: enough to name a token, useless to use it
	mostTokens  = 1000
)

// token is a machine's key as the vault knows it, under its hash.
type token struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	By      string    `json:"by"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
}

// Token is a token as others may see it.
type Token struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Role     Role      `json:"role" enum:"viewer,operator,admin"`
	By       string    `json:"by" doc:"Who created it"`
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"lastUsed,omitzero" doc:"Within five minutes"`
}

var tokenName = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._/-]*$`)

const maxTokenName = 63 // letters; a repeat in the expression would cost the start milliseconds

// AddToken makes a token and shows it once.
func (g *Guard) AddToken(ctx context.Context, by Who, name string, role Role) (Token, secret.Text, error) {
	if !tokenName.MatchString(name) || utf8.RuneCountInString(name) > maxTokenName {
		return Token{}, "", fmt.Errorf("%w token name %q: want up to 63 letters, digits, spaces and ._/-", ErrInvalid, name)
	}
	if !role.Valid() {
		return Token{}, "", fmt.Errorf("%w role %q: want viewer, operator or admin", ErrInvalid, role)
	}
	if !by.Role.Covers(role) {
		return Token{}, "", fmt.Errorf("%w role %q: a token cannot do more than who creates it", ErrInvalid, role)
	}
	value := tokenPrefix + random()
	key := tokenKeys + fingerprint(value)
	t := token{Name: name, Role: role, By: by.Name, Created: time.Now()}
	if err := vault.Write(ctx, g.vault, key, t, 0); err != nil {
		return Token{}, "", fmt.Errorf("add token: %w", err)
	}
	g.log.Info("token", "act", "added", "token", tokenID(key), "role", role, "by", by.Name)
	return t.seen(key), secret.Text(value), nil
}

// Tokens lists all tokens.
func (g *Guard) Tokens(ctx context.Context) ([]Token, error) {
	all := []Token{}
	err := vault.Each(ctx, g.vault, tokenKeys, func(r vault.Record) error {
		var t token
		err := json.Unmarshal(r.Value, &t)
		if err == nil && len(all) < mostTokens {
			all = append(all, t.seen(r.Key))
		}
		return err
	})
	return all, err
}

// RemoveToken revokes a token at once.
func (g *Guard) RemoveToken(ctx context.Context, id string) error {
	missing := fmt.Errorf("token %q: %w", id, vault.ErrNotFound)
	if len(id) != idDigits || strings.Trim(id, "0123456789abcdef") != "" {
		return missing
	}
	found, err := g.vault.List(ctx, tokenKeys+id, "", 1)
	if err != nil {
		return fmt.Errorf("remove token: %w", err)
	}
	if len(found) == 0 {
		return missing
	}
	g.log.Info("token", "act", "removed", "token", id)
	return g.vault.Delete(ctx, found[0].Key)
}

func (g *Guard) byToken(ctx context.Context, key string, how use) (Who, error) {
	t, rev, err := vault.Read[token](ctx, g.vault, key)
	if errors.Is(err, vault.ErrNotFound) {
		return Who{}, ErrAnonymous
	}
	if err != nil {
		return Who{}, fmt.Errorf("read token: %w", err)
	}
	if now := time.Now(); how == aRequest && now.Sub(t.Used) > seenEvery {
		t.Used = now
		if err := g.note(ctx, key, t, rev); err != nil {
			return Who{}, err
		}
	}
	return Who{Name: "token:" + t.Name, Role: t.Role, key: key}, nil
}

func (t token) seen(key string) Token {
	return Token{ID: tokenID(key), Name: t.Name, Role: t.Role, By: t.By, Created: t.Created, LastUsed: t.Used}
}

func tokenID(key string) string { return strings.TrimPrefix(key, tokenKeys)[:idDigits] }
