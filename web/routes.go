package web

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/problem"
)

// Need is what somebody has to be to use a route.
type Need string

// The needs. A route without one is not served.
const (
	Public   Need = "public"          // strangers too
	Self     Need = "self"            // signed in, for one's own session
	Reader   Need = Need(auth.Viewer) // reads
	Operator Need = Need(auth.Operator)
	Admin    Need = Need(auth.Admin)
)

// Route is one thing that can be asked.
type Route struct {
	Pattern string // "POST /api/v1/releases/{id}/hold"; without a method: any
	Need    Need
	Secret  bool // its answer is shown once and never kept
}

// table is the router: every route says who may use it, or the server does not start.
type table struct {
	mux    *http.ServeMux
	routes []Route
	byName map[string]Route
	errs   []error
}

func newTable() *table {
	return &table{mux: http.NewServeMux(), byName: map[string]Route{}}
}

// allow declares a route, before it is handled.
func (t *table) allow(r Route) {
	t.routes = append(t.routes, r)
	t.byName[r.Pattern] = r
}

func (t *table) handle(r Route, h http.Handler) {
	t.allow(r)
	t.mux.Handle(r.Pattern, h)
}

// HandleFunc is how huma adds a route; it must have been allowed.
func (t *table) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	if _, ok := t.byName[pattern]; !ok {
		t.errs = append(t.errs, fmt.Errorf("web: route %s does not say who may use it", pattern))
	}
	t.mux.HandleFunc(pattern, h)
}

// ServeHTTP serves without asking who; only Server.admit calls it.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.mux.ServeHTTP(w, r) }

// match is the route a request will take.
func (t *table) match(r *http.Request) (Route, bool) {
	_, pattern := t.mux.Handler(r)
	route, ok := t.byName[pattern]
	return route, ok
}

// admit is the one authorisation layer: no handler runs but through it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, route Route, known bool) {
	if !known {
		problem.Write(w, http.StatusNotFound, "there is nothing here", "")
		return
	}
	if err := s.origin.Check(r); err != nil {
		problem.Write(w, http.StatusForbidden, "the request comes from another site", "open Seatrial at "+s.config.External)
		return
	}
	if route.Need == Public {
		s.table.ServeHTTP(w, r)
		return
	}
	who, err := s.guard.Who(r)
	if errors.Is(err, auth.ErrAnonymous) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="seatrial"`)
		problem.Write(w, http.StatusUnauthorized, "not signed in", "sign in, or send a token: Authorization: Bearer st_…")
		return
	}
	if err != nil {
		s.log.Error("web", "act", "identify", "error", err)
		problem.Write(w, http.StatusServiceUnavailable, "cannot tell who you are just now", "try again")
		return
	}
	if route.Need != Self && !who.Role.Covers(auth.Role(route.Need)) {
		problem.Write(w, http.StatusForbidden, fmt.Sprintf("this needs the role %s; %s is %s", route.Need, who.Name, who.Role),
			"ask an administrator")
		return
	}
	r = r.WithContext(auth.With(r.Context(), who))
	if key := r.Header.Get("Idempotency-Key"); key != "" && !safe(r.Method) && route.Need != Self {
		s.once.Serve(w, r, key, route.Secret, s.table)
		return
	}
	s.table.ServeHTTP(w, r)
}

// safe methods change nothing.
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}
