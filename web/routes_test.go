package web_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
)

// public is every route a stranger may use. Adding one here is a decision: say why.
var public = map[string]string{
	"POST /api/v1/session": "signing in",
	"GET /healthz":         "asked by whoever keeps the server running; says ok",
	"GET /readyz":          "the same; says yes or no",
	"POST /hooks/gitea":    "signed by the forge instead",
	"POST /hooks/github":   "signed by the forge instead",
	"/hooks/":              "answers 404",

	"POST /hooks/alertmanager": "has a token of its own",
	"/":                        "the console's files, which hold nothing",
}

// own is every mutation that anybody signed in may use: it changes only their session.
var own = []string{"DELETE /api/v1/session", "PUT /api/v1/session/password"}

// requests turns a route into requests: every method when it names none.
func requests(r web.Route) (methods []string, path string) {
	method, path, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		return []string{"GET", "POST", "PUT", "PATCH", "DELETE"}, r.Pattern
	}
	for _, p := range []string{"{id}", "{name}"} {
		path = strings.ReplaceAll(path, p, "nothing")
	}
	return []string{method}, path
}

func TestEveryRouteAsksWhoIsThere(t *testing.T) {
	h := open(t, page)
	if len(h.Routes()) < 25 {
		t.Fatalf("only %d routes: is the table complete?", len(h.Routes()))
	}
	for _, route := range h.Routes() {
		_, isPublic := public[route.Pattern]
		if isPublic != (route.Need == web.Public) {
			t.Errorf("%s needs %s, but the list of public routes disagrees", route.Pattern, route.Need)
		}
		methods, path := requests(route)
		for _, m := range methods {
			if isPublic {
				continue
			}
			for name, headers := range map[string][]string{
				"a stranger":            nil,
				"a made-up token":       {"Authorization", "Bearer st_made-up"},
				"a made-up session":     {"Cookie", "seatrial=made-up"},
				"an empty bearer":       {"Authorization", "Bearer "},
				"a stranger with a key": {"Idempotency-Key", "k"},
			} {
				if got := h.ask(t, "", m, path, "", headers...); got.code != http.StatusUnauthorized {
					t.Errorf("%s %s answers %s with %d", m, path, name, got.code)
				}
			}
			if m == http.MethodGet {
				continue
			}
			got := h.ask(t, auth.Viewer, m, path, "")
			if want := http.StatusForbidden; !slices.Contains(own, route.Pattern) && route.Pattern != "/api/" && got.code != want {
				t.Errorf("%s %s answers a viewer with %d", m, path, got.code)
			}
		}
	}
}

func TestPeopleAndTokensAreForAdministrators(t *testing.T) {
	h := open(t, page)
	for _, route := range h.Routes() {
		if !strings.Contains(route.Pattern, "/tokens") && !strings.Contains(route.Pattern, "/users") {
			continue
		}
		methods, path := requests(route)
		if got := h.ask(t, auth.Operator, methods[0], path, ""); got.code != http.StatusForbidden {
			t.Errorf("%s answers an operator with %d", route.Pattern, got.code)
		}
	}
}

func TestThePathCannotDodgeTheCheck(t *testing.T) {
	h := open(t, page)
	for _, path := range []string{"//api/v1/board", "/api//v1/board", "/./api/v1/board", "/x/../api/v1/board", "/api/v1/board/", "/API/v1/board",
		"/%61pi/v1/board", "/api/v1/%62oard", "/api/v1/../v1/board", "/api/v1/releases/..%2f..%2fboard", "/hooks/../api/v1/board"} {
		got := h.ask(t, "", "GET", path, "")
		if strings.Contains(got.text, "shop/web") {
			t.Errorf("%s shows the board to a stranger", path)
		}
	}
}

func TestTheDescriptionMatchesTheTable(t *testing.T) {
	h := open(t, page)
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Security    *[]any
			Responses   map[string]struct {
				Content map[string]any `json:"content"`
			}
		}
		Components struct{ Schemas map[string]map[string]any }
	}
	got := h.ask(t, auth.Viewer, "GET", "/openapi.json", "")
	if err := json.Unmarshal([]byte(got.text), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("openapi %q, %v", doc.OpenAPI, err)
	}
	described, names := map[string]bool{}, map[string]bool{}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			pattern := strings.ToUpper(method) + " " + path
			described[pattern] = true
			if op.OperationID == "" || names[op.OperationID] {
				t.Errorf("%s has the operation id %q", pattern, op.OperationID)
			}
			names[op.OperationID] = true
			if _, ok := op.Responses["default"].Content["application/problem+json"]; !ok {
				t.Errorf("%s does not describe its refusals", pattern)
			}
			if open := op.Security != nil && len(*op.Security) == 0; open != (public[pattern] != "") {
				t.Errorf("%s is described as open: %v", pattern, open)
			}
		}
	}
	for _, route := range h.Routes() {
		if strings.Contains(route.Pattern, " /api/v1/") && !described[route.Pattern] {
			t.Errorf("%s is not described", route.Pattern)
		}
	}
	for _, name := range []string{"Problem", "Release", "Verdict", "Board", "Run"} {
		if s := doc.Components.Schemas[name]; name != "Verdict" && (s == nil || s["properties"] == nil) {
			t.Errorf("schema %s is %v", name, s)
		}
	}
	if text, _ := json.Marshal(doc.Components.Schemas["Problem"]); !strings.Contains(string(text), "hint") {
		t.Errorf("problems are described without their hint: %s", text)
	}
}

func TestOtherSitesCannotAct(t *testing.T) {
	h := open(t, page)
	path := "/api/v1/releases/" + string(shopWeb) + "/hold"
	for name, headers := range map[string][]string{
		"a form of another site":    {"Origin", "https://evil.example"},
		"a script of another site":  {"Sec-Fetch-Site", "cross-site"},
		"another host of this site": {"Sec-Fetch-Site", "same-site"},
		"a sandboxed frame":         {"Origin", "null"},
	} {
		if got := h.ask(t, auth.Operator, "POST", path, `{"reason":"x"}`, headers...); got.code != http.StatusForbidden {
			t.Errorf("%s is answered %d", name, got.code)
		}
		if got := h.ask(t, "", "POST", "/api/v1/session", `{"user":"admin","password":"x"}`, headers...); got.code != http.StatusForbidden {
			t.Errorf("%s signs people in: %d", name, got.code)
		}
	}
	if n := h.yard.done(); n != 0 {
		t.Errorf("%d acts were carried out", n)
	}
	if got := h.ask(t, auth.Operator, "POST", path, `{"reason":"x"}`, "Origin", h.url, "Sec-Fetch-Site", "same-origin"); got.code != http.StatusAccepted {
		t.Errorf("the console itself is answered %d", got.code)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	h := open(t, page)
	for _, path := range []string{"/", "/api/v1/board", "/healthz", "/hooks/gitea", "/releases/x", "/assets/none.js"} {
		got := h.ask(t, "", "GET", path, "")
		csp := got.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q", path, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Referrer-Policy") == "" {
			t.Errorf("%s: headers %v", path, got.header)
		}
	}
}
