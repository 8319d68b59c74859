package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/once"
	"github.com/seatrial/seatrial/web/problem"
	"github.com/seatrial/seatrial/web/vault"
)

// routes adds everything that can be asked, in one place.
func (s *Server) routes() error {
	files, err := newConsole(s.config.Console)
	if err != nil {
		return fmt.Errorf("console: %w", err)
	}
	api := humago.New(s.table, s.apiConfig())
	s.sessionRoutes(api)
	s.releaseRoutes(api)
	s.buildRoutes(api)
	s.logRoutes(api)
	s.experimentRoutes(api)
	s.consentRoutes(api)
	s.chaosRoutes(api)
	s.trialRoutes(api)
	s.silenceRoutes(api)
	s.reportRoutes(api)
	s.fleetRoutes(api)
	s.table.handle(Route{Pattern: streamRoute, Need: Reader}, http.HandlerFunc(s.live))
	describeStream(api)
	for _, kind := range s.hooks.Kinds() {
		s.table.handle(Route{Pattern: "POST /hooks/" + string(kind), Need: Public}, s.hooks.Handler(kind))
	}
	if s.config.Alerts != nil {
		s.table.handle(Route{Pattern: "POST /hooks/alertmanager", Need: Public}, s.config.Alerts)
	}
	s.table.handle(Route{Pattern: "GET /openapi.json", Need: Reader}, http.HandlerFunc(s.describe))
	s.table.handle(Route{Pattern: "GET /healthz", Need: Public}, http.HandlerFunc(alive))
	s.table.handle(Route{Pattern: "GET /readyz", Need: Public}, http.HandlerFunc(s.ready))
	s.table.handle(Route{Pattern: "/api/", Need: Reader}, http.HandlerFunc(nothing))
	s.table.handle(Route{Pattern: "/hooks/", Need: Public}, http.HandlerFunc(nothing))
	s.table.handle(Route{Pattern: "/", Need: Public}, files)
	if s.openAPI, err = json.Marshal(api.OpenAPI()); err != nil {
		return fmt.Errorf("openapi: %w", err)
	}
	return errors.Join(s.table.errs...)
}

func (s *Server) apiConfig() huma.Config {
	c := huma.DefaultConfig("Seatrial", s.config.Version)
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", "" // we serve the one document behind the sign-in
	c.CreateHooks = nil                                   // no $schema in answers
	c.RejectUnknownQueryParameters = true                 // a filter with a typo would show everything
	c.Transformers = []huma.Transformer{plain}
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[problem.Problem]())
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[release.Verdict](), reflect.TypeFor[verdictSchema]())
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: "seatrial"},
		"token":   {Type: "http", Scheme: "bearer"},
	}
	c.Security = []map[string][]string{{"session": {}}, {"token": {}}}
	return c
}

// verdictSchema is the JSON of a release.Verdict, whose fields nobody else can see.
type verdictSchema struct {
	Outcome  string             `json:"outcome" enum:"Unknown,Pass,Wait,Refuse,Inconclusive"`
	Code     string             `json:"code,omitempty" doc:"The reason in one word, of the SLO gate" example:"too-few-events"`
	Reason   string             `json:"reason,omitempty"`
	Hint     string             `json:"hint,omitempty"`
	After    string             `json:"after,omitempty" doc:"When it is asked again, of a Wait" example:"30s"`
	Evidence []release.Evidence `json:"evidence,omitempty"`
}

// plain turns huma's own refusals into ours. What was sent is not echoed: it may be a
// password in the wrong field.
func plain(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := problem.New(m.Status, m.Detail, "")
	for _, e := range m.Errors {
		p.Errors = append(p.Errors, problem.Field{Location: e.Location, Message: e.Message})
	}
	if len(p.Errors) > 0 {
		p.Hint = "see /openapi.json for what this request takes"
	}
	return p, nil
}

// add registers one operation of the API. Its handler's errors pass through refuse.
func add[I, O any](s *Server, api huma.API, route Route, summary string, status int, fn func(context.Context, *I) (*O, error)) {
	method, path, _ := strings.Cut(route.Pattern, " ")
	s.table.allow(route)
	op := huma.Operation{Method: method, Path: path, Summary: summary, DefaultStatus: status, MaxBodyBytes: once.MaxRequest,
		OperationID: operationID(method, path), Tags: []string{tag(path)}}
	if route.Need == Public {
		op.Security = []map[string][]string{}
	} else {
		op.Description = "Needs the role " + string(route.Need) + "."
	}
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := fn(ctx, in)
		if err != nil {
			c, ok := any(in).(conditional)
			return nil, s.refuse(ctx, err, route, ok && c.conditional())
		}
		return out, nil
	})
}

