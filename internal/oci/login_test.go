package oci_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/internal/secret"
)

// signedIn is a registry of two projects and the server, and a client that knows them all.
func signedIn(t *testing.T, tokens bool) (*ocitest.Server, *oci.Registry, map[string]secret.Text) {
	t.Helper()
	s := ocitest.New(t, true)
	s.Push(t, "shop/web", "v1", "linux/amd64")
	s.Push(t, "pay/api", "v1", "linux/amd64")
	s.SignIn(tokens, "", ocitest.Login{User: "shop-bot", Password: "of-the-shop", Repositories: "shop/"},
		ocitest.Login{User: "pay-bot", Password: "of-payments", Repositories: "pay/"}, ocitest.Login{User: "seatrial", Password: "of-the-server"})
	passwords := map[string]secret.Text{"shop": "of-the-shop", "pay": "of-payments", "new": ""}
	logins := func(project string) []oci.Host {
		password, ok := passwords[project]
		if !ok {
			return nil
		}
		return []oci.Host{{Name: s.Host, User: project + "-bot", Password: password, Of: "secret harbor-" + project + " of project " + project}}
	}
	r, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: s.Host, PlainHTTP: true, User: "seatrial", Password: "of-the-server"}}, Logins: logins, Pause: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s, r, passwords
}

func TestEveryProjectIsAskedWithItsOwnLoginOnly(t *testing.T) {
	for name, tokens := range map[string]bool{"passwords": false, "tokens": true} {
		t.Run(name, func(t *testing.T) {
			s, r, passwords := signedIn(t, tokens)
			shop, pay := oci.Ref{Repository: s.Host + "/shop/web", Tag: "v1"}, oci.Ref{Repository: s.Host + "/pay/api", Tag: "v1"}
			ctx := t.Context()
			if _, err := r.Open(oci.As(ctx, "shop"), shop); err != nil {
				t.Fatal(err)
			}
			if seen := s.Seen(); seen["shop-bot"] == 0 || len(seen) != 1 {
				t.Errorf("the shop was asked for as %v", seen)
			}
			_, err := r.Open(oci.As(ctx, "shop"), pay)
			if err == nil || !strings.Contains(hint.Of(err), "secret harbor-shop of project shop") || strings.Contains(err.Error()+hint.Of(err), "of-the-shop") {
				t.Errorf("the shop reads what payments has: %v, hint %q", err, hint.Of(err))
			}
			if _, err := r.Open(oci.As(ctx, "pay"), pay); err != nil {
				t.Errorf("payments does not reach its own: %v", err)
			}
			// The client has just learned a token for this repository, with another login.
			if _, err := r.Open(oci.As(ctx, "shop"), pay); err == nil {
				t.Error("what one project's login has opened is open to another")
			}
			if _, err := r.Open(oci.Anonymous(ctx), shop); err == nil {
				t.Error("nobody is let in")
			}
			before := s.Seen()["seatrial"]
			if _, err := r.Open(oci.As(ctx, "blog"), pay); err != nil || s.Seen()["seatrial"] == before {
				t.Errorf("a project without a login does not have the server's: %v", err)
			}
			passwords["shop"] = "changed"
			if _, err := r.Open(oci.As(ctx, "shop"), shop); err == nil {
				t.Error("a password that was taken away still counts")
			}
		})
	}
}

func TestALoginThatIsNotSetIsNeverReplacedByAnother(t *testing.T) {
	s, r, _ := signedIn(t, false)
	ctx := oci.As(t.Context(), "new")
	_, err := r.Open(ctx, oci.Ref{Repository: s.Host + "/shop/web", Tag: "v1"})
	if err == nil || !strings.Contains(err.Error(), "secret harbor-new of project new is not set") || hint.Of(err) == "" {
		t.Errorf("%v, hint %q", err, hint.Of(err))
	}
	if _, _, err := r.Login(ctx, s.Host); err == nil {
		t.Error("a login without a password is handed out")
	}
	if seen := s.Seen(); len(seen) != 0 {
		t.Errorf("asked as %v", seen)
	}
}

func TestAProjectsPasswordDoesNotTravelInTheClear(t *testing.T) {
	r, err := oci.New(oci.Config{Hosts: []oci.Host{{Name: "registry.example", PlainHTTP: true}}, Logins: func(string) []oci.Host {
		return []oci.Host{{Name: "registry.example", User: "u", Password: "p", Of: "secret x of project shop"}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Login(oci.As(t.Context(), "shop"), "registry.example"); err == nil || !strings.Contains(err.Error(), "plain HTTP") {
		t.Error(err)
	}
}

func TestALoginIsSentToItsOwnHostOnly(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			stolen.Add(1)
		}
		_, _ = w.Write([]byte(`{"token":"x"}`))
	}))
	t.Cleanup(thief.Close)
	elsewhere := strings.Replace(strings.TrimPrefix(thief.URL, "http://"), "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		name      string
		tokenHost string
		redirect  bool
		sent      bool
	}{
		{name: "the registry names another host for its tokens"},
		{name: "the token server sends the request elsewhere", redirect: true},
		{name: "the login names the other host", tokenHost: elsewhere, sent: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			stolen.Store(0)
			s := ocitest.New(t, true)
			a := s.Push(t, "shop/web", "v1", "linux/amd64")
			realm := "http://" + elsewhere + "/token"
			if c.redirect {
				realm = "http://" + s.Host + "/moved"
			}
			s.SignIn(true, realm, ocitest.Login{User: "shop-bot", Password: "of-the-shop"})
			s.Redirect("/moved", "http://"+elsewhere+"/token")
			r, err := oci.New(oci.Config{Pause: time.Millisecond, Hosts: []oci.Host{
				{Name: s.Host, PlainHTTP: true, User: "shop-bot", Password: "of-the-shop", TokenHost: c.tokenHost},
				{Name: elsewhere, PlainHTTP: true, User: "other", Password: "one"}, // with a login of its own
			}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Open(t.Context(), oci.Ref{Repository: a.Repository, Tag: "v1"})
			if err == nil || (stolen.Load() > 0) != c.sent {
				t.Fatalf("%d times sent, %v", stolen.Load(), err)
			}
			if !c.sent && !c.redirect && (!strings.Contains(err.Error(), "is not sent to "+elsewhere) || !strings.Contains(hint.Of(err), "tokenHost")) {
				t.Errorf("%v, hint %q", err, hint.Of(err))
			}
			if strings.Contains(err.Error()+hint.Of(err), "of-the-shop") {
				t.Errorf("the password shows: %v", err)
			}
			if _, err := r.Token(t.Context(), s.Host, realm, s.Host, []string{"repository:shop/web:pull"}); (stolen.Load() > 0) != c.sent || c.sent && err != nil {
				t.Errorf("a token was asked for there %d times, %v", stolen.Load(), err)
			}
		})
	}
}
