package openslo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/slo/timeslices"
)

// indicatorSpec is what an SLI counts.
type indicatorSpec struct {
	Description     string       `json:"description,omitempty"`
	RatioMetric     *ratioMetric `json:"ratioMetric,omitempty"`
	ThresholdMetric *metric      `json:"thresholdMetric,omitempty"`
}

type ratioMetric struct {
	Counter *bool   `json:"counter,omitempty"` // nothing to a raw ratio
	Good    *metric `json:"good,omitempty"`
	Bad     *metric `json:"bad,omitempty"`
	Total   *metric `json:"total,omitempty"`
	RawType string  `json:"rawType,omitempty"`
	Raw     *metric `json:"raw,omitempty"`
}

type metric struct {
	MetricSource metricSource `json:"metricSource"`
}

type metricSource struct {
	MetricSourceRef string     `json:"metricSourceRef,omitempty"`
	Type            string     `json:"type,omitempty"`
	Spec            metricSpec `json:"spec"`
}

type metricSpec struct {
	Query string `json:"query"`
}

// look is how often a value is looked at that is not counted by itself.
const (
	look       = 5 * time.Second
	stepOfLook = "{{.Step5}}"
)

// counted is what an SLO counts in a window.
type counted struct {
	good, bad, total Query
	every            time.Duration
}

// threshold is what a value has to be compared with.
type threshold struct {
	op    string // of PromQL
	value float64
}

// count reads an indicator; at is where that stands. The threshold is nil where the
// indicator stands alone, without an objective.
func (p *parser) count(s indicatorSpec, t *threshold, at []any) counted {
	p.described(s.Description, with(at, "description")...)
	switch {
	case s.RatioMetric != nil && s.ThresholdMetric != nil:
		p.refuse("want either ratioMetric or thresholdMetric", at...)
	case s.ThresholdMetric != nil:
		q := p.query(s.ThresholdMetric, wantsMoment, with(at, "thresholdMetric"))
		if q != "" && t != nil {
			return thresholdOf(q, *t)
		}
	case s.RatioMetric == nil:
		p.refuse(`"ratioMetric" or "thresholdMetric" is missing`, at...)
	case s.RatioMetric.Raw != nil || s.RatioMetric.RawType != "":
		return p.raw(*s.RatioMetric, with(at, "ratioMetric"))
	default:
		return p.ratio(*s.RatioMetric, with(at, "ratioMetric"))
	}
	return counted{}
}

func (p *parser) ratio(r ratioMetric, at []any) counted {
	if r.Counter == nil {
		p.refuse(`"counter" is missing`, at...)
		return counted{}
	}
	if (r.Good == nil) == (r.Bad == nil) {
		p.refuse("want either good or bad", at...)
	}
	if r.Total == nil {
		p.refuse(`"total" is missing`, at...)
	}
	w := wantsWindow
	if !*r.Counter {
		w = wantsMoment
	}
	c := counted{good: p.query(r.Good, w, with(at, "good")), bad: p.query(r.Bad, w, with(at, "bad")), total: p.query(r.Total, w, with(at, "total"))}
	if !*r.Counter {
		c = counted{good: summed(c.good), bad: summed(c.bad), total: summed(c.total), every: look}
	}
	return c
}

// raw is a ratio that somebody else has made. Over a window it is asked for as a whole;
// else it is looked at again and again, and every look weighs the same.
func (p *parser) raw(r ratioMetric, at []any) counted {
	if r.Good != nil || r.Bad != nil || r.Total != nil {
		p.refuse("want either raw or good, bad and total", at...)
	}
	if r.Raw == nil {
		p.refuse(`"raw" is missing`, at...)
	}
	if r.RawType != "success" && r.RawType != "failure" {
		p.refuse(fmt.Sprintf("%q: want success or failure", r.RawType), with(at, "rawType")...)
	}
	q := p.query(r.Raw, wantsEither, with(at, "raw"))
	if q == "" {
		return counted{}
	}
	return rawOf(q, r.RawType == "failure")
}

func rawOf(q Query, failure bool) counted {
	c := counted{good: summed(q), total: looks(q.moments() + " < Inf"), every: look}
	if q.has("Window") {
		of := "{{.Seconds}} / " + strconv.Itoa(int(look/time.Second))
		c.good = Query("sum((" + q.moments() + " < Inf) * " + of + ")")
		c.total = Query("sum((" + q.moments() + " < Inf) * 0 + " + of + ")")
	}
	if failure {
		c.good, c.bad = "", c.good
	}
	return c
}

func thresholdOf(q Query, t threshold) counted {
	return counted{
		good:  looks(q.moments() + " " + t.op + " " + strconv.FormatFloat(t.value, 'g', -1, 64)),
		total: looks(q.moments() + " <= Inf"), // what is no number was not measured
		every: look,
	}
}

