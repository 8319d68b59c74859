// Package login hands buildkitd the registry logins of one build, and what it may know of
// them.
//
// Start at For. A build gets the logins of its project and of the settings, one of a
// stranger's gets none. A token is fetched here, so the login itself leaves the process for
// a registry without token server only; and what buildkitd has learned with one login it
// never uses for another.
package login

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/secret"
)

// Registry knows the logins of the context and asks token servers.
type Registry interface {
	Login(ctx context.Context, host string) (user string, password secret.Text, err error)
	Token(ctx context.Context, host, realm, service string, scopes []string) (oci.Token, error)
}

// Desk answers the questions of buildkitd about logins.
type Desk struct {
	auth.UnimplementedAuthServer
	registry Registry
	key      []byte // of this process: what buildkitd holds a login apart from others by
}

// New makes a Desk.
func New(r Registry) *Desk {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &Desk{registry: r, key: key}
}

// For is what a build of a project brings to its session; a stranger's brings no login.
func (d *Desk) For(project string, stranger bool) session.Attachable {
	return &visit{Desk: d, project: project, stranger: stranger}
}

// visit is the session of one build.
type visit struct {
	*Desk
	project  string
	stranger bool
}

// Register lets buildkitd ask.
func (v *visit) Register(s *grpc.Server) { auth.RegisterAuthServer(s, v) }

func (v *visit) as(ctx context.Context) context.Context {
	if v.stranger {
		return oci.Anonymous(ctx)
	}
	return oci.As(ctx, v.project)
}

// Credentials are the login itself, for a registry that takes nothing else.
func (v *visit) Credentials(ctx context.Context, req *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	user, password, err := v.registry.Login(v.as(ctx), req.Host)
	if err != nil {
		return nil, err
	}
	return &auth.CredentialsResponse{Username: user, Secret: password.Reveal()}, nil
}

// FetchToken asks the token server that the registry has named.
func (v *visit) FetchToken(ctx context.Context, req *auth.FetchTokenRequest) (*auth.FetchTokenResponse, error) {
	t, err := v.registry.Token(v.as(ctx), req.Host, req.Realm, req.Service, req.Scopes)
	if err != nil {
		return nil, err
	}
	if t.Expires == 0 {
		t.Expires = time.Minute // what the protocol says when nobody does
	}
	return &auth.FetchTokenResponse{Token: t.Value, ExpiresIn: int64(t.Expires / time.Second), IssuedAt: time.Now().Unix()}, nil
}

// GetTokenAuthority names who fetches tokens for a host. buildkitd uses the tokens of a
// build for every other that proves to be the same one.
func (v *visit) GetTokenAuthority(ctx context.Context, req *auth.GetTokenAuthorityRequest) (*auth.GetTokenAuthorityResponse, error) {
	key, err := v.authority(ctx, req.Host, req.Salt)
	if err != nil {
		return nil, err
	}
	return &auth.GetTokenAuthorityResponse{PublicKey: key.Public().(ed25519.PublicKey)}, nil
}

// VerifyTokenAuthority proves it.
func (v *visit) VerifyTokenAuthority(ctx context.Context, req *auth.VerifyTokenAuthorityRequest) (*auth.VerifyTokenAuthorityResponse, error) {
	key, err := v.authority(ctx, req.Host, req.Salt)
	if err != nil {
		return nil, err
	}
	return &auth.VerifyTokenAuthorityResponse{Signed: append(ed25519.Sign(key, req.Payload), req.Payload...)}, nil
}

// authority is another one for every project and every login. BuildKit's own provider has
// one per host, so that a project's build would have the tokens of another's.
func (v *visit) authority(ctx context.Context, host string, salt []byte) (ed25519.PrivateKey, error) {
	user, password, err := v.registry.Login(v.as(ctx), host)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, v.key)
	fmt.Fprintf(mac, "%q %q %q %t %q %q", salt, host, v.project, v.stranger, user, password.Reveal())
	return ed25519.NewKeyFromSeed(mac.Sum(nil)), nil
}
