package openslo

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/calendar"
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
	Labels      map[string]any    `json:"labels,omitempty"` // of each a text, or a list of them
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
	AlertPolicies   []policyUse  `json:"alertPolicies,omitempty"`
}

type indicator struct {
	Metadata *metadata     `json:"metadata,omitempty"`
	Spec     indicatorSpec `json:"spec"`
}

type timeWindow struct {
	Duration  string        `json:"duration"`
	IsRolling bool          `json:"isRolling,omitempty"`
	Calendar  *calendarSpec `json:"calendar,omitempty"`
}

type calendarSpec struct {
	StartTime string `json:"startTime"`
	TimeZone  string `json:"timeZone"`
}

type objective struct {
	DisplayName     string     `json:"displayName,omitempty"`
	Op              string     `json:"op,omitempty"`
	Value           *float64   `json:"value,omitempty"`
	Target          *float64   `json:"target,omitempty"`
	TargetPercent   *float64   `json:"targetPercent,omitempty"`
	TimeSliceTarget *float64   `json:"timeSliceTarget,omitempty"`
	TimeSliceWindow any        `json:"timeSliceWindow,omitempty"` // minutes, or a duration
	CompositeWeight *float64   `json:"compositeWeight,omitempty"`
	Indicator       *indicator `json:"indicator,omitempty"`
	IndicatorRef    string     `json:"indicatorRef,omitempty"`
}

// The ways to spend a budget.
const (
	methodOccurrences     = "Occurrences"
	methodTimeslices      = "Timeslices"
	methodRatioTimeslices = "RatioTimeslices"
)

// parse reads one document, which has an SLO for each of its objectives.
func parse(doc strict.Document, refer shared) ([]SLO, error) {
	if doc.APIVersion != APIVersion || doc.Kind != Kind {
		return nil, strict.Join(doc.Problems(strict.At(fmt.Sprintf("apiVersion %q, kind %q: want %s, and %s or %s", doc.APIVersion, doc.Kind, APIVersion, Kind, strings.Join(refer.kinds(), ", ")))))
	}
	var d document
	if err := doc.Decode(&d); err != nil {
		return nil, err
	}
	if issues := doc.Missing(&d); len(issues) > 0 {
		return nil, strict.Join(doc.Problems(issues...))
	}
	p := parser{slo: SLO{File: doc.File, Line: doc.Line, Description: d.Spec.Description}, refer: refer}
	p.metadata(d.Metadata)
	p.service(d, refer)
	p.described(d.Spec.Description, "spec", "description")
	p.policies(d.Spec.AlertPolicies)
	p.window(d.Spec)
	slos := p.objectives(d.Spec)
	if len(p.issues) > 0 {
		return nil, strict.Join(doc.Problems(p.issues...))
	}
	return slos, nil
}

// parser collects the SLO and everything wrong with it.
type parser struct {
	slo    SLO
	refer  shared
	issues []strict.Issue
}

func (p *parser) refuse(message string, path ...any) {
	p.issues = append(p.issues, strict.At(message, path...))
}

func (p *parser) metadata(m metadata) {
	p.slo.Name, p.slo.Title = m.Name, cmp.Or(m.DisplayName, m.Name)
	p.name(m)
	p.annotated(m.Annotations)
}

func (p *parser) name(m metadata) {
	if !release.ValidName(m.Name) {
		p.refuse("want lower-case letters, digits and dashes, at most 63", "metadata", "name")
	}
	for key, value := range m.Labels {
		list, isList := value.([]any)
		_, isText := value.(string)
		if isList && !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(string); return !ok }) || isText {
			continue
		}
		p.refuse("want text, or a list of texts", "metadata", "labels", key)
	}
}

// service is whose the SLO is: what its label says, or that of the Service that it names.
// Where there are Services, it has to name one of them.
func (p *parser) service(d document, refer shared) {
	owner, known := refer.services[d.Spec.Service]
	if len(refer.services) > 0 && !known && d.Spec.Service != "" {
		named(p, KindService, d.Spec.Service, refer.services, "spec", "service")
	}
	label, own := d.Metadata.Labels[LabelService]
	if !own && owner != "" {
		p.slo.Service = owner
		return
	}
	p.slo.Service = p.team(label)
}

