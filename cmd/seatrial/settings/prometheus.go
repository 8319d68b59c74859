package settings

import (
	"fmt"
	"maps"
	"net/textproto"
	"os"
	"slices"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/slo/source"
)

// Prometheus is where SLOs are asked for: Prometheus, or anything else that speaks its
// query API. A bearer token is in SEATRIAL_PROMETHEUS_TOKEN, a password in
// SEATRIAL_PROMETHEUS_PASSWORD.
type Prometheus struct {
	URL           string            `json:"url"`
	CA            string            `json:"ca,omitempty"`            // file with PEM certificates; default: the system's
	User          string            `json:"user,omitempty"`          // whose password it is
	Headers       map[string]string `json:"headers,omitempty"`       // sent with every query: X-Scope-OrgID
	SecretHeaders map[string]string `json:"secretHeaders,omitempty"` // the same, named like a channel's secret: SEATRIAL_SECRET_<NAME>
}

func (p Prometheus) validate() error {
	for field, headers := range map[string]map[string]string{"headers": p.Headers, "secretHeaders": p.SecretHeaders} {
		for name := range headers {
			if textproto.CanonicalMIMEHeaderKey(name) == "Authorization" {
				return hint.Add(fmt.Errorf("%s: Authorization is a secret", field), "set SEATRIAL_PROMETHEUS_TOKEN, or user and SEATRIAL_PROMETHEUS_PASSWORD")
			}
			if _, both := p.Headers[name]; both && field == "secretHeaders" {
				return fmt.Errorf("%s: %s is in headers, too", field, name)
			}
		}
	}
	return nil
}

// OpenPrometheus is the client that the settings describe, with the secrets of the environment.
func (s Settings) OpenPrometheus() (*source.Prometheus, error) {
	p := s.Prometheus
	a := source.Access{URL: p.URL, User: p.User, Token: Env("SEATRIAL_PROMETHEUS_TOKEN"), Password: Env("SEATRIAL_PROMETHEUS_PASSWORD"), Header: map[string]secret.Text{}}
	for name, value := range p.Headers {
		a.Header[name] = secret.Text(value)
	}
	for _, name := range slices.Sorted(maps.Keys(p.SecretHeaders)) {
		value := Named(p.SecretHeaders[name])
		if value == "" {
			return nil, hint.Add(fmt.Errorf("prometheus.secretHeaders: %s: there is no secret %s", name, p.SecretHeaders[name]), "secrets come from the environment: docs/operate.md")
		}
		a.Header[name] = value
	}
	if p.CA != "" {
		var err error
		if a.CA, err = os.ReadFile(p.CA); err != nil {
			return nil, hint.Add(fmt.Errorf("prometheus.ca: %w", err), "name a file with PEM certificates")
		}
	}
	return source.Open(a)
}
