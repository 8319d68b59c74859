package analysis

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// The documents that are read.
const (
	APIVersion  = "argoproj.io/v1alpha1"
	Kind        = "AnalysisTemplate"
	KindCluster = "ClusterAnalysisTemplate"
)

const (
	defaultErrorLimit = 4
	minInterval       = time.Second
	again             = 10 * time.Second
	maxMetrics        = 50
)

// document has every field of an AnalysisTemplate, so that what is not supported can be
// told from what does not exist. Unsupported parts are read as any.
type document struct {
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace,omitempty"`
		Labels      map[string]string `json:"labels,omitempty"`
		Annotations map[string]string `json:"annotations,omitempty"`
	} `json:"metadata"`
	Spec struct {
		Args                 []argument `json:"args,omitempty"`
		Metrics              []metric   `json:"metrics"`
		DryRun               any        `json:"dryRun,omitempty"`
		MeasurementRetention any        `json:"measurementRetention,omitempty"` // all are kept
		Templates            any        `json:"templates,omitempty"`
	} `json:"spec"`
}

type argument struct {
	Name      string  `json:"name"`
	Value     *string `json:"value,omitempty"`
	ValueFrom any     `json:"valueFrom,omitempty"`
}

type metric struct {
	Name                    string         `json:"name"`
	Interval                string         `json:"interval,omitempty"`
	InitialDelay            string         `json:"initialDelay,omitempty"`
	Count                   any            `json:"count,omitempty"`
	SuccessCondition        string         `json:"successCondition,omitempty"`
	FailureCondition        string         `json:"failureCondition,omitempty"`
	FailureLimit            any            `json:"failureLimit,omitempty"`
	InconclusiveLimit       any            `json:"inconclusiveLimit,omitempty"`
	ConsecutiveErrorLimit   any            `json:"consecutiveErrorLimit,omitempty"`
	ConsecutiveSuccessLimit any            `json:"consecutiveSuccessLimit,omitempty"`
	Provider                map[string]any `json:"provider"`
}

// Is reports whether a document is one of these.
func Is(doc strict.Document) bool {
	return doc.APIVersion == APIVersion && (doc.Kind == Kind || doc.Kind == KindCluster)
}

// Parse reads one document; every problem carries file, line and column.
func Parse(doc strict.Document) (Template, error) {
	var d document
	if err := doc.Decode(&d); err != nil {
		return Template{}, err
	}
	if issues := doc.Missing(&d); len(issues) > 0 {
		return Template{}, strict.Join(doc.Problems(issues...))
	}
	p := parser{t: Template{Name: d.Metadata.Name}}
	if !release.ValidName(d.Metadata.Name) {
		p.refuse("want lower-case letters, digits and dashes, at most 63", "metadata", "name")
	}
	p.unsupported(d.Spec.DryRun, "a metric that decides nothing: leave it out", "spec", "dryRun")
	p.unsupported(d.Spec.Templates, "name each template in the environment's spec.slo.analysis", "spec", "templates")
	p.args(d.Spec.Args)
	if n := len(d.Spec.Metrics); n == 0 || n > maxMetrics {
		p.refuse(fmt.Sprintf("want 1 to %d metrics", maxMetrics), "spec", "metrics")
	}
	for i, m := range d.Spec.Metrics {
		p.metric(m, "spec", "metrics", i)
	}
	if len(p.issues) > 0 {
		return Template{}, strict.Join(doc.Problems(p.issues...))
	}
	return p.t, nil
}

type parser struct {
	t      Template
	issues []strict.Issue
}

func (p *parser) refuse(message string, path ...any) {
	p.issues = append(p.issues, strict.At(message, path...))
}

func (p *parser) unsupported(part any, next string, path ...any) {
	if part != nil {
		p.refuse("not supported: "+next, path...)
	}
}

func (p *parser) args(args []argument) {
	for i, a := range args {
		path := []any{"spec", "args", i}
		p.unsupported(a.ValueFrom, "write a value, or give one in the environment's spec.slo.analysis", append(path, "valueFrom")...)
		if !argName.MatchString(a.Name) {
			p.refuse("want letters, digits, dashes and underscores", append(path, "name")...)
		}
		if slices.ContainsFunc(p.t.Args, func(o Arg) bool { return o.Name == a.Name }) {
			p.refuse(fmt.Sprintf("%q is listed twice", a.Name), append(path, "name")...)
		}
		p.t.Args = append(p.t.Args, Arg{Name: a.Name, Value: a.Value})
	}
}

