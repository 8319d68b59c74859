package source

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

// Access is where a Prometheus is, or anything that speaks its query API, and how one
// gets in.
type Access struct {
	URL      string                 // http://host:port, with a path where it has one
	Token    secret.Text            // sent as a bearer token
	User     string                 // or with Password
	Password secret.Text            //
	Header   map[string]secret.Text // sent as they are: X-Scope-OrgID
	CA       []byte                 // PEM; default: the system's
}

// New is a client of the server at address that asks for no login.
func New(address string) (*Prometheus, error) { return Open(Access{URL: address}) }

// Open is a client of a server. It does not connect yet.
func Open(a Access) (*Prometheus, error) {
	u, err := a.check()
	if err != nil {
		return nil, hint.Add(err, "set prometheus in the server's settings")
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: queryTimeout,
		ForceAttemptHTTP2:     true,
	}
	if len(a.CA) > 0 {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(a.CA) {
			return nil, hint.Add(fmt.Errorf("prometheus at %s: its CA file holds no certificate", u.Redacted()), "prometheus.ca names a file with PEM certificates")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	client, err := api.NewClient(api.Config{Address: a.URL, Client: &http.Client{
		Transport:     bounded{a.login(transport)},
		CheckRedirect: sameServer,
	}})
	if err != nil {
		return nil, fmt.Errorf("prometheus at %s: %w", u.Redacted(), err)
	}
	return &Prometheus{address: u.Redacted(), api: promv1.NewAPI(client), shared: newShared(time.Now)}, nil
}

// check never prints the address: a password may be in it.
func (a Access) check() (*url.URL, error) {
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("prometheus address: want http://host:port")
	}
	switch {
	case u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("prometheus address at %s: want no query in it; a token belongs into SEATRIAL_PROMETHEUS_TOKEN", u.Host)
	case a.Token != "" && (a.User != "" || u.User != nil):
		return nil, fmt.Errorf("prometheus at %s: there is a token and a user; want one of them", u.Host)
	case a.Password != "" && a.User == "":
		return nil, fmt.Errorf("prometheus at %s: there is a password without a user", u.Host)
	case len(a.CA) > 0 && u.Scheme != "https":
		return nil, fmt.Errorf("prometheus at %s: there is a CA, and the address is not https", u.Host)
	}
	return u, nil
}

// sameServer follows no redirect to where the login would be told to somebody else.
func sameServer(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme || len(via) > 3 {
		return fmt.Errorf("it redirects to %s://%s", req.URL.Scheme, req.URL.Host)
	}
	return nil
}

// login adds what lets a request in.
func (a Access) login(next http.RoundTripper) http.RoundTripper {
	if a.Token == "" && a.User == "" && len(a.Header) == 0 {
		return next
	}
	return loggedIn{a, next}
}

type loggedIn struct {
	Access
	next http.RoundTripper
}

func (l loggedIn) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	for _, name := range slices.Sorted(maps.Keys(l.Header)) {
		req.Header.Set(name, string(l.Header[name]))
	}
	switch {
	case l.Token != "":
		req.Header.Set("Authorization", "Bearer "+string(l.Token))
	case l.User != "":
		req.SetBasicAuth(l.User, string(l.Password))
	}
	return l.next.RoundTrip(req)
}