// conditional is a request that may carry If-Match.
type conditional interface{ conditional() bool }

// coded is an error with its reason in one word.
type coded interface {
	error
	Code() string
}

// refuse decides what a caller may read of an error.
func (s *Server) refuse(ctx context.Context, err error, route Route, conditional bool) error {
	if own, ok := errors.AsType[*problem.Problem](err); ok {
		return own
	}
	say := func(status int) error {
		p := problem.New(status, err.Error(), hint.Of(err))
		if c, ok := errors.AsType[coded](err); ok {
			p.Code = c.Code()
		}
		return p
	}
	if limited, ok := errors.AsType[*auth.Limited](err); ok {
		h := http.Header{}
		problem.RetryAfter(h, limited.RetryAfter)
		return huma.ErrorWithHeaders(say(http.StatusTooManyRequests), h)
	}
	switch {
	case errors.Is(err, auth.ErrDenied):
		return say(http.StatusUnauthorized)
	case errors.Is(err, ErrNotFound), errors.Is(err, vault.ErrNotFound):
		return say(http.StatusNotFound)
	case errors.Is(err, ErrStale) && conditional:
		return problem.New(http.StatusPreconditionFailed, err.Error(), orElse(hint.Of(err), "read it again and decide again"))
	case errors.Is(err, ErrStale), errors.Is(err, vault.ErrStale):
		return problem.New(http.StatusConflict, err.Error(), orElse(hint.Of(err), "try again"))
	case errors.Is(err, ErrRefused), errors.Is(err, auth.ErrTaken):
		return say(http.StatusConflict)
	case errors.Is(err, ErrInvalid), errors.Is(err, auth.ErrInvalid):
		return say(http.StatusUnprocessableEntity)
	case ctx.Err() != nil:
		return problem.New(http.StatusServiceUnavailable, "the request ended early", "")
	}
	s.log.Error("web", "act", "answer", "route", route.Pattern, "error", err, "hint", hint.Of(err))
	return problem.New(http.StatusInternalServerError, "something broke here; it has been logged", "")
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// ifMatch reads the header: empty or * is any version.
func ifMatch(h string) (release.Revision, error) {
	if h == "" || h == "*" {
		return 0, nil
	}
	digits, ok := strings.CutPrefix(h, `"`)
	if ok {
		digits, ok = strings.CutSuffix(digits, `"`)
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 {
		return 0, problem.New(http.StatusBadRequest, "If-Match is not an ETag of ours", `send the ETag of the release as it is, for example "42"`)
	}
	return release.Revision(n), nil
}

func etag(v release.Revision) string { return `"` + strconv.FormatInt(int64(v), 10) + `"` }

// operationID is "postReleasesIdHold" for POST /api/v1/releases/{id}/hold.
func operationID(method, path string) string {
	var b bytes.Buffer
	b.WriteString(strings.ToLower(method))
	for part := range strings.FieldsFuncSeq(strings.TrimPrefix(path, "/api/v1"), func(r rune) bool { return strings.ContainsRune("/{}", r) }) {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// tag is the first word of the path.
func tag(path string) string {
	word, _, _ := strings.Cut(strings.TrimPrefix(path, "/api/v1/"), "/")
	return word
}

func alive(w http.ResponseWriter, _ *http.Request) { sayOK(w) }

// ready tells a stranger yes or no; why not is in the log.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.parts.Ready(r.Context()); err != nil {
		s.log.Warn("web", "act", "ready", "error", err, "hint", hint.Of(err))
		problem.Write(w, http.StatusServiceUnavailable, "not ready", "see the server's log")
		return
	}
	sayOK(w)
}

func sayOK(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ok\n"))
}

func nothing(w http.ResponseWriter, _ *http.Request) {
	problem.Write(w, http.StatusNotFound, "there is nothing here", "see /openapi.json for what there is")
}

func (s *Server) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
	_, _ = w.Write(s.openAPI)
}
