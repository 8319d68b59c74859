package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/seatrial/seatrial/web/auth"
)

// Session is who is signed in.
type Session struct {
	User    string    `json:"user"`
	Role    auth.Role `json:"role" enum:"viewer,operator,admin"`
	Version string    `json:"version" doc:"Of the server"`
}

type nothingIn struct{}

type sessionOut struct {
	Cookie http.Cookie `header:"Set-Cookie"`
	Body   Session
}

type body[T any] struct{ Body T }

type gone struct {
	Cookie http.Cookie `header:"Set-Cookie"`
}

type list[T any] struct {
	Items []T `json:"items"`
}

// items never writes null.
func items[T any](all []T) list[T] {
	if all == nil {
		all = []T{}
	}
	return list[T]{all}
}

type signIn struct {
	request *http.Request
	Body    struct {
		User     string `json:"user" maxLength:"256"`
		Password string `json:"password" maxLength:"4096" format:"password"`
	}
}

// Resolve keeps the request: its address is counted, its old session ends.
func (in *signIn) Resolve(ctx huma.Context) []error {
	in.request, _ = humago.Unwrap(ctx)
	return nil
}

func (s *Server) sessionRoutes(api huma.API) {
	add(s, api, Route{Pattern: "POST /api/v1/session", Need: Public}, "Sign in", http.StatusOK,
		func(_ context.Context, in *signIn) (*sessionOut, error) {
			who, cookie, err := s.guard.SignIn(in.request, in.Body.User, in.Body.Password)
			if err != nil {
				return nil, err
			}
			return &sessionOut{Cookie: *cookie, Body: s.session(who)}, nil
		})
	add(s, api, Route{Pattern: "GET /api/v1/session", Need: Self}, "Who am I", http.StatusOK,
		func(ctx context.Context, _ *nothingIn) (*body[Session], error) {
			return &body[Session]{s.session(auth.From(ctx))}, nil
		})
	add(s, api, Route{Pattern: "DELETE /api/v1/session", Need: Self}, "Sign out", http.StatusNoContent,
		func(ctx context.Context, _ *nothingIn) (*gone, error) {
			cookie, err := s.guard.SignOut(ctx, auth.From(ctx))
			return &gone{*cookie}, err
		})
	add(s, api, Route{Pattern: "PUT /api/v1/session/password", Need: Self}, "Change my password; every session of mine ends", http.StatusNoContent,
		func(ctx context.Context, in *body[newPassword]) (*nothingIn, error) {
			return nil, s.guard.ChangePassword(ctx, auth.From(ctx), in.Body.Old, in.Body.New)
		})
	s.tokenRoutes(api)
	s.userRoutes(api)
}

func (s *Server) session(w auth.Who) Session {
	return Session{User: w.Name, Role: w.Role, Version: s.config.Version}
}

type newPassword struct {
	Old string `json:"old" maxLength:"4096" format:"password"`
	New string `json:"new" maxLength:"4096" format:"password"`
}

type newToken struct {
	Name string    `json:"name" maxLength:"63"`
	Role auth.Role `json:"role" enum:"viewer,operator,admin"`
}

// madeToken is the only answer that ever holds the token.
type madeToken struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	Role  auth.Role `json:"role"`
	Token string    `json:"token" doc:"Shown once"`
}

type byID struct {
	ID string `path:"id" maxLength:"64"`
}

func (s *Server) tokenRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/tokens", Need: Admin}, "List tokens", http.StatusOK,
		func(ctx context.Context, _ *nothingIn) (*body[list[auth.Token]], error) {
			all, err := s.guard.Tokens(ctx)
			return &body[list[auth.Token]]{items(all)}, err
		})
	add(s, api, Route{Pattern: "POST /api/v1/tokens", Need: Admin, Secret: true}, "Make a token", http.StatusCreated,
		func(ctx context.Context, in *mutation[newToken]) (*body[madeToken], error) {
			t, value, err := s.guard.AddToken(ctx, auth.From(ctx), in.Body.Name, in.Body.Role)
			if err != nil {
				return nil, err
			}
			return &body[madeToken]{madeToken{t.ID, t.Name, t.Role, value.Reveal()}}, nil
		})
	add(s, api, Route{Pattern: "DELETE /api/v1/tokens/{id}", Need: Admin}, "Revoke a token", http.StatusNoContent,
		func(ctx context.Context, in *byID) (*nothingIn, error) {
			return nil, s.guard.RemoveToken(ctx, in.ID)
		})
}

type newUser struct {
	Name string    `json:"name" maxLength:"63"`
	Role auth.Role `json:"role" enum:"viewer,operator,admin"`
}

type madeUser struct {
	Name     string    `json:"name"`
	Role     auth.Role `json:"role"`
	Password string    `json:"password" doc:"Shown once"`
}

type byName struct {
	Name string `path:"name" maxLength:"63"`
}

func (s *Server) userRoutes(api huma.API) {
	add(s, api, Route{Pattern: "GET /api/v1/users", Need: Admin}, "List people", http.StatusOK,
		func(ctx context.Context, _ *nothingIn) (*body[list[auth.User]], error) {
			all, err := s.guard.Users(ctx)
			return &body[list[auth.User]]{items(all)}, err
		})
	add(s, api, Route{Pattern: "POST /api/v1/users", Need: Admin, Secret: true}, "Add a person", http.StatusCreated,
		func(ctx context.Context, in *mutation[newUser]) (*body[madeUser], error) {
			password, err := s.guard.AddUser(ctx, in.Body.Name, in.Body.Role)
			if err != nil {
				return nil, err
			}
			return &body[madeUser]{madeUser{in.Body.Name, in.Body.Role, password.Reveal()}}, nil
		})
	add(s, api, Route{Pattern: "DELETE /api/v1/users/{name}", Need: Admin}, "Remove a person", http.StatusNoContent,
		func(ctx context.Context, in *byName) (*nothingIn, error) {
			return nil, s.guard.RemoveUser(ctx, in.Name)
		})
}
