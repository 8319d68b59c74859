package openslo

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// document is the whole shape of an OpenSLO SLO, so that what is not supported can be
// told from what does not exist. Unsupported parts are read as any.
type document struct {
	Metadata metadata `json:"metadata"`
	Spec     spec     `json:"spec"`
}

type metadata struct {
	Name        string            `json:"name"`
	DisplayName string            `json:"displayName,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type spec struct {
	Description     string       `json:"description,omitempty"`
	Service         string       `json:"service,omitempty"`
	Indicator       *indicator   `json:"indicator,omitempty"`
	IndicatorRef    string       `json:"indicatorRef,omitempty"`
	TimeWindow      []timeWindow `json:"timeWindow"`
	BudgetingMethod string       `json:"budgetingMethod"`
	Objectives      []objective  `json:"objectives"`
	AlertPolicies   any          `json:"alertPolicies,omitempty"`
}

type indicator struct {
	Metadata *metadata     `json:"metadata,omitempty"`
	Spec     indicatorSpec `json:"spec"`
}

type indicatorSpec struct {
	Description     string       `json:"description,omitempty"`
	RatioMetric     *ratioMetric `json:"ratioMetric,omitempty"`
	ThresholdMetric any          `json:"thresholdMetric,omitempty"`
}

type ratioMetric struct {
	Counter bool    `json:"counter"`
	Good    *metric `json:"good,omitempty"`
	Bad     *metric `json:"bad,omitempty"`
	Total   *metric `json:"total,omitempty"`
	RawType any     `json:"rawType,omitempty"`
	Raw     any     `json:"raw,omitempty"`
}

type metric struct {
	MetricSource metricSource `json:"metricSource"`
}

type metricSource struct {
	MetricSourceRef any        `json:"metricSourceRef,omitempty"`
	Type            string     `json:"type"`
	Spec            metricSpec `json:"spec"`
}

type metricSpec struct {
	Query string `json:"query"`
}

type timeWindow struct {
	Duration  string `json:"duration"`
	IsRolling bool   `json:"isRolling"`
	Calendar  any    `json:"calendar,omitempty"`
}

type objective struct {
	DisplayName     string   `json:"displayName,omitempty"`
	Target          *float64 `json:"target,omitempty"`
	TargetPercent   *float64 `json:"targetPercent,omitempty"`
	Op              any      `json:"op,omitempty"`
	Value           any      `json:"value,omitempty"`
	TimeSliceTarget any      `json:"timeSliceTarget,omitempty"`
	TimeSliceWindow any      `json:"timeSliceWindow,omitempty"`
	CompositeWeight any      `json:"compositeWeight,omitempty"`
	Indicator       any      `json:"indicator,omitempty"`
	IndicatorRef    any      `json:"indicatorRef,omitempty"`
}

// Parse reads one SLO that refers to nothing; every problem carries file, line and column.
func Parse(doc strict.Document) (SLO, error) { return parse(doc, shared{}) }

func parse(doc strict.Document, refer shared) (SLO, error) {
	if !Is(doc) {
		return SLO{}, strict.Join(doc.Problems(strict.At(fmt.Sprintf("apiVersion %q, kind %q: want %s, %s, %s or %s", doc.APIVersion, doc.Kind, APIVersion, Kind, KindSLI, KindService))))
	}
	var d document
	if err := doc.Decode(&d); err != nil {
		return SLO{}, err
	}
	if issues := doc.Missing(&d); len(issues) > 0 {
		return SLO{}, strict.Join(doc.Problems(issues...))
	}
	p := parser{slo: SLO{File: doc.File, Line: doc.Line, Description: d.Spec.Description}}
	p.metadata(d.Metadata)
	p.service(d, refer)
	p.unsupported(d.Spec.AlertPolicies, "alerts are made from the objective", "spec", "alertPolicies")
	if found := refer.resolve(&p, d.Spec); found != nil {
		at := []any{"spec", "indicator", "spec"}
		if d.Spec.IndicatorRef != "" {
			at = []any{"spec", "indicatorRef"}
		}
		before := len(p.issues)
		p.ratio(*found, at)
		if d.Spec.IndicatorRef != "" {
			p.issues = p.issues[:before] // told where they are, in the SLI
		}
	}
	p.window(d.Spec)
	p.objective(d.Spec)
	if len(p.issues) > 0 {
		return SLO{}, strict.Join(doc.Problems(p.issues...))
	}
	return p.slo, nil
}

// parser collects the SLO and everything wrong with it.
type parser struct {
	slo    SLO
	issues []strict.Issue
}

func (p *parser) refuse(message string, path ...any) {
	p.issues = append(p.issues, strict.At(message, path...))
}

// unsupported refuses a part that was written though this platform cannot honour it.
func (p *parser) unsupported(part any, why string, path ...any) {
	if part != nil {
		p.refuse("not supported: "+why, path...)
	}
}

func (p *parser) metadata(m metadata) {
	p.slo.Name, p.slo.Title = m.Name, cmp.Or(m.DisplayName, m.Name)
	p.name(m)
	p.alert(m.Annotations)
}

func (p *parser) name(m metadata) {
	if !release.ValidName(m.Name) {
		p.refuse("want lower-case letters, digits and dashes, at most 63", "metadata", "name")
	}
}

// service is whose the SLO is: what its label says, or that of the Service that it names.
// Where there are Services, it has to name one of them.
func (p *parser) service(d document, refer shared) {
	named, known := refer.services[d.Spec.Service]
	if len(refer.services) > 0 && !known && d.Spec.Service != "" {
		p.refuse(fmt.Sprintf("unknown Service %q%s", d.Spec.Service, strict.Suggest(d.Spec.Service, slices.Collect(maps.Keys(refer.services)))), "spec", "service")
	}
	label, own := d.Metadata.Labels[LabelService]
	if !own && named != "" {
		p.slo.Service = named
		return
	}
	service, err := release.ParseService(label)
	if err != nil {
		p.refuse(fmt.Sprintf("label %s: %v", LabelService, err), "metadata", "labels", LabelService)
	}
	p.slo.Service = service
}

func (p *parser) alert(annotations map[string]string) {
	windows, hasWindows := annotations[AnnotationAlertWindows]
	burn, hasBurn := annotations[AnnotationAlertBurn]
	if hasBurn && !hasWindows {
		p.refuse("needs "+AnnotationAlertWindows+" beside it", "metadata", "annotations", AnnotationAlertBurn)
	}
	if !hasWindows {
		return
	}
	a := Alert{Burn: 1}
	long, short, ok := strings.Cut(windows, "/")
	var errLong, errShort error
	a.Long, errLong = time.ParseDuration(long)
	a.Short, errShort = time.ParseDuration(short)
	if !ok || errLong != nil || errShort != nil || a.Short < time.Second || a.Long <= a.Short {
		p.refuse(fmt.Sprintf("%q: want a long and a shorter window, such as 1m/15s", windows), "metadata", "annotations", AnnotationAlertWindows)
	}
	if hasBurn {
		var err error
		if a.Burn, err = strconv.ParseFloat(burn, 64); err != nil || !(a.Burn > 0 && a.Burn <= 10_000) {
			p.refuse(fmt.Sprintf("%q: want a burn rate above 0, such as 14.4", burn), "metadata", "annotations", AnnotationAlertBurn)
		}
	}
	p.slo.Alert = &a
}

// ratio reads what an indicator counts; at is where that stands.
func (p *parser) ratio(s indicatorSpec, at []any) {
	p.unsupported(s.ThresholdMetric, "use ratioMetric, which counts events", with(at, "thresholdMetric")...)
	r := s.RatioMetric
	if r == nil {
		if s.ThresholdMetric == nil {
			p.refuse(`"ratioMetric" is missing`, at...)
		}
		return
	}
	at = with(at, "ratioMetric")
	p.unsupported(r.Raw, "write good or bad, and total", with(at, "raw")...)
	p.unsupported(r.RawType, "write good or bad, and total", with(at, "rawType")...)
	if !r.Counter {
		p.refuse("want true: only counters can be measured over any window", with(at, "counter")...)
	}
	if (r.Good == nil) == (r.Bad == nil) && r.Raw == nil {
		p.refuse("want either good or bad", at...)
	}
	if r.Total == nil && r.Raw == nil {
		p.refuse(`"total" is missing`, at...)
	}
	p.slo.Good = p.query(r.Good, with(at, "good"))
	p.slo.Bad = p.query(r.Bad, with(at, "bad"))
	p.slo.Total = p.query(r.Total, with(at, "total"))
}

func (p *parser) query(m *metric, at []any) Query {
	if m == nil {
		return ""
	}
	at = with(at, "metricSource")
	p.unsupported(m.MetricSource.MetricSourceRef, "write the query inline", with(at, "metricSourceRef")...)
	if !strings.EqualFold(m.MetricSource.Type, "prometheus") {
		p.refuse(fmt.Sprintf("%q is not supported: want Prometheus", m.MetricSource.Type), with(at, "type")...)
	}
	q := Query(m.MetricSource.Spec.Query)
	p.issues = append(p.issues, q.issues(with(at, "spec", "query"))...)
	return Query(strings.TrimSpace(string(q)))
}

func (p *parser) window(s spec) {
	if s.BudgetingMethod != "Occurrences" {
		p.refuse(fmt.Sprintf("%q is not supported: want Occurrences", s.BudgetingMethod), "spec", "budgetingMethod")
	}
	if len(s.TimeWindow) != 1 {
		p.refuse(fmt.Sprintf("want exactly one window, got %d", len(s.TimeWindow)), "spec", "timeWindow")
		return
	}
	w, at := s.TimeWindow[0], []any{"spec", "timeWindow", 0}
	p.unsupported(w.Calendar, "want a rolling window", with(at, "calendar")...)
	if !w.IsRolling && w.Calendar == nil {
		p.refuse("want true: calendar windows are not supported", with(at, "isRolling")...)
	}
	d, err := duration(w.Duration)
	if err != nil {
		p.refuse(err.Error(), with(at, "duration")...)
	}
	p.slo.Window = d
}

// duration reads OpenSLO's form: a whole number and m, h, d or w. M, Q and Y are calendar
// periods without a fixed length.
func duration(s string) (time.Duration, error) {
	units := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if len(s) > 1 {
		n, err := strconv.Atoi(s[:len(s)-1])
		unit, ok := units[s[len(s)-1]]
		if err == nil && ok && n > 0 && n <= 10_000 {
			return time.Duration(n) * unit, nil
		}
	}
	return 0, fmt.Errorf("%q: want a number and m, h, d or w, such as 28d", s)
}

func (p *parser) objective(s spec) {
	if len(s.Objectives) != 1 {
		p.refuse(fmt.Sprintf("want exactly one objective, got %d", len(s.Objectives)), "spec", "objectives")
		return
	}
	o, at := s.Objectives[0], []any{"spec", "objectives", 0}
	const threshold = "belongs to thresholdMetric or time slices"
	p.unsupported(o.Op, threshold, with(at, "op")...)
	p.unsupported(o.Value, threshold, with(at, "value")...)
	p.unsupported(o.TimeSliceTarget, threshold, with(at, "timeSliceTarget")...)
	p.unsupported(o.TimeSliceWindow, threshold, with(at, "timeSliceWindow")...)
	p.unsupported(o.CompositeWeight, "composite SLOs", with(at, "compositeWeight")...)
	p.unsupported(o.Indicator, "composite SLOs", with(at, "indicator")...)
	p.unsupported(o.IndicatorRef, "composite SLOs", with(at, "indicatorRef")...)
	switch {
	case (o.Target == nil) == (o.TargetPercent == nil):
		p.refuse("want either target or targetPercent", at...)
	case o.Target != nil:
		p.slo.Objective = *o.Target
		if !(*o.Target > 0 && *o.Target < 1) {
			p.refuse(fmt.Sprintf("%v: want a number between 0 and 1, both excluded, such as 0.99", *o.Target), with(at, "target")...)
		}
	default:
		p.slo.Objective = percent(*o.TargetPercent)
		if !(*o.TargetPercent > 0 && *o.TargetPercent < 100) {
			p.refuse(fmt.Sprintf("%v: want a number between 0 and 100, both excluded, such as 99", *o.TargetPercent), with(at, "targetPercent")...)
		}
	}
}

// percent is p/100 without the digits that binary fractions add: 99.9 is 0.999.
func percent(p float64) float64 { return math.Round(p*1e10) / 1e12 }

// with is a path one or more steps longer; the given path is not changed.
func with(path []any, steps ...any) []any {
	return append(path[:len(path):len(path)], steps...)
}
