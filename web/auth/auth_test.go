package auth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/vault"
	"github.com/seatrial/seatrial/web/vault/vaulttest"
)

// office is a guard over a vault, with its first administrator.
type office struct {
	*auth.Guard
	vault    *vaulttest.Memory
	password string
}

func open(t *testing.T, c auth.Config) office {
	t.Helper()
	if c.External == "" {
		c.External = "http://127.0.0.1:8480"
	}
	v := vaulttest.New()
	g, err := auth.New(c, v, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	password, created, err := g.FirstAdmin(t.Context())
	if err != nil || !created {
		t.Fatalf("first admin: %v, %v", created, err)
	}
	return office{g, v, password.Reveal()}
}

func request(ctx context.Context, cookies ...*http.Cookie) *http.Request {
	r := httptest.NewRequestWithContext(ctx, "POST", "/", nil)
	r.RemoteAddr = "192.0.2.1:1234"
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return r
}

func (o office) signIn(t *testing.T) (auth.Who, *http.Cookie) {
	t.Helper()
	who, cookie, err := o.SignIn(request(t.Context()), "admin", o.password)
	if err != nil {
		t.Fatal(err)
	}
	return who, cookie
}

func bearer(ctx context.Context, token string) *http.Request {
	r := request(ctx)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func TestTheFirstAdministratorIsMadeOnce(t *testing.T) {
	o := open(t, auth.Config{})
	if _, created, err := o.FirstAdmin(t.Context()); err != nil || created {
		t.Errorf("a second one: %v, %v", created, err)
	}
	who, _ := o.signIn(t)
	if who.Name != "admin" || who.Role != auth.Admin {
		t.Errorf("signed in as %+v", who)
	}
}

func TestNothingSecretIsKept(t *testing.T) {
	o := open(t, auth.Config{})
	who, cookie := o.signIn(t)
	_, token, err := o.AddToken(t.Context(), who, "ci", auth.Operator)
	if err != nil {
		t.Fatal(err)
	}
	kept := o.vault.Values()
	for name, s := range map[string]string{"password": o.password, "session id": cookie.Value, "token": token.Reveal()} {
		if strings.Contains(kept, s) {
			t.Errorf("the %s is in the vault", name)
		}
	}
	if !strings.Contains(kept, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error("passwords are not argon2id")
	}
}

func TestSignIn(t *testing.T) {
	o := open(t, auth.Config{})
	for _, c := range []struct{ name, user, password string }{
		{"a wrong password is denied", "admin", "wrong"},
		{"an empty password is denied", "admin", ""},
		{"an unknown user is denied in the same words", "nobody", o.password},
		{"a path is no user", "../users/admin", o.password},
		{"unicode is no user", "管理员", o.password},
		{"an endless password is denied", "admin", strings.Repeat("x", 1<<20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := request(t.Context())
			r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", len(c.name))
			if _, _, err := o.SignIn(r, c.user, c.password); !errors.Is(err, auth.ErrDenied) || err.Error() != auth.ErrDenied.Error() {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestCookies(t *testing.T) {
	for _, c := range []struct {
		name, external, cookie string
		secure                 bool
	}{
		{"over TLS the cookie is bound to this host", "https://seatrial.example", "__Host-seatrial", true},
		{"on loopback it has a plain name", "http://127.0.0.1:8480", "seatrial", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := open(t, auth.Config{External: c.external}).signIn(t)
			if got.Name != c.cookie || got.Secure != c.secure || !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.Domain != "" {
				t.Errorf("cookie %s", got)
			}
		})
	}
}

func TestPlainHTTPBeyondLoopbackIsRefused(t *testing.T) {
	for _, external := range []string{"http://seatrial.example", "http://10.0.0.1:8480", "", "ftp://x", "seatrial.example"} {
		_, err := auth.New(auth.Config{External: external}, vaulttest.New(), slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("%q was accepted", external)
		}
	}
	err := auth.Config{External: "http://seatrial.example"}.Validate()
	if !strings.Contains(hint.Of(err), "TLS") {
		t.Errorf("hint %q", hint.Of(err))
	}
}

func TestAPlantedSessionIsWorthNothing(t *testing.T) {
	o := open(t, auth.Config{})
	planted := &http.Cookie{Name: "seatrial", Value: "chosen-by-somebody-else"}
	_, cookie, err := o.SignIn(request(t.Context(), planted), "admin", o.password)
	if err != nil || cookie.Value == planted.Value {
		t.Fatalf("cookie %v, %v", cookie, err)
	}
	if _, err := o.Who(request(t.Context(), planted)); !errors.Is(err, auth.ErrAnonymous) {
		t.Errorf("the planted id: %v", err)
	}
	_, second, err := o.SignIn(request(t.Context(), cookie), "admin", o.password)
	if err != nil || second.Value == cookie.Value {
		t.Fatalf("signed in again: %v, %v", second, err)
	}
	if _, err := o.Who(request(t.Context(), cookie)); !errors.Is(err, auth.ErrAnonymous) {
		t.Errorf("the id before signing in again: %v", err)
	}
	if _, err := o.Who(request(t.Context(), second)); err != nil {
		t.Errorf("the new id: %v", err)
	}
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, auth.Config{Idle: time.Hour, Absolute: 5 * time.Hour})
		_, unused := o.signIn(t)
		_, used := o.signIn(t)
		for range 9 {
			time.Sleep(30 * time.Minute)
			if _, err := o.Who(request(t.Context(), used)); err != nil {
				t.Fatalf("a session in use: %v", err)
			}
		}
		if _, err := o.Who(request(t.Context(), unused)); !errors.Is(err, auth.ErrAnonymous) {
			t.Errorf("an idle session: %v", err)
		}
		time.Sleep(31 * time.Minute)
		if _, err := o.Who(request(t.Context(), used)); !errors.Is(err, auth.ErrAnonymous) {
			t.Errorf("a session past its absolute end: %v", err)
		}
		if err := o.Sweep(t.Context()); err != nil || strings.Contains(o.vault.Values(), "sessions/") {
			t.Errorf("ended sessions are kept: %v", err)
		}
	})
}

func TestALookIsNoSignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, auth.Config{Idle: time.Hour})
		who, _ := o.signIn(t)
		for range 3 {
			time.Sleep(29 * time.Minute)
			if err := o.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			_, err := o.Still(t.Context(), who)
			if err != nil {
				if !errors.Is(err, auth.ErrAnonymous) {
					t.Error(err)
				}
				return
			}
		}
		t.Error("a stream kept an idle session alive")
	})
}