func (p *parser) window(s spec) {
	if methods := []string{methodOccurrences, methodTimeslices, methodRatioTimeslices}; !slices.Contains(methods, s.BudgetingMethod) {
		p.refuse(fmt.Sprintf("unknown method %q%s", s.BudgetingMethod, strict.Suggest(s.BudgetingMethod, methods)), "spec", "budgetingMethod")
	}
	if len(s.TimeWindow) != 1 {
		p.refuse(fmt.Sprintf("want exactly one window, got %d", len(s.TimeWindow)), "spec", "timeWindow")
		return
	}
	w, at := s.TimeWindow[0], []any{"spec", "timeWindow", 0}
	length, err := calendar.ParseLength(w.Duration)
	switch {
	case err != nil:
		p.refuse(err.Error(), with(at, "duration")...)
	case w.IsRolling && w.Calendar != nil:
		p.refuse("a calendar's window does not roll: leave one of them out", with(at, "isRolling")...)
	case !w.IsRolling && w.Calendar == nil:
		p.refuse("want isRolling: true, or a calendar", with(at, "isRolling")...)
	case w.IsRolling && !length.Fixed():
		p.refuse(fmt.Sprintf("%q: months, quarters and years belong to a calendar; what rolls is a number of m, h, d or w, such as 30d", w.Duration), with(at, "duration")...)
	case w.Calendar != nil:
		start, err := calendar.Parse(w.Calendar.StartTime, w.Calendar.TimeZone)
		if err != nil {
			p.refuse(err.Error(), with(at, "calendar", strings.SplitN(err.Error(), " ", 2)[0])...)
		}
		p.slo.Calendar = &calendar.Window{Start: start, Length: length}
	}
	p.slo.Window = length.Nominal()
}

// fixed reads a duration that is equally long every time.
func fixed(s string) (time.Duration, error) {
	l, err := calendar.ParseLength(s)
	if err != nil || !l.Fixed() {
		return 0, fmt.Errorf("%q: want a number and m, h, d or w, such as 5m", s)
	}
	return l.Nominal(), nil
}

// objectives makes an SLO of each of them, or one of all when they have weights.
func (p *parser) objectives(s spec) []SLO {
	if len(s.Objectives) == 0 {
		p.refuse("want at least one objective", "spec", "objectives")
		return nil
	}
	if slices.ContainsFunc(s.Objectives, func(o objective) bool { return o.CompositeWeight != nil }) {
		return []SLO{p.composite(s)}
	}
	found, at := p.indicator(s.Indicator, s.IndicatorRef, []any{"spec"})
	var slos []SLO
	for i, o := range s.Objectives {
		here := []any{"spec", "objectives", i}
		if o.Indicator != nil || o.IndicatorRef != "" {
			p.refuse("an indicator of its own needs a compositeWeight beside it", here...)
		}
		if found != nil && found.ThresholdMetric != nil && len(s.Objectives) > 1 {
			p.refuse("a thresholdMetric has one objective", here...)
		}
		slo, before := p.slo, len(p.issues)
		slo.Objective = p.target(o, here)
		if found != nil {
			c, sliced := p.objective(*found, s.BudgetingMethod, o, at, here, i > 0)
			slo.Good, slo.Bad, slo.Total, slo.Every = c.good, c.bad, c.total, c.every
			if sliced && len(p.issues) == before {
				p.patient(c.every, with(here, "timeSliceWindow"))
			}
		}
		if len(s.Objectives) > 1 {
			p.apart(&slo, o, slos, here)
		}
		slos = append(slos, slo)
	}
	return slos
}

