package alerts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

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
		{name: "too large", auth: "Bearer " + token, body: strings.Repeat(" ", 4<<20) + delivery, code: 413},
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

// real is an alert as a rule of a cluster's monitoring makes one.
func real(i int) alerts.Alert {
	labels := map[string]string{"alertname": "KubePodCrashLooping", "severity": "warning"}
	for _, name := range []string{"cluster", "container", "endpoint", "environment", "instance", "job", "namespace", "pod", "prometheus", "reason", "service", "uid"} {
		labels[name] = fmt.Sprintf("%s-of-a-usual-length-%06d", name, i)
	}
	text := strings.Repeat("Pod is in waiting state (reason: CrashLoopBackOff). ", 6)
	return alerts.Alert{Status: "firing", Labels: labels, Annotations: map[string]string{"summary": text[:100], "description": text, "runbook_url": "https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping"},
		StartsAt: time.Unix(1_000_000, 0).UTC(), GeneratorURL: "https://prometheus.example/graph?g0.expr=" + strings.Repeat("max_over_time%28kube_pod_container_status_waiting_reason", 6), Fingerprint: fmt.Sprintf("%016x", i)}
}

// In an outage everything fires: what is answered with 4xx is dropped for good.
func TestAThousandRealAlertsAreTakenAndWhatIsNotIsLogged(t *testing.T) {
	for name, c := range map[string]struct {
		alerts, truncated int
		code              int
		logged            string
	}{
		"as many as are allowed":        {1000, 0, 204, ""},
		"more":                          {1001, 0, 413, "1001 alerts, at most 1000"},
		"some that the sender left out": {3, 7, 204, "missing=7"},
	} {
		t.Run(name, func(t *testing.T) {
			list := make([]alerts.Alert, c.alerts)
			for i := range list {
				list[i] = real(i)
			}
			body, err := json.Marshal(map[string]any{"version": "4", "alerts": list, "truncatedAlerts": c.truncated})
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			kept := 0
			r, err := alerts.New(token, func(_ context.Context, list []alerts.Alert) error { kept = len(list); return nil }, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hooks/alertmanager", bytes.NewReader(body))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != c.code || (kept == c.alerts) != (c.code == 204) {
				t.Errorf("%d bytes: answered %d %s, kept %d", len(body), w.Code, w.Body, kept)
			}
			if (c.logged == "") != (log.Len() == 0) || !strings.Contains(log.String(), c.logged) {
				t.Errorf("logged %q, want %q", log.String(), c.logged)
			}
		})
	}
}

func TestAFingerprintIsWellFormed(t *testing.T) {
	list, _, err := alerts.Parse([]byte(delivery))
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
		list, _, err := alerts.Parse(body)
		for _, a := range list {
			if err == nil && (a.Fingerprint == "" || strings.ContainsAny(a.Fingerprint, "/.") || a.Status == "") {
				t.Errorf("alert %+v", a)
			}
		}
	})
}
