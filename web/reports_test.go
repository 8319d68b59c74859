package web_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/reports"
)

// made says what it was asked for.
type made struct{}

func (made) say(form reports.Form, what string) (reports.Document, error) {
	if strings.Contains(what, "nothing") {
		return reports.Document{}, fmt.Errorf("%s: %w", what, web.ErrNotFound)
	}
	d := reports.Document{Body: []byte(strings.TrimSpace(form.Language+" "+form.Format) + " of " + what)}
	if form.Format == "html" {
		d.Style = "sha256-x"
	}
	return d, nil
}

func (m made) Trial(_ context.Context, id release.ID, env release.Env, form reports.Form) (reports.Document, error) {
	return m.say(form, fmt.Sprintf("%s in %s", id, env))
}

func (m made) Run(_ context.Context, id string, form reports.Form) (reports.Document, error) {
	return m.say(form, "run "+id)
}

func (m made) Summary(_ context.Context, since time.Duration, form reports.Form) (reports.Document, error) {
	return m.say(form, since.String())
}

func TestReports(t *testing.T) {
	h := open(t, page)
	tests := []struct{ path, accept, kind, want string }{
		{"/api/v1/releases/shop.web.1/report?env=staging&format=html", "", "text/html; charset=utf-8", "html of shop.web.1 in staging"},
		{"/api/v1/releases/shop.web.1/report", "text/html,*/*;q=0.8", "text/html; charset=utf-8", "html of shop.web.1 in "},
		{"/api/v1/experiments/runs/20261123T020000Z.kill.staging/report", "text/markdown", "text/markdown; charset=utf-8", "markdown of run 20261123T020000Z.kill.staging"},
		{"/api/v1/experiments/summary", "", "application/json", "json of 168h0m0s"},
		{"/api/v1/experiments/summary?since=12h&format=markdown", "", "text/markdown; charset=utf-8", "markdown of 12h0m0s"},
		{"/api/v1/experiments/summary?format=markdown&language=zh", "", "text/markdown; charset=utf-8", "zh markdown of 168h0m0s"},
	}
	for _, tt := range tests {
		got := h.ask(t, auth.Viewer, "GET", tt.path, "", "Accept", tt.accept, "Accept-Language", "")
		policies := got.header.Values("Content-Security-Policy")
		if got.code != http.StatusOK || got.text != tt.want || got.header.Get("Content-Type") != tt.kind || len(policies) != 1 || !strings.HasSuffix(policies[0], "; sandbox") {
			t.Errorf("%s: %d %q %v", tt.path, got.code, got.text, got.header)
		}
		if html := strings.HasPrefix(tt.kind, "text/html"); html != strings.Contains(policies[0], "style-src 'sha256-x'") {
			t.Errorf("%s: %s", tt.path, policies[0])
		}
	}
	for header, want := range map[string]string{"zh-CN,zh;q=0.9,en;q=0.8": "zh-CN json of 168h0m0s", "en;q=1,zh": "en json of 168h0m0s"} {
		if got := h.ask(t, auth.Viewer, "GET", "/api/v1/experiments/summary", "", "Accept-Language", header); got.text != want || got.header.Get("Vary") != "Accept, Accept-Language" {
			t.Errorf("%s: %q, %v", header, got.text, got.header)
		}
	}
	for path, want := range map[string]int{
		"/api/v1/experiments/summary?language=de": http.StatusUnprocessableEntity,
		"/api/v1/releases/nothing/report":         http.StatusNotFound, "/api/v1/experiments/runs/nothing/report": http.StatusNotFound,
		"/api/v1/experiments/summary?since=99d": http.StatusUnprocessableEntity, "/api/v1/experiments/summary?format=pdf": http.StatusUnprocessableEntity,
	} {
		if got := h.ask(t, auth.Viewer, "GET", path, ""); got.code != want || !strings.Contains(got.header.Get("Content-Type"), "problem+json") {
			t.Errorf("%s: %d %s", path, got.code, got.text)
		}
	}
	if got := h.ask(t, auth.Viewer, "GET", "/api/v1/experiments/summary", "", "Accept", "application/pdf"); got.code != http.StatusNotAcceptable {
		t.Errorf("a PDF: %d %s", got.code, got.text)
	}
}
