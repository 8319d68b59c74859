// Package source asks a Prometheus, or whatever speaks its query API: with a login, within
// a time and a size, and equal questions at about the same time once.
//
// Start at Open, then Prometheus.Ask. It never follows a redirect to another server, and never
// tells a secret in an error.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

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

// ErrQuery is in the chain of every error that says the question is wrong: Prometheus
// refuses it, or what it answers is not one number.
var ErrQuery = errors.New("the query has to be corrected")

var errTooLarge = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)

// Prometheus asks one Prometheus server. Equal questions within a few seconds are asked
// once, whoever asks.
type Prometheus struct {
	address string // without a password
	api     promv1.API
	shared  *shared
}

// Address is where it is, without a password.
func (p *Prometheus) Address() string { return p.address }

// Ask evaluates one expression at one moment.
func (p *Prometheus) Ask(ctx context.Context, name, expr string, at time.Time) (release.Query, error) {
	return p.answer(ctx, release.Query{Name: name, Expr: expr, At: at.UTC()}, question{expr: expr, from: at.UnixNano(), at: at.UnixNano()},
		func(ctx context.Context) (model.Value, promv1.Warnings, error) {
			return p.api.Query(ctx, expr, at, promv1.WithTimeout(queryTimeout))
		})
}

// AskRange evaluates one expression at from and every step up to to.
func (p *Prometheus) AskRange(ctx context.Context, name, expr string, from, to time.Time, every time.Duration) (release.Query, error) {
	return p.answer(ctx, release.Query{Name: name, Expr: expr, At: to.UTC()}, question{expr: expr, from: from.UnixNano(), at: to.UnixNano(), every: every},
		func(ctx context.Context) (model.Value, promv1.Warnings, error) {
			return p.api.QueryRange(ctx, expr, promv1.Range{Start: from, End: to, Step: every}, promv1.WithTimeout(queryTimeout))
		})
}

func (p *Prometheus) answer(ctx context.Context, q release.Query, key question, fetch func(context.Context) (model.Value, promv1.Warnings, error)) (release.Query, error) {
	got, err := p.shared.ask(ctx, key, func(ctx context.Context) (release.Query, error) {
		ctx, cancel := context.WithTimeout(ctx, queryTimeout)
		defer cancel()
		value, warnings, err := fetch(ctx)
		if err != nil {
			return q, p.explain(q.Expr, err)
		}
		q.Warnings = warnings
		if value.Type() == model.ValMatrix && key.every == 0 { // of a moment's question: many values are not one
			err = errors.New("the answer is a matrix, not a number")
		} else {
			q.Samples, err = samples(value)
		}
		if err != nil {
			return q, wrong(q.Expr, err.Error(), "an SLO's query has to answer one number: aggregate it with sum()")
		}
		return q, nil
	})
	got.Name = q.Name
	return got, err
}

// Ready asks whether the server answers at all, for doctor.
func (p *Prometheus) Ready(ctx context.Context) error {
	_, err := p.Ask(ctx, "ready", "vector(1)", time.Now())
	return err
}

// Began is when the server started; false when it does not tell, as some that only speak
// the query language do not.
func (p *Prometheus) Began(ctx context.Context) (time.Time, bool) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	info, err := p.api.Runtimeinfo(ctx)
	return info.StartTime, err == nil && !info.StartTime.IsZero()
}

func (p *Prometheus) explain(expr string, err error) error {
	if errors.Is(err, errTooLarge) {
		return wrong(expr, err.Error(), "an SLO's query has to answer one number: aggregate it with sum()")
	}
	if e, ok := errors.AsType[*promv1.Error](err); ok {
		switch e.Type {
		case promv1.ErrBadData, promv1.ErrExec:
			return wrong(expr, "it refuses the query: "+e.Msg, "correct the query in the SLO's document")
		}
	}
	if strings.Contains(err.Error(), `unexpected value type "string"`) { // the client reads none
		return wrong(expr, "the answer is a string, not a number", "an SLO's query has to answer one number: aggregate it with sum()")
	}
	next := "nothing is promoted without measurements; start Prometheus or correct its address in the server's settings"
	if text := err.Error(); strings.Contains(text, " 401") || strings.Contains(text, " 403") {
		next = "it wants a login: SEATRIAL_PROMETHEUS_TOKEN, or prometheus.user and SEATRIAL_PROMETHEUS_PASSWORD"
	}
	return hint.Add(&unreachable{address: p.address, cause: err}, next)
}

func wrong(expr, problem, next string) error {
	return hint.Add(&badQuery{fmt.Sprintf("ask Prometheus %s: %s", expr, problem)}, next)
}

// badQuery is a question that will not be answered better the next time.
type badQuery struct{ text string }

func (b *badQuery) Error() string { return b.text }
func (b *badQuery) Unwrap() error { return ErrQuery }

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
	if errors.Is(cause, context.DeadlineExceeded) {
		return fmt.Sprintf("Prometheus at %s does not answer in time", u.address)
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
	case model.Matrix:
		var all []release.Sample
		if len(v) > maxSamples {
			return nil, fmt.Errorf("%d series in the answer, at most %d are read", len(v), maxSamples)
		}
		for _, series := range v {
			for _, s := range series.Values {
				all = append(all, release.Sample{Labels: labels(series.Metric), Time: s.Timestamp.Time().UTC(), Value: float64(s.Value)})
			}
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
		return 0, errTooLarge
	}
	return n, err
}