func TestRevocationIsNoticed(t *testing.T) {
	for _, c := range []struct {
		name   string
		revoke func(t *testing.T, o office, w auth.Who) error
	}{
		{"when the person signs out", func(t *testing.T, o office, w auth.Who) error { _, err := o.SignOut(t.Context(), w); return err }},
		{"when the password changes", func(t *testing.T, o office, w auth.Who) error {
			return o.ChangePassword(t.Context(), w, o.password, "a sentence only I know")
		}},
		{"when the person is removed", func(t *testing.T, o office, w auth.Who) error {
			if _, err := o.AddUser(t.Context(), "li", auth.Admin); err != nil {
				return err
			}
			return o.RemoveUser(t.Context(), "admin")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := open(t, auth.Config{})
			who, cookie := o.signIn(t)
			if err := c.revoke(t, o, who); err != nil {
				t.Fatal(err)
			}
			if _, err := o.Still(t.Context(), who); !errors.Is(err, auth.ErrAnonymous) {
				t.Errorf("the stream: %v", err)
			}
			if _, err := o.Who(request(t.Context(), cookie)); !errors.Is(err, auth.ErrAnonymous) {
				t.Errorf("the session: %v", err)
			}
		})
	}
}

func TestBruteForceIsStoppedEvenWhenAllTryAtOnce(t *testing.T) {
	synctest.Test(t, bruteForce) // a try comes back with time, which a busy machine takes
}