// objective is what one objective counts. The indicator's mistakes are told once, and those
// of an SLI in the SLI.
func (p *parser) objective(found indicatorSpec, method string, o objective, indicatorAt, at []any, told bool) (c counted, sliced bool) {
	t := p.compared(o, found, at)
	cut := p.slices(method, o, at)
	before := len(p.issues)
	c = p.count(found, t, with(indicatorAt, "spec"))
	if told || indicatorAt == nil {
		p.issues = p.issues[:before]
	}
	if cut == nil {
		return c, false
	}
	return c.sliced(*cut), true
}

// patient refuses alert windows in which a slice would hardly end.
func (p *parser) patient(size time.Duration, at []any) {
	for _, a := range p.slo.Alerts {
		if a.Short < 2*size {
			p.refuse(fmt.Sprintf("a window of %s, in which an alert looks, holds no two slices of %s", a.Short, size), at...)
		}
	}
}

// slug is text as a part of a name.
func slug(text string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(text)), "-")
}

// apart tells the SLOs of one document apart.
func (p *parser) apart(slo *SLO, o objective, others []SLO, at []any) {
	suffix := slug(o.DisplayName)
	slo.Name, slo.Title = slo.Name+"-"+suffix, slo.Title+": "+o.DisplayName
	same := slices.ContainsFunc(others, func(other SLO) bool { return other.Name == slo.Name })
	if suffix == "" || same || !release.ValidName(slo.Name) {
		p.refuse("one of several objectives needs a displayName of its own, which is added to the SLO's name", at...)
	}
}

// composite is one SLO of objectives with indicators of their own: the mean of their shares
// by weight has to reach the mean of their targets by weight.
func (p *parser) composite(s spec) SLO {
	if s.Indicator != nil || s.IndicatorRef != "" {
		p.refuse("the objectives of a composite have indicators of their own", "spec")
	}
	slo := p.slo
	var terms []string
	weights, targets := 0.0, 0.0
	for i, o := range s.Objectives {
		here := []any{"spec", "objectives", i}
		found, at := p.indicator(o.Indicator, o.IndicatorRef, here)
		if o.CompositeWeight == nil || !(*o.CompositeWeight > 0 && *o.CompositeWeight <= 1e6) {
			p.refuse("compositeWeight: want a number above 0 on every objective", here...)
			continue
		}
		weights, targets = weights+*o.CompositeWeight, targets+*o.CompositeWeight*p.target(o, here)
		if found == nil {
			continue
		}
		c, _ := p.objective(*found, s.BudgetingMethod, o, at, here, false)
		slo.Every = max(slo.Every, c.every)
		if c.total != "" {
			terms = append(terms, strconv.FormatFloat(*o.CompositeWeight, 'g', -1, 64)+" * "+string(c.share()))
		}
	}
	c := rawOf(Query("("+strings.Join(terms, " + ")+") / "+strconv.FormatFloat(max(weights, 1e-9), 'g', -1, 64)), false)
	slo.Good, slo.Total, slo.Every = c.good, c.total, max(slo.Every, c.every)
	slo.Objective = round(targets / max(weights, 1e-9))
	return slo
}

func (p *parser) target(o objective, at []any) float64 {
	switch {
	case (o.Target == nil) == (o.TargetPercent == nil):
		p.refuse("want either target or targetPercent", at...)
	case o.Target != nil:
		if !(*o.Target > 0 && *o.Target < 1) {
			p.refuse(fmt.Sprintf("%v: want a number between 0 and 1, both excluded, such as 0.99", *o.Target), with(at, "target")...)
		}
		return *o.Target
	default:
		if !(*o.TargetPercent > 0 && *o.TargetPercent < 100) {
			p.refuse(fmt.Sprintf("%v: want a number between 0 and 100, both excluded, such as 99", *o.TargetPercent), with(at, "targetPercent")...)
		}
		return percent(*o.TargetPercent)
	}
	return 0
}

// percent is p/100 without the digits that binary fractions add: 99.9 is 0.999.
func percent(p float64) float64 { return round(p / 100) }

func round(f float64) float64 { return math.Round(f*1e12) / 1e12 }

// with is a path one or more steps longer; the given path is not changed.
func with(path []any, steps ...any) []any {
	return append(path[:len(path):len(path)], steps...)
}
