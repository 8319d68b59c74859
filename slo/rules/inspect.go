package rules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/slo/burn"
)

// Finding is something wrong with one rule of an SLO, and what to do about it.
type Finding struct {
	SLO     string `json:"slo"`
	Rule    string `json:"rule"`  // what it records, or its alert
	Group   string `json:"group"` // names the cluster, too
	Problem string `json:"problem"`
	Next    string `json:"next"`
}

const (
	answerTimeout = 20 * time.Second
	maxAnswer     = 64 << 20 // bytes: the rules of thousands of SLOs
	lateRounds    = 4        // intervals without an evaluation are too many
)

// Inspect asks the Prometheus at address for the rules of the sets and for what they have
// recorded. An error says that it could not be asked.
func Inspect(ctx context.Context, address string, sets []Set, now time.Time) ([]Finding, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, hint.Add(errors.New("the address of Prometheus has to be http://host:port"), "give it with --prometheus")
	}
	client, err := api.NewClient(api.Config{Address: address, RoundTripper: bounded{http.DefaultTransport}})
	if err != nil {
		return nil, fmt.Errorf("prometheus at %s: %w", u.Redacted(), err)
	}
	i := inspector{api: promv1.NewAPI(client), now: now, forms: map[string]string{}}
	if err := i.read(ctx); err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL: it may hold a password
		}
		return nil, hint.Add(fmt.Errorf("ask Prometheus at %s: %w", u.Redacted(), err), "start Prometheus or correct its address")
	}
	var found []Finding
	for _, s := range sets {
		for _, g := range s.Groups {
			for _, r := range g.Rules {
				problem, next, err := i.examine(ctx, g, r)
				if err != nil {
					return nil, fmt.Errorf("ask Prometheus at %s of %s: %w", u.Redacted(), r.Name(), err)
				}
				if problem != "" {
					found = append(found, Finding{SLO: s.SLO, Rule: r.Name(), Group: g.Name, Problem: problem, Next: next})
				}
			}
		}
	}
	return found, nil
}

// loaded is a rule as Prometheus has it.
type loaded struct {
	query, health, lastError string
	labels                   model.LabelSet
	evaluated                time.Time
	interval                 time.Duration
}

type inspector struct {
	api   promv1.API
	now   time.Time
	rules map[string][]loaded // by name and labels
	data  map[string]bool     // by name and labels: the series has a sample now
	forms map[string]string   // expressions as Prometheus writes them
}

// read asks for everything at once: one question for rules and one for series.
func (i *inspector) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	all, err := i.api.Rules(ctx, nil)
	if err != nil {
		return err
	}
	i.rules, i.data = map[string][]loaded{}, map[string]bool{}
	for _, g := range all.Groups {
		for _, r := range g.Rules {
			name, l := of(r)
			l.interval = time.Duration(g.Interval * float64(time.Second))
			key := keyOf(name, func(label string) string { return string(l.labels[model.LabelName(label)]) })
			i.rules[key] = append(i.rules[key], l)
		}
	}
	value, _, err := i.api.Query(ctx, `{__name__=~"`+RatioPrefix+`.*|`+Remaining+`",slo!=""}`, i.now)
	if err != nil {
		return err
	}
	series, ok := value.(model.Vector)
	if !ok {
		return fmt.Errorf("it answers with a %s to the recorded series", value.Type())
	}
	for _, s := range series {
		i.data[keyOf(string(s.Metric[model.MetricNameLabel]), func(l string) string { return string(s.Metric[model.LabelName(l)]) })] = true
	}
	return nil
}

func of(rule any) (string, loaded) {
	switch r := rule.(type) {
	case promv1.RecordingRule:
		return r.Name, loaded{query: r.Query, health: string(r.Health), lastError: r.LastError, labels: r.Labels, evaluated: r.LastEvaluation}
	case promv1.AlertingRule:
		return r.Name, loaded{query: r.Query, health: string(r.Health), lastError: r.LastError, labels: r.Labels, evaluated: r.LastEvaluation}
	}
	return "", loaded{}
}

// keyOf tells rules apart: an SLO has one of a name on a cluster, or one of a severity.
func keyOf(name string, label func(string) string) string {
	return strings.Join([]string{name, label("slo"), label("service"), label("cluster"), label("severity")}, "\x00")
}

func (r Rule) key() string {
	return keyOf(r.Name(), func(label string) string {
		if i := slices.IndexFunc(r.Labels, func(p Pair) bool { return p.Name == label }); i >= 0 {
			return r.Labels[i].Value
		}
		return ""
	})
}

const again = "load what seatrial slo rules prints now, and reload Prometheus"

// examine says what is wrong with one rule, the worst first; nothing when all is well.
func (i *inspector) examine(ctx context.Context, g Group, r Rule) (problem, next string, err error) {
	have := i.rules[r.key()]
	if len(have) == 0 {
		return "it is not loaded", again, nil
	}
	if len(have) > 1 {
		return fmt.Sprintf("it is loaded %d times", len(have)), "remove the older file of rules, or the other PrometheusRule", nil
	}
	l := have[0]
	same, err := i.same(ctx, l.query, r.Expr)
	if err != nil {
		return "", "", err
	}
	late := i.now.Sub(l.evaluated)
	switch {
	case !same:
		return "Prometheus has another expression", again, nil
	case l.interval != g.Interval:
		return fmt.Sprintf("it is evaluated every %v, not every %v", l.interval, g.Interval), again, nil
	case l.health == string(promv1.RuleHealthBad):
		return "its last evaluation failed: " + l.lastError, "correct the query in the SLO's document; the error is Prometheus's", nil
	case l.evaluated.IsZero() || l.health == string(promv1.RuleHealthUnknown):
		return "it was never evaluated", "wait for " + burn.Span(g.Interval) + "; if it stays so, look at Prometheus's log", nil
	case late > lateRounds*g.Interval:
		return fmt.Sprintf("it was last evaluated %v ago", late.Round(time.Second)), "Prometheus is overloaded or has stopped: look at prometheus_rule_group_iterations_missed_total, and compare the clocks", nil
	case r.Record != "" && !i.data[r.key()]:
		return "it returns no data", "ask Prometheus for the SLO's total query: the service has no traffic there, or its labels are others", nil
	}
	return "", "", nil
}

// same reports whether two texts are one expression. Prometheus writes an expression in its
// own form, so it is asked for that of ours when the texts differ.
func (i *inspector) same(ctx context.Context, theirs, ours string) (bool, error) {
	if theirs == ours {
		return true, nil
	}
	a, err := i.form(ctx, theirs)
	if err != nil {
		return false, err
	}
	b, err := i.form(ctx, ours)
	return a == b, err
}

func (i *inspector) form(ctx context.Context, expr string) (string, error) {
	if f, ok := i.forms[expr]; ok {
		return f, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	f, err := i.api.FormatQuery(ctx, expr)
	if err == nil {
		i.forms[expr] = f
	}
	return f, err
}

// bounded reads no more than maxAnswer of an answer: the rest makes it unreadable.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	return resp, nil
}