func bruteForce(t *testing.T) {
	o := open(t, auth.Config{})
	var wg sync.WaitGroup
	var mu sync.Mutex // guards the counts
	denied, limited := 0, 0
	for range 200 {
		wg.Go(func() {
			_, _, err := o.SignIn(request(t.Context()), "admin", "guess")
			mu.Lock()
			defer mu.Unlock()
			if _, ok := errors.AsType[*auth.Limited](err); ok {
				limited++
			} else if errors.Is(err, auth.ErrDenied) {
				denied++
			} else {
				t.Errorf("error %v", err)
			}
		})
	}
	wg.Wait()
	if denied > 10 || denied+limited != 200 {
		t.Errorf("%d guesses were checked, %d limited", denied, limited)
	}
	if _, _, err := o.SignIn(request(t.Context()), "admin", o.password); err == nil {
		t.Error("the right password passes while the address is limited")
	}
	other := request(t.Context())
	other.RemoteAddr = "198.51.100.7:1"
	if _, _, err := o.SignIn(other, "admin", o.password); err != nil {
		t.Errorf("another address is limited too: %v", err)
	}
}

func TestTheLimitWearsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := open(t, auth.Config{})
		for range 10 {
			_, _, _ = o.SignIn(request(t.Context()), "nobody", "guess")
		}
		_, _, err := o.SignIn(request(t.Context()), "admin", o.password)
		limited, ok := errors.AsType[*auth.Limited](err)
		if !ok || limited.RetryAfter <= 0 || limited.RetryAfter > time.Minute {
			t.Fatalf("error %v", err)
		}
		time.Sleep(limited.RetryAfter)
		if _, _, err := o.SignIn(request(t.Context()), "admin", o.password); err != nil {
			t.Errorf("after the wait: %v", err)
		}
	})
}

func TestAnAddressCannotBeMadeUp(t *testing.T) { synctest.Test(t, madeUp) }

