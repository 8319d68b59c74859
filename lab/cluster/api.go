package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seatrial/seatrial/lab/layout"
)

// api is the little of the Kubernetes API that booting a cluster needs. The
// lab stays free of client libraries, so that it builds in a second.
type api struct {
	base string
	http *http.Client
}

func newAPI(c layout.Cluster, dir string) (*api, error) {
	pki := filepath.Join(dir, "pki")
	ca, err := os.ReadFile(filepath.Join(pki, "ca.crt"))
	if err != nil {
		return nil, err
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(pki, "admin.crt"), filepath.Join(pki, "admin.key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the cluster's certificate authority holds no certificate")
	}
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}},
		DialContext:       (&net.Dialer{Timeout: time.Second}).DialContext,
		ForceAttemptHTTP2: true,
	}
	return &api{base: c.APIServer(), http: &http.Client{Transport: tr, Timeout: 15 * time.Second}}, nil
}

func (a *api) close() { a.http.CloseIdleConnections() }

// get reads path into v unless v is nil.
func (a *api) get(ctx context.Context, path string, v any) error {
	b, err := a.do(ctx, http.MethodGet, path, "", nil)
	if err != nil || v == nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// apply makes an object so, whether it exists or not.
func (a *api) apply(ctx context.Context, path string, object any) error {
	b, err := json.Marshal(object)
	if err != nil {
		return err
	}
	_, err = a.do(ctx, http.MethodPatch, path+"?fieldManager=lab&force=true", "application/apply-patch+yaml", b)
	return err
}

// create makes an object that should not exist yet; it reports whether it did.
func (a *api) create(ctx context.Context, path string, object any) (existed bool, err error) {
	b, err := json.Marshal(object)
	if err != nil {
		return false, err
	}
	_, err = a.do(ctx, http.MethodPost, path, "application/json", b)
	if s, ok := errors.AsType[*statusError](err); ok && s.code == http.StatusConflict {
		return true, nil
	}
	return false, err
}

type statusError struct {
	code int
	path string
	body string
}

func (e *statusError) Error() string { return fmt.Sprintf("%s: %d: %s", e.path, e.code, e.body) }

func (a *api) do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 32<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, &statusError{resp.StatusCode, path, message(b)}
	}
	return b, nil
}

// message takes the sentence out of the API's error object.
func message(b []byte) string {
	var s struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(b, &s) == nil && s.Message != "" {
		return s.Message
	}
	text := strings.TrimSpace(string(b))
	return text[:min(len(text), 300)]
}
