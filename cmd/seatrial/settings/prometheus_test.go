package settings_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/internal/hint"
)

func TestPrometheusIsAskedWithWhatTheEnvironmentHas(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cr3t" || r.Header.Get("X-Scope-OrgID") != "shop" || r.Header.Get("X-Api-Key") != "k3y" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[]}}`))
	}))
	t.Cleanup(server.Close)
	s := settings.Settings{Prometheus: settings.Prometheus{URL: server.URL,
		Headers: map[string]string{"X-Scope-OrgID": "shop"}, SecretHeaders: map[string]string{"X-Api-Key": "prom-key"}}}
	if _, err := s.OpenPrometheus(); err == nil || !strings.Contains(err.Error(), "there is no secret prom-key") || hint.Of(err) == "" {
		t.Errorf("without the secret: %v", err)
	}
	t.Setenv("SEATRIAL_SECRET_PROM_KEY", "k3y")
	ask := func() error {
		p, err := s.OpenPrometheus()
		if err != nil {
			return err
		}
		_, err = p.Ask(t.Context(), "up", "up", time.Unix(1, 0))
		return err
	}
	if err := ask(); err == nil || !strings.Contains(hint.Of(err), "SEATRIAL_PROMETHEUS_TOKEN") {
		t.Errorf("without the token: %v, hint %q", err, hint.Of(err))
	}
	t.Setenv("SEATRIAL_PROMETHEUS_TOKEN", "s3cr3t")
	if err := ask(); err != nil {
		t.Errorf("with everything: %v", err)
	}
	s.Prometheus.CA = filepath.Join(t.TempDir(), "ca.pem")
	if err := ask(); err == nil || !strings.Contains(err.Error(), "prometheus.ca") {
		t.Errorf("without the CA's file: %v", err)
	}
	if err := os.WriteFile(s.Prometheus.CA, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(); err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("with a CA that is none: %v", err)
	}
}