func madeUp(t *testing.T) {
	o := open(t, auth.Config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	try := func(remote, forwarded string) error {
		r := request(t.Context())
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", forwarded)
		_, _, err := o.SignIn(r, "nobody", "guess")
		return err
	}
	for i := range 10 {
		_ = try("192.0.2.9:1", fmt.Sprintf("203.0.113.%d", i))
	}
	if _, ok := errors.AsType[*auth.Limited](try("192.0.2.9:1", "203.0.113.99")); !ok {
		t.Error("a stranger's X-Forwarded-For was believed")
	}
	for i := range 10 {
		_ = try("10.0.0.1:1", fmt.Sprintf("203.0.113.%d, 198.51.100.1", i))
	}
	if _, ok := errors.AsType[*auth.Limited](try("10.0.0.2:1", "198.51.100.1")); !ok {
		t.Error("the proxy's client was not counted")
	}
	if err := try("10.0.0.2:1", "198.51.100.2"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("the proxy's other client: %v", err)
	}
}

func TestTokens(t *testing.T) {
	o := open(t, auth.Config{})
	admin, cookie := o.signIn(t)
	made, value, err := o.AddToken(t.Context(), admin, "持续集成 1", auth.Operator)
	if err != nil || !strings.HasPrefix(value.Reveal(), "st_") || strings.Contains(value.Reveal(), made.ID) {
		t.Fatalf("made %+v, %v", made, err)
	}
	who, err := o.Who(bearer(t.Context(), value.Reveal()))
	if err != nil || who.Name != "token:持续集成 1" || who.Role != auth.Operator {
		t.Errorf("is %+v, %v", who, err)
	}
	all, err := o.Tokens(t.Context())
	if err != nil || len(all) != 1 || all[0].ID != made.ID || all[0].LastUsed.IsZero() || all[0].By != "admin" {
		t.Errorf("listed %+v, %v", all, err)
	}
	for name, header := range map[string]string{
		"a made-up token": "Bearer st_nonsense", "a token without its prefix": "Bearer " + strings.TrimPrefix(value.Reveal(), "st_"),
		"a token in another scheme": "Basic " + value.Reveal(), "another platform's token": "Bearer ghp_x", "an empty bearer": "Bearer ",
	} {
		r := request(t.Context(), cookie)
		r.Header.Set("Authorization", header)
		if _, err := o.Who(r); !errors.Is(err, auth.ErrAnonymous) {
			t.Errorf("%s beside a good session: %v", name, err)
		}
	}
	if err := o.RemoveToken(t.Context(), made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Who(bearer(t.Context(), value.Reveal())); !errors.Is(err, auth.ErrAnonymous) {
		t.Errorf("a removed token: %v", err)
	}
	for _, id := range []string{made.ID, "", "0", "zzzzzzzzzzzzzzzz", "../users/admin00"} {
		if err := o.RemoveToken(t.Context(), id); !errors.Is(err, vault.ErrNotFound) {
			t.Errorf("remove %q: %v", id, err)
		}
	}
}

func TestATokenCannotDoMoreThanItsMaker(t *testing.T) {
	o := open(t, auth.Config{})
	if _, _, err := o.AddToken(t.Context(), auth.Who{Name: "li", Role: auth.Operator}, "ci", auth.Admin); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("error %v", err)
	}
}

func TestPeople(t *testing.T) {
	o := open(t, auth.Config{})
	if err := o.RemoveUser(t.Context(), "admin"); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("the last administrator was removed: %v", err)
	}
	if _, err := o.AddUser(t.Context(), "li.wei", auth.Viewer); err != nil {
		t.Error(err)
	}
	if _, err := o.AddUser(t.Context(), "li.wei", auth.Admin); !errors.Is(err, auth.ErrTaken) {
		t.Errorf("a taken name: %v", err)
	}
	for _, name := range []string{"", "Li", "a/b", "../x", "李", strings.Repeat("a", 64)} {
		if _, err := o.AddUser(t.Context(), name, auth.Viewer); !errors.Is(err, auth.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := o.AddUser(t.Context(), "wang", "root"); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("role root: %v", err)
	}
	all, err := o.Users(t.Context())
	if err != nil || len(all) != 2 || all[1].Name != "li.wei" {
		t.Errorf("listed %+v, %v", all, err)
	}
	if err := o.RemoveUser(t.Context(), "nobody"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("nobody was removed: %v", err)
	}
}

func TestPasswordsChange(t *testing.T) {
	o := open(t, auth.Config{})
	who, _ := o.signIn(t)
	if err := o.ChangePassword(t.Context(), who, o.password, "short"); !errors.Is(err, auth.ErrInvalid) {
		t.Errorf("a short one: %v", err)
	}
	if err := o.ChangePassword(t.Context(), who, "wrong", "a sentence only I know"); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("without the old one: %v", err)
	}
	fresh, err := o.ResetPassword(t.Context(), "admin")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := o.SignIn(request(t.Context()), "admin", o.password); !errors.Is(err, auth.ErrDenied) {
		t.Errorf("the old password: %v", err)
	}
	if _, _, err := o.SignIn(request(t.Context()), "admin", fresh.Reveal()); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

func TestRoles(t *testing.T) {
	order := []auth.Role{"", auth.Viewer, auth.Operator, auth.Admin}
	for i, have := range order {
		for j, need := range order {
			if got, want := have.Covers(need), j > 0 && i >= j; got != want {
				t.Errorf("%q covers %q: %v", have, need, got)
			}
		}
	}
	if auth.Admin.Covers("root") || auth.Role("root").Covers(auth.Viewer) {
		t.Error("an unknown role means something")
	}
}