func (p *parser) metric(in metric, path ...any) {
	at := func(steps ...any) []any { return append(path[:len(path):len(path)], steps...) }
	m := Metric{Name: in.Name, Success: in.SuccessCondition, Failure: in.FailureCondition}
	if in.Name == "" || slices.ContainsFunc(p.t.Metrics, func(o Metric) bool { return o.Name == in.Name }) {
		p.refuse("want a name of its own", at("name")...)
	}
	m.Interval = p.duration(in.Interval, minInterval, at("interval")...)
	m.InitialDelay = p.duration(in.InitialDelay, 0, at("initialDelay")...)
	m.Count = p.number(in.Count, 0, 0, at("count")...)
	m.FailureLimit = p.number(in.FailureLimit, 0, -1, at("failureLimit")...)
	m.InconclusiveLimit = p.number(in.InconclusiveLimit, 0, -1, at("inconclusiveLimit")...)
	m.ErrorLimit = p.number(in.ConsecutiveErrorLimit, defaultErrorLimit, 0, at("consecutiveErrorLimit")...)
	p.unsupported(in.ConsecutiveSuccessLimit, "set count, and a failureLimit", at("consecutiveSuccessLimit")...)
	switch {
	case m.Count > maxMoments:
		p.refuse(fmt.Sprintf("want at most %d", maxMoments), at("count")...)
	case m.Count > 1 && m.Interval == 0:
		p.refuse("is missing: with a count above 1 it says how far apart they are", at("interval")...)
	}
	if m.Interval == 0 { // there is one answer; while it is missing it is asked for again
		m.Count, m.Interval = 1, again
	}
	if m.Success == "" && m.Failure == "" {
		p.refuse("want a successCondition or a failureCondition: without one every answer would pass", path...)
	}
	for field, condition := range map[string]string{"successCondition": m.Success, "failureCondition": m.Failure} {
		if condition == "" {
			continue
		}
		p.known(condition, at(field)...)
		if _, err := compile(reference.ReplaceAllString(condition, "0")); err != nil {
			p.refuse(err.Error(), at(field)...)
		}
	}
	m.Query = p.provider(in.Provider, at("provider")...)
	p.t.Metrics = append(p.t.Metrics, m)
}

// provider is the query of the one provider that is supported.
func (p *parser) provider(in map[string]any, path ...any) string {
	at := func(steps ...any) []any { return append(path[:len(path):len(path)], steps...) }
	for name := range in {
		if name != "prometheus" {
			p.refuse(fmt.Sprintf("not supported: %s; only prometheus is: let it scrape what you ask there", name), at(name)...)
		}
	}
	prometheus, ok := in["prometheus"].(map[string]any)
	if !ok {
		if len(in) == 0 || in["prometheus"] != nil {
			p.refuse("want prometheus: {query: ...}", path...)
		}
		return ""
	}
	for name, value := range prometheus {
		switch name {
		case "query", "address", "timeout": // asked is the server's own Prometheus, with its own limit
		case "insecure":
			if value != false {
				p.refuse("not supported: set prometheus.ca in the server's settings", at("prometheus", name)...)
			}
		case "headers", "authentication":
			p.refuse("not supported: a login belongs into the server's settings, see prometheus there", at("prometheus", name)...)
		case "rangeQuery":
			p.refuse("not supported: aggregate in the query, with avg_over_time() for example", at("prometheus", name)...)
		default:
			p.refuse("unknown field"+strict.Suggest(name, []string{"query", "address", "timeout"}), at("prometheus", name)...)
		}
	}
	query, _ := prometheus["query"].(string)
	if query == "" {
		p.refuse("want a query", at("prometheus", "query")...)
	}
	p.known(query, at("prometheus", "query")...)
	return query
}

func (p *parser) duration(text string, least time.Duration, path ...any) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < least || d > 24*time.Hour {
		p.refuse(fmt.Sprintf("%q: want a time like 30s or 5m, at least %s and at most 24h", text, least), path...)
		return 0
	}
	return d
}

// number reads what Argo writes as a number or as text.
func (p *parser) number(v any, usual, least int, path ...any) int {
	if v == nil {
		return usual
	}
	n, err := strconv.Atoi(fmt.Sprint(v))
	if err != nil || n < least {
		p.refuse(fmt.Sprintf("%v: want a number, at least %d", v, least), path...)
		return usual
	}
	return n
}

var (
	argName   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
	reference = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)
)

// known refuses what is to be filled in and is no argument.
func (p *parser) known(text string, path ...any) {
	for _, m := range reference.FindAllStringSubmatch(text, -1) {
		name, ok := argOf(m[1])
		if !ok || !slices.ContainsFunc(p.t.Args, func(a Arg) bool { return a.Name == name }) {
			p.refuse(fmt.Sprintf("{{%s}} is no argument of this template: want {{args.NAME}}, with NAME in spec.args", m[1]), path...)
		}
	}
}
