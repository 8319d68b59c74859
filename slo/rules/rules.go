// Package rules makes an SLO's Prometheus rules, for who has alerts and graphs there, and
// tells whether a Prometheus has them.
//
// Start at Make; Write and WriteObjects print what it made, Inspect compares it with a
// running Prometheus. Ratios are of the events of the whole window, counted by the SLO's own
// queries: a ratio is never averaged over time. It changes no Prometheus.
package rules

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
)

// The names of what is made. A ratio's ends with its window: slo:sli_error:ratio_rate5m.
const (
	RatioPrefix = "slo:sli_error:ratio_rate"
	Remaining   = "slo:error_budget_remaining:ratio"
	AlertName   = "SLOErrorBudgetBurn"
)

// Set is everything that is made of one SLO.
type Set struct {
	SLO    string
	Groups []Group // two for each cluster
}

// Group is evaluated in order, so that an alert sees the ratios of its own round.
type Group struct {
	Name     string
	Interval time.Duration
	Rules    []Rule
}

// Rule records when Record is set, else it is an alert.
type Rule struct {
	Record, Alert       string
	Expr                string
	Labels, Annotations []Pair
}

// Name is what the rule records, or its alert.
func (r Rule) Name() string { return cmp.Or(r.Record, r.Alert) }

// Pair is a label or an annotation; their order is fixed, so that the same SLO makes the
// same text.
type Pair struct{ Name, Value string }

const (
	// quick windows are asked often: someone is woken by them.
	quick         = 6 * time.Hour
	quickInterval = 30 * time.Second
	// Prometheus looks back five minutes for a sample: two rounds may fail.
	slowInterval = 2 * time.Minute
	// minEvents in the long window: below it one unlucky request is not a breach.
	minEvents = 20
)

// Make is the rules of an SLO on each of the clusters.
func Make(s openslo.SLO, clusters []string) Set {
	set := Set{SLO: s.Name}
	for _, cluster := range clusters {
		set.Groups = append(set.Groups, newMaker(s, cluster).groups()...)
	}
	return set
}

// maker makes the rules of one SLO on one cluster.
type maker struct {
	slo     openslo.SLO
	cluster string
	target  burn.Target
	pairs   []burn.Pair
	labels  []Pair
	matcher string // of the labels
}

func newMaker(s openslo.SLO, cluster string) maker {
	m := maker{slo: s, cluster: cluster, target: burn.Target(s.Objective)}
	for _, p := range s.Pairs() {
		if p.Possible(m.target) {
			m.pairs = append(m.pairs, p)
		}
	}
	m.labels = []Pair{{"cluster", cluster}, {"service", string(s.Service)}, {"slo", s.Name}}
	var text []string
	for _, l := range m.labels {
		text = append(text, l.Name+"="+strconv.Quote(l.Value))
	}
	m.matcher = "{" + strings.Join(text, ",") + "}"
	return m
}

func (m maker) groups() []Group {
	windows := m.period()
	for _, p := range m.pairs {
		windows = append(windows, p.Long, p.Short)
	}
	slices.Sort(windows)
	if len(windows) == 0 {
		return nil
	}
	name := m.slo.Name + "/" + m.cluster
	often := Group{Name: "slo/" + name + "/burn", Interval: m.interval(windows[0])}
	seldom := Group{Name: "slo/" + name + "/budget", Interval: slowInterval}
	for _, w := range slices.Compact(windows) {
		rule := Rule{Record: RatioPrefix + burn.Span(w), Expr: m.ratio(w), Labels: m.labels}
		if w <= quick && w < m.slo.Window {
			often.Rules = append(often.Rules, rule)
		} else {
			seldom.Rules = append(seldom.Rules, rule)
		}
	}
	for _, w := range m.period() {
		seldom.Rules = append(seldom.Rules, Rule{
			Record: Remaining,
			Expr:   "1 - " + RatioPrefix + burn.Span(w) + m.matcher + " / " + number(m.target.Budget()),
			Labels: m.labels,
		})
	}
	often.Rules = append(often.Rules, m.alert(burn.Page)...)
	seldom.Rules = append(seldom.Rules, m.alert(burn.Ticket)...)
	return slices.DeleteFunc([]Group{often, seldom}, func(g Group) bool { return len(g.Rules) == 0 })
}

// period is the whole window; none of a calendar's, which PromQL cannot ask for.
func (m maker) period() []time.Duration {
	if m.slo.Calendar != nil {
		return nil
	}
	return []time.Duration{m.slo.Window}
}

// interval leaves the shortest window at least two evaluations.
func (m maker) interval(shortest time.Duration) time.Duration {
	return max(time.Second, min(quickInterval, (shortest/2).Truncate(time.Second)))
}

// ratio is the share of bad events among those of the window; nothing without events. A
// counter that never counted has no series: where there is a total, that is zero.
func (m maker) ratio(window time.Duration) string {
	total := m.sum(m.slo.Total, window)
	if m.slo.Bad != "" {
		return "(" + m.sum(m.slo.Bad, window) + " or vector(0)) / (" + total + " > 0)"
	}
	return "clamp_min(1 - (" + m.sum(m.slo.Good, window) + " or vector(0)) / (" + total + " > 0), 0)"
}

func (m maker) sum(q openslo.Query, window time.Duration) string {
	text := q.Fill(m.cluster, window)
	if strings.Contains(text, "#") { // a comment would swallow what follows
		text += "\n"
	}
	return "sum(" + text + ")"
}

// alert calls when one of the severity's pairs does, given enough events to mean anything.
func (m maker) alert(severity burn.Severity) []Rule {
	var any []string
	for _, p := range m.pairs {
		if p.Severity != severity {
			continue
		}
		above := m.matcher + " > " + number(p.Rate*m.target.Budget())
		any = append(any, "("+RatioPrefix+burn.Span(p.Long)+above+" and "+RatioPrefix+burn.Span(p.Short)+above+
			" and on() ("+m.sum(m.slo.Total, p.Long)+" >= "+number(m.slo.Least(p.Long, minEvents))+"))")
	}
	if len(any) == 0 {
		return nil
	}
	service, title := string(m.slo.Service), strings.ReplaceAll(m.slo.Title, "{{", `{{"{{"}}`)
	return []Rule{{
		Alert:  AlertName,
		Expr:   strings.Join(any, " or "),
		Labels: append(m.labels[:len(m.labels):len(m.labels)], Pair{"severity", severity.String()}, Pair{"team", m.slo.Service.Team()}),
		Annotations: append([]Pair{
			{"summary", service + " on " + m.cluster + " burns the error budget of " + title},
			{"description", "{{ $value | humanizePercentage }} of the events were bad; the objective allows " + number(100*m.target.Budget()) + " % over " + m.slo.Period() + "."},
		}, m.channels(severity)...),
	}}
}

// Channels is the annotation with whom the policies tell.
const Channels = "seatrial_channels"

func (m maker) channels(severity burn.Severity) []Pair {
	if names := m.slo.Channels(severity); len(names) > 0 {
		return []Pair{{Channels, strings.Join(names, ",")}}
	}
	return nil
}

// number is f without the digits that binary fractions add.
func number(f float64) string { return strconv.FormatFloat(f, 'g', 12, 64) }