// looks is in how many moments of the window a condition gives something.
func looks(condition string) Query {
	return Query("sum(count_over_time((" + condition + ")[{{.Window}}:" + stepOfLook + "]))")
}

// summed is the sum of what q says in the moments of the window.
func summed(q Query) Query {
	if q == "" {
		return ""
	}
	return Query("sum(sum_over_time((" + q.moments() + " < Inf)[{{.Window}}:" + stepOfLook + "]))")
}

// share is the share of good in a window, in PromQL.
func (c counted) share() Query {
	text := func(q Query) string {
		if q == "" {
			return ""
		}
		return q.wrapped()
	}
	return Query(timeslices.Share(text(c.good), text(c.bad), text(c.total)))
}

// sliced counts slices of time instead.
func (c counted) sliced(s timeslices.Slices) counted {
	if c.total == "" {
		return c
	}
	// Four looks in a slice are enough: there are many slices.
	step := strconv.Itoa(max(1, int(s.Size/time.Second)/4))
	share := string(Query(strings.ReplaceAll(string(c.share()), stepOfLook, "{{.Step"+step+"}}")).window(s.Size))
	span := "{{.Slices" + strconv.Itoa(int(s.Size/time.Second)) + "}}"
	return counted{good: Query(s.Good(share, span)), total: Query(s.Total(share, span)), every: s.Size}
}

func (p *parser) query(m *metric, w wants, at []any) Query {
	if m == nil {
		return ""
	}
	at = with(at, "metricSource")
	p.source(m.MetricSource, at)
	q := Query(m.MetricSource.Spec.Query)
	p.issues = append(p.issues, q.issues(w, with(at, "spec", "query"))...)
	return Query(strings.TrimSpace(string(q)))
}

func (p *parser) source(m metricSource, at []any) {
	if m.MetricSourceRef != "" {
		named(p, KindDataSource, m.MetricSourceRef, p.refer.sources, with(at, "metricSourceRef")...)
		if m.Type == "" {
			return
		}
	}
	if !strings.EqualFold(m.Type, "prometheus") {
		p.refuse(fmt.Sprintf("%q is not supported: want Prometheus", m.Type), with(at, "type")...)
	}
}

// compared reads what an objective compares a threshold metric with.
func (p *parser) compared(o objective, indicator indicatorSpec, at []any) *threshold {
	ops := map[string]string{"lte": "<=", "lt": "<", "gte": ">=", "gt": ">"}
	if indicator.ThresholdMetric == nil {
		if o.Op != "" || o.Value != nil {
			p.refuse("op and value belong to a thresholdMetric", at...)
		}
		return nil
	}
	t := threshold{op: ops[o.Op]}
	switch {
	case o.Op == "":
		p.refuse(`"op" is missing: want lte, lt, gte or gt`, at...)
	case t.op == "":
		p.refuse(fmt.Sprintf("%q: want lte, lt, gte or gt%s", o.Op, strict.Suggest(o.Op, []string{"lte", "lt", "gte", "gt"})), with(at, "op")...)
	}
	if o.Value == nil {
		p.refuse(`"value" is missing`, at...)
		return nil
	}
	t.value = *o.Value
	return &t
}

// slices reads how an objective cuts time; nil: it counts events.
func (p *parser) slices(method string, o objective, at []any) *timeslices.Slices {
	if method != methodTimeslices && method != methodRatioTimeslices {
		if o.TimeSliceTarget != nil || o.TimeSliceWindow != nil {
			p.refuse("timeSliceTarget and timeSliceWindow belong to budgetingMethod "+methodTimeslices, at...)
		}
		return nil
	}
	s := timeslices.Slices{Size: time.Minute}
	switch {
	case method == methodRatioTimeslices && o.TimeSliceTarget != nil:
		p.refuse("belongs to budgetingMethod "+methodTimeslices+": here the shares of the slices are counted as they are", with(at, "timeSliceTarget")...)
	case method == methodTimeslices && o.TimeSliceTarget == nil:
		p.refuse(`"timeSliceTarget" is missing`, at...)
	case o.TimeSliceTarget != nil:
		if s.Target = *o.TimeSliceTarget; !(s.Target > 0 && s.Target <= 1) {
			p.refuse(fmt.Sprintf("%v: want a number above 0 and at most 1, such as 0.95", s.Target), with(at, "timeSliceTarget")...)
		}
	}
	if o.TimeSliceWindow == nil {
		p.refuse(`"timeSliceWindow" is missing`, at...)
		return &s
	}
	text := fmt.Sprint(o.TimeSliceWindow)
	if _, err := strconv.Atoi(text); err == nil {
		text += "m" // as OpenSLO reads a number
	}
	size, err := fixed(text)
	if err == nil && size > 24*time.Hour {
		err = fmt.Errorf("%q: want at most 1d", text)
	}
	if err != nil {
		p.refuse(err.Error(), with(at, "timeSliceWindow")...)
		return &s
	}
	s.Size = size
	return &s
}
