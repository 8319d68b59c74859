package alerts_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/web/hooks/alerts"
)

const token = "alert-token-0123456789"

// delivery is one as Alertmanager 0.28 posts it.
const delivery = `{"receiver":"seatrial","status":"firing","alerts":[
{"status":"firing","labels":{"alertname":"HighErrors","service":"shop/web","severity":"critical"},"annotations":{"summary":"5xx over 2 %"},"startsAt":"2026-11-26T22:00:00.5Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus/graph?g0.expr=x","fingerprint":"d9bc3a5a0ea0a4f5"},
{"status":"resolved","labels":{"alertname":"Slow"},"annotations":{},"startsAt":"2026-11-26T21:00:00Z","endsAt":"2026-11-26T22:00:00Z","generatorURL":"","fingerprint":"../../x"}],
"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://alertmanager","version":"4","groupKey":"{}:{}","truncatedAlerts":0,"notificationReason":"new"}`

func TestADeliveryIsTakenWithItsTokenOnly(t *testing.T) {
	many := `{"version":"4","alerts":[` + strings.Repeat(`{"status":"firing"},`, 1000) + `{"status":"firing"}]}`
	for _, c := range []struct {
		name, auth, kind, body string
		broken                 error
		code, kept             int
	}{
		{name: "right", auth: "Bearer " + token, body: delivery, code: 204, kept: 2},
		{name: "nothing to tell", auth: "Bearer " + token, body: `{"version":"4","alerts":[]}`, code: 204},
		{name: "no token", body: delivery, code: 401},
		{name: "a wrong token", auth: "Bearer " + token + "x", body: delivery, code: 401},
		{name: "the token as a password", auth: "Basic " + token, body: delivery, code: 401},
		{name: "a form", auth: "Bearer " + token, kind: "text/plain", body: delivery, code: 415},
		{name: "no JSON", auth: "Bearer " + token, body: "{", code: 400},
		{name: "another version", auth: "Bearer " + token, body: `{"version":"3"}`, code: 400},
		{name: "a state nobody knows", auth: "Bearer " + token, body: `{"version":"4","alerts":[{"status":"odd"}]}`, code: 400},
		{name: "too many", auth: "Bearer " + token, body: many, code: 413},
		{name: "too large", auth: "Bearer " + token, body: strings.Repeat(" ", 1<<20) + delivery, code: 413},
		{name: "a store that is down is asked again", auth: "Bearer " + token, body: delivery, broken: errors.New("disk full"), code: 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			var kept []alerts.Alert
			r, err := alerts.New(token, func(_ context.Context, list []alerts.Alert) error {
				if c.broken == nil {
					kept = list
				}
				return c.broken
			}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/alertmanager", strings.NewReader(c.body))
			req.Header.Set("Content-Type", "application/json")
			if c.kind != "" {
				req.Header.Set("Content-Type", c.kind)
			}
			if c.auth != "" {
				req.Header.Set("Authorization", c.auth)
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != c.code || len(kept) != c.kept {
				t.Errorf("answered %d %s, kept %d", w.Code, w.Body, len(kept))
			}
			if (w.Code == 503) != (w.Header().Get("Retry-After") != "") || strings.Contains(w.Body.String(), token) {
				t.Errorf("headers %v, body %s", w.Header(), w.Body)
			}
		})
	}
}

func TestAFingerprintIsWellFormed(t *testing.T) {
	list, err := alerts.Parse([]byte(delivery))
	if err != nil {
		t.Fatal(err)
	}
	if list[0].Fingerprint != "d9bc3a5a0ea0a4f5" || len(list[1].Fingerprint) != 16 || strings.Contains(list[1].Fingerprint, ".") {
		t.Errorf("fingerprints %q %q", list[0].Fingerprint, list[1].Fingerprint)
	}
}

func TestNewRefusesATokenThatCouldBeGuessed(t *testing.T) {
	take := func(context.Context, []alerts.Alert) error { return nil }
	for _, token := range []secret.Text{"", "short"} {
		if _, err := alerts.New(token, take, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%d characters are enough", len(token))
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(delivery))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := alerts.Parse(body)
		for _, a := range list {
			if err == nil && (a.Fingerprint == "" || strings.ContainsAny(a.Fingerprint, "/.") || a.Status == "") {
				t.Errorf("alert %+v", a)
			}
		}
	})
}
