package login_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/moby/buildkit/session/auth"

	"github.com/seatrial/seatrial/builder/login"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/oci/ocitest"
	"github.com/seatrial/seatrial/internal/secret"
)

// desk is one over a registry with token server, which knows two projects and the server.
func desk(t *testing.T) (*login.Desk, *ocitest.Server) {
	t.Helper()
	s := ocitest.New(t, true)
	s.SignIn(true, "", ocitest.Login{User: "shop-bot", Password: "of-the-shop"}, ocitest.Login{User: "pay-bot", Password: "of-payments"},
		ocitest.Login{User: "seatrial", Password: "of-the-server"})
	passwords := map[string]string{"shop": "of-the-shop", "pay": "of-payments"}
	r, err := oci.New(oci.Config{
		Hosts: []oci.Host{{Name: s.Host, PlainHTTP: true, User: "seatrial", Password: "of-the-server"}},
		Logins: func(project string) []oci.Host {
			if p := passwords[project]; p != "" {
				return []oci.Host{{Name: s.Host, User: project + "-bot", Password: secret.Text(p), Of: "secret x of project " + project}}
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return login.New(r), s
}

func TestABuildHasTheLoginOfItsProject(t *testing.T) {
	d, s := desk(t)
	for _, c := range []struct {
		name     string
		project  string
		stranger bool
		host     string
		user     string
	}{
		{name: "a project with one", project: "shop", host: s.Host, user: "shop-bot"},
		{name: "another project", project: "pay", host: s.Host, user: "pay-bot"},
		{name: "a project without one has the server's", project: "blog", host: s.Host, user: "seatrial"},
		{name: "a fork's has none", project: "shop", stranger: true, host: s.Host},
		{name: "another host has none", project: "shop", host: "registry.elsewhere.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			asks := d.For(c.project, c.stranger).(auth.AuthServer)
			got, err := asks.Credentials(t.Context(), &auth.CredentialsRequest{Host: c.host})
			if err != nil || got.Username != c.user || (got.Secret == "") != (c.user == "") {
				t.Errorf("%q, %v", got.GetUsername(), err)
			}
			if c.host != s.Host {
				return
			}
			token, err := asks.FetchToken(t.Context(), &auth.FetchTokenRequest{Host: s.Host, Realm: "http://" + s.Host + "/token", Service: s.Host, Scopes: []string{"repository:shop/web:pull"}})
			if (err == nil) != (c.user != "") || err == nil && (token.Token == "" || token.ExpiresIn != 300) {
				t.Errorf("the token is %v, %v", token, err)
			}
			if err != nil && strings.Contains(err.Error(), "of-") {
				t.Errorf("a password shows: %v", err)
			}
		})
	}
}

func TestWhatBuildkitdLearnsWithOneLoginIsNotUsedForAnother(t *testing.T) {
	d, s := desk(t)
	salt := []byte("of buildkitd")
	authority := func(project string, stranger bool) []byte {
		got, err := d.For(project, stranger).(auth.AuthServer).GetTokenAuthority(t.Context(), &auth.GetTokenAuthorityRequest{Host: s.Host, Salt: salt})
		if err != nil {
			t.Fatal(err)
		}
		return got.PublicKey
	}
	shop := authority("shop", false)
	for name, other := range map[string][]byte{"another project": authority("pay", false), "one without a login": authority("blog", false), "a fork's": authority("shop", true)} {
		if bytes.Equal(shop, other) {
			t.Errorf("a build of %s has the tokens of the shop", name)
		}
	}
	proof, err := d.For("shop", false).(auth.AuthServer).VerifyTokenAuthority(context.Background(), &auth.VerifyTokenAuthorityRequest{Host: s.Host, Salt: salt, Payload: []byte("prove it")})
	if err != nil {
		t.Fatal(err)
	}
	// NaCl's form: the signature and then the message.
	sig, message := proof.Signed[:ed25519.SignatureSize], proof.Signed[ed25519.SignatureSize:]
	if string(message) != "prove it" || !ed25519.Verify(shop, message, sig) {
		t.Error("the next build of the same project does not prove that it is one")
	}
}

func TestAdviceFollowsTheAnswer(t *testing.T) {
	for _, c := range []struct{ name, msg, want string }{
		{"401 of a push", "failed to push reg/shop/web:1: failed to authorize: failed to fetch oauth token: unexpected status from GET request to http://reg/token: 401 Unauthorized", "check the login"},
		{"a push that is not allowed", "failed to push reg/shop/web:1: push access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", "check the login"},
		{"429", "failed to push reg/shop/web:1: unexpected status from PUT request to http://reg/v2/shop/web/manifests/1: 429 Too Many Requests", "limits requests"},
		{"500", "failed to push reg/shop/web:1: unexpected status from PUT request to http://reg/v2/shop/web/blobs/uploads/x: 500 Internal Server Error", "registry's own log"},
		{"no answer", "dial tcp 198.18.0.1:5000: connect: connection refused", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := login.Advice(c.msg); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Error(got)
			}
		})
	}
}
