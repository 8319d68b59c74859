package slo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/release"
)

const (
	queryTimeout = 10 * time.Second
	maxAnswer    = 1 << 20 // bytes of one answer
	maxSamples   = 20      // of one answer: an SLO asks for one number
)

// ErrUnreachable is in the chain of every error that says Prometheus did not answer, as
// opposed to refusing a query.
var ErrUnreachable = errors.New("Prometheus does not answer")

// Prometheus asks one Prometheus server.
type Prometheus struct {
	address string // without a password
	api     promv1.API
}

// NewPrometheus is a client of the server at address. It does not connect yet.
func NewPrometheus(address string) (*Prometheus, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, hint.Add(fmt.Errorf("prometheus address %q: want http://host:port", address), "set prometheus in the server's settings")
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: queryTimeout,
	}
	client, err := api.NewClient(api.Config{Address: address, RoundTripper: bounded{transport}})
	if err != nil {
		return nil, fmt.Errorf("prometheus at %s: %w", u.Redacted(), err)
	}
	return &Prometheus{address: u.Redacted(), api: promv1.NewAPI(client)}, nil
}

// Ask evaluates one expression at one moment.
func (p *Prometheus) Ask(ctx context.Context, name, expr string, at time.Time) (release.Query, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	q := release.Query{Name: name, Expr: expr, At: at.UTC()}
	value, warnings, err := p.api.Query(ctx, expr, at, promv1.WithTimeout(queryTimeout))
	if err != nil {
		return q, p.explain(expr, err)
	}
	q.Warnings = warnings
	q.Samples, err = samples(value)
	if err != nil {
		return q, hint.Add(fmt.Errorf("ask Prometheus %s: %w", expr, err), "an SLO's query has to answer one number: aggregate it with sum()")
	}
	return q, nil
}

// Ready asks whether the server answers at all, for doctor.
func (p *Prometheus) Ready(ctx context.Context) error {
	_, err := p.Ask(ctx, "ready", "vector(1)", time.Now())
	return err
}

// began is when the server started; false when it does not tell, as some that only speak
// the query language do not.
func (p *Prometheus) began(ctx context.Context) (time.Time, bool) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	info, err := p.api.Runtimeinfo(ctx)
	return info.StartTime, err == nil && !info.StartTime.IsZero()
}

func (p *Prometheus) explain(expr string, err error) error {
	if e, ok := errors.AsType[*promv1.Error](err); ok {
		switch e.Type {
		case promv1.ErrBadData, promv1.ErrExec:
			return hint.Add(fmt.Errorf("ask Prometheus %s: it refuses the query: %s", expr, e.Msg), "correct the query in the SLO's document")
		}
	}
	return hint.Add(&unreachable{address: p.address, cause: err},
		"nothing is promoted without measurements; start Prometheus or correct its address in the server's settings")
}

// unreachable is "could not ask".
type unreachable struct {
	address string
	cause   error
}

func (u *unreachable) Error() string {
	cause := u.cause
	if e, ok := errors.AsType[*url.Error](cause); ok {
		cause = e.Err // without the method and the URL: both are said already
	}
	return fmt.Sprintf("Prometheus at %s does not answer: %v", u.address, cause)
}

func (u *unreachable) Unwrap() []error { return []error{ErrUnreachable, u.cause} }

func samples(value model.Value) ([]release.Sample, error) {
	switch v := value.(type) {
	case model.Vector:
		if len(v) > maxSamples {
			return nil, fmt.Errorf("%d samples in the answer, at most %d are read", len(v), maxSamples)
		}
		all := make([]release.Sample, 0, len(v))
		for _, s := range v {
			if s.Histogram != nil {
				return nil, errors.New("the answer is a histogram, not a number")
			}
			all = append(all, release.Sample{Labels: labels(s.Metric), Time: s.Timestamp.Time().UTC(), Value: float64(s.Value)})
		}
		return all, nil
	case *model.Scalar:
		return []release.Sample{{Time: v.Timestamp.Time().UTC(), Value: float64(v.Value)}}, nil
	}
	return nil, fmt.Errorf("the answer is a %s, not a number", value.Type())
}

func labels(m model.Metric) map[string]string {
	if len(m) == 0 {
		return nil
	}
	all := make(map[string]string, len(m))
	for k, v := range m {
		all[string(k)] = string(v)
	}
	return all
}

// bounded refuses answers that are larger than maxAnswer instead of reading them.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &limited{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

type limited struct {
	io.ReadCloser
	left int64 // bytes
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	l.left -= int64(n)
	if l.left < 0 {
		return 0, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	return n, err
}
