package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/web/vault"
)

const (
	userKeys   = "users/"
	firstAdmin = "admin"
	mostUsers  = 1000
)

// user is a person as the vault knows them.
type user struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Hash    string    `json:"hash"` // argon2id
	Created time.Time `json:"created"`
	Changed time.Time `json:"changed"` // of the password; older sessions have ended
}

// User is a person as others may see them.
type User struct {
	Name    string    `json:"name"`
	Role    Role      `json:"role" enum:"viewer,operator,admin"`
	Created time.Time `json:"created"`
}

var userName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

func validUser(name string) bool { return userName.MatchString(name) }

// FirstAdmin creates the user "admin" when there is no user at all and returns its
// password, which is kept nowhere. Later it returns false.
func (g *Guard) FirstAdmin(ctx context.Context) (password secret.Text, created bool, err error) {
	some, err := g.vault.List(ctx, userKeys, "", 1)
	if err != nil || len(some) > 0 {
		return "", false, err
	}
	password, err = g.AddUser(ctx, firstAdmin, Admin)
	if errors.Is(err, ErrTaken) { // another replica was faster
		return "", false, nil
	}
	return password, err == nil, err
}

// AddUser creates a person with a password that is made up here and shown once.
func (g *Guard) AddUser(ctx context.Context, name string, role Role) (secret.Text, error) {
	if !validUser(name) {
		return "", hint.Add(fmt.Errorf("%w user name %q", ErrInvalid, name), "use lower-case letters, digits, dots and dashes")
	}
	if !role.Valid() {
		return "", fmt.Errorf("%w role %q: want viewer, operator or admin", ErrInvalid, role)
	}
	password := newPassword()
	hash, err := g.hasher.hash(ctx, password)
	if err != nil {
		return "", err
	}
	now := time.Now()
	err = vault.Write(ctx, g.vault, userKeys+name, user{Name: name, Role: role, Hash: hash, Created: now, Changed: now}, 0)
	if errors.Is(err, vault.ErrStale) {
		return "", fmt.Errorf("user %s: %w", name, ErrTaken)
	}
	if err != nil {
		return "", fmt.Errorf("add user %s: %w", name, err)
	}
	g.log.Info("user", "act", "added", "user", name, "role", role)
	return secret.Text(password), nil
}

// Users lists everybody by name.
func (g *Guard) Users(ctx context.Context) ([]User, error) {
	all := []User{}
	err := vault.Each(ctx, g.vault, userKeys, func(r vault.Record) error {
		var u user
		err := json.Unmarshal(r.Value, &u)
		if err == nil && len(all) < mostUsers {
			all = append(all, User{Name: u.Name, Role: u.Role, Created: u.Created})
		}
		return err
	})
	return all, err
}

// RemoveUser ends a person's sessions with the person. The last administrator stays.
func (g *Guard) RemoveUser(ctx context.Context, name string) error {
	all, err := g.Users(ctx)
	if err != nil {
		return err
	}
	admins, found := 0, Role("")
	for _, u := range all {
		if u.Role == Admin {
			admins++
		}
		if u.Name == name {
			found = u.Role
		}
	}
	if found == "" {
		return fmt.Errorf("user %q: %w", name, vault.ErrNotFound)
	}
	if found == Admin && admins == 1 {
		return hint.Add(fmt.Errorf("%w: %s is the last administrator", ErrInvalid, name), "add another administrator first")
	}
	if err := g.vault.Delete(ctx, userKeys+name); err != nil {
		return fmt.Errorf("remove user %s: %w", name, err)
	}
	g.log.Info("user", "act", "removed", "user", name)
	return nil
}

// ChangePassword is a person's own act; every session of theirs ends.
func (g *Guard) ChangePassword(ctx context.Context, w Who, old, fresh string) error {
	if w.Expires.IsZero() {
		return fmt.Errorf("%w: a token has no password", ErrInvalid)
	}
	if err := checkPassword(fresh); err != nil {
		return err
	}
	if wait, ok := g.tries.take("name:"+fingerprint(w.Name), perName, time.Now()); !ok {
		return &Limited{RetryAfter: wait}
	}
	if _, err := g.check(ctx, w.Name, old); err != nil {
		return err
	}
	return g.setPassword(ctx, w.Name, fresh)
}

// ResetPassword gives a person who forgot theirs a new one, shown once. It is for the
// command line on the server's own machine.
func (g *Guard) ResetPassword(ctx context.Context, name string) (secret.Text, error) {
	password := newPassword()
	return secret.Text(password), g.setPassword(ctx, name, password)
}

func (g *Guard) setPassword(ctx context.Context, name, password string) error {
	u, rev, err := vault.Read[user](ctx, g.vault, userKeys+name)
	if err != nil {
		return fmt.Errorf("user %q: %w", name, err)
	}
	if u.Hash, err = g.hasher.hash(ctx, password); err != nil {
		return err
	}
	u.Changed = time.Now()
	if err := vault.Write(ctx, g.vault, userKeys+name, u, rev); err != nil {
		return fmt.Errorf("change password of %s: %w", name, err)
	}
	g.log.Info("user", "act", "password", "user", name)
	return nil
}
