package openslo

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
)

// policyUse is an AlertPolicy where an SLO uses it, and conditionUse an AlertCondition where a
// policy does: one that stands elsewhere, or one written in place.
type policyUse struct {
	Ref      string      `json:"alertPolicyRef,omitempty"`
	Kind     string      `json:"kind,omitempty"`
	Metadata *metadata   `json:"metadata,omitempty"`
	Spec     *policySpec `json:"spec,omitempty"`
}

type policySpec struct {
	Description   string         `json:"description,omitempty"`
	WhenNoData    bool           `json:"alertWhenNoData,omitempty"`
	WhenResolved  bool           `json:"alertWhenResolved,omitempty"`
	WhenBreaching bool           `json:"alertWhenBreaching,omitempty"`
	Conditions    []conditionUse `json:"conditions"`
	Targets       []targetUse    `json:"notificationTargets,omitempty"`
}

type conditionUse struct {
	Ref      string         `json:"conditionRef,omitempty"`
	Kind     string         `json:"kind,omitempty"`
	Metadata *metadata      `json:"metadata,omitempty"`
	Spec     *conditionSpec `json:"spec,omitempty"`
}

type conditionSpec struct {
	Description string        `json:"description,omitempty"`
	Severity    string        `json:"severity"`
	Condition   burnCondition `json:"condition"`
}

type burnCondition struct {
	Kind           string  `json:"kind,omitempty"`
	Op             string  `json:"op,omitempty"`
	Threshold      float64 `json:"threshold"`
	LookbackWindow string  `json:"lookbackWindow"`
	AlertAfter     string  `json:"alertAfter,omitempty"`
}

type targetUse struct {
	Ref      string      `json:"targetRef,omitempty"`
	Kind     string      `json:"kind,omitempty"`
	Metadata *metadata   `json:"metadata,omitempty"`
	Spec     *targetSpec `json:"spec,omitempty"`
}

func (s shared) condition(doc strict.Document) error {
	return read(doc, s, s.conditions, func(p *parser, d object[conditionSpec]) conditionUse {
		p.burning(d.Spec, []any{"spec"})
		return conditionUse{Metadata: &d.Metadata, Spec: &d.Spec}
	})
}

func (s shared) policy(doc strict.Document) error {
	return read(doc, s, s.policies, func(p *parser, d object[policySpec]) policyUse {
		p.policy(d.Metadata, d.Spec, nil)
		return policyUse{Metadata: &d.Metadata, Spec: &d.Spec}
	})
}

// policies adds the alerts of the policies that an SLO names.
func (p *parser) policies(uses []policyUse) {
	for i, use := range uses {
		at := []any{"spec", "alertPolicies", i}
		switch {
		case use.Ref != "" && use.Spec != nil:
			p.refuse("want either this or a policy in place", with(at, "alertPolicyRef")...)
		case use.Ref != "":
			found, ok := named(p, KindPolicy, use.Ref, p.refer.policies, with(at, "alertPolicyRef")...)
			if ok {
				before := len(p.issues)
				p.slo.Alerts = append(p.slo.Alerts, p.policy(*found.Metadata, *found.Spec, at))
				p.issues = p.issues[:before] // told where the policy stands
			}
		case use.Spec == nil:
			p.refuse(`want "alertPolicyRef", or a policy in place`, at...)
		default:
			p.inPlace(use.Kind, KindPolicy, at)
			m := metadata{}
			if use.Metadata != nil {
				m = *use.Metadata
			}
			p.slo.Alerts = append(p.slo.Alerts, p.policy(m, *use.Spec, at))
		}
	}
}

func (p *parser) inPlace(kind, want string, at []any) {
	if kind != "" && kind != want {
		p.refuse(fmt.Sprintf("kind %q: want %s", kind, want), with(at, "kind")...)
	}
}

// policy is the alert of a policy that stands at a place.
func (p *parser) policy(m metadata, s policySpec, at []any) Alert {
	spec := with(at, "spec")
	p.described(s.Description, with(spec, "description")...)
	if !s.WhenBreaching {
		p.refuse("alertWhenBreaching: want true: a policy that does not tell of a breach tells of nothing here", spec...)
	}
	if s.WhenNoData {
		p.refuse("not supported: no data neither begins nor ends a breach; seatrial slo doctor finds SLOs without", with(spec, "alertWhenNoData")...)
	}
	channels := p.targets(s.Targets, with(spec, "notificationTargets"))
	if len(s.Conditions) != 1 {
		p.refuse(fmt.Sprintf("want exactly one condition, got %d: its second window stands in the annotation %s", len(s.Conditions), AnnotationAlertWindows), with(spec, "conditions")...)
		return Alert{}
	}
	a := p.conditionOf(s.Conditions[0], with(spec, "conditions", 0))
	a.Channels = channels
	if windows, ok := m.Annotations[AnnotationAlertWindows]; ok {
		a.Long, a.Short = p.pair(windows, with(at, "metadata", "annotations", AnnotationAlertWindows)...)
	}
	return a
}

// targets are the channels that a policy names, each once.
func (p *parser) targets(uses []targetUse, at []any) []string {
	var channels []string
	for i, t := range uses {
		here := with(at, i)
		switch {
		case (t.Ref == "") == (t.Spec == nil):
			p.refuse(`want either "targetRef", or a target in place`, here...)
		case t.Ref != "":
			channel, _ := named(p, KindTarget, t.Ref, p.refer.targets, with(here, "targetRef")...)
			channels = append(channels, channel)
		default:
			p.inPlace(t.Kind, KindTarget, here)
			channels = append(channels, p.notified(*cmp.Or(t.Metadata, &metadata{}), *t.Spec, here))
		}
	}
	slices.Sort(channels)
	return slices.Compact(channels)
}

func (p *parser) conditionOf(use conditionUse, at []any) Alert {
	switch {
	case (use.Ref == "") == (use.Spec == nil):
		p.refuse(`want either "conditionRef", or a condition in place`, at...)
	case use.Ref != "":
		found, ok := named(p, KindCondition, use.Ref, p.refer.conditions, with(at, "conditionRef")...)
		if ok {
			before := len(p.issues)
			a := p.burning(*found.Spec, at)
			p.issues = p.issues[:before] // told where the condition stands
			return a
		}
	default:
		p.inPlace(use.Kind, KindCondition, at)
		return p.burning(*use.Spec, with(at, "spec"))
	}
	return Alert{}
}

// shorter is how many times shorter a short window is than its long one, if nobody says.
const shorter = 12

// burning is the alert of a condition. Its alertAfter is the short window: what has to burn
// of late, too.
func (p *parser) burning(s conditionSpec, at []any) Alert {
	p.described(s.Description, with(at, "description")...)
	c, here := s.Condition, with(at, "condition")
	a := Alert{Burn: c.Threshold, Ticket: s.Severity == "ticket"}
	if s.Severity != "page" && s.Severity != "ticket" {
		p.refuse(fmt.Sprintf("%q: want page, which wakes people, or ticket", s.Severity), with(at, "severity")...)
	}
	if c.Kind != "" && c.Kind != "burnrate" {
		p.refuse(fmt.Sprintf("%q: want burnrate", c.Kind), with(here, "kind")...)
	}
	if c.Op != "" && c.Op != "gt" && c.Op != "gte" {
		p.refuse(fmt.Sprintf("%q: want gt: a budget that burns slowly alarms nobody", c.Op), with(here, "op")...)
	}
	if !(c.Threshold > 0 && c.Threshold <= 10_000) {
		p.refuse(fmt.Sprintf("%v: want a burn rate above 0, such as 14.4", c.Threshold), with(here, "threshold")...)
	}
	var err error
	if a.Long, err = fixed(c.LookbackWindow); err != nil {
		p.refuse(err.Error(), with(here, "lookbackWindow")...)
		return a
	}
	a.Short = (a.Long / shorter).Truncate(time.Second)
	if c.AlertAfter != "" && c.AlertAfter != "0m" {
		if a.Short, err = fixed(c.AlertAfter); err != nil || a.Short >= a.Long {
			p.refuse(fmt.Sprintf("%q: want less than lookbackWindow, such as 5m", c.AlertAfter), with(here, "alertAfter")...)
		}
	}
	return a
}

// annotated reads the alert in an SLO's annotations.
func (p *parser) annotated(annotations map[string]string) {
	windows, hasWindows := annotations[AnnotationAlertWindows]
	burn, hasBurn := annotations[AnnotationAlertBurn]
	if hasBurn && !hasWindows {
		p.refuse("needs "+AnnotationAlertWindows+" beside it", "metadata", "annotations", AnnotationAlertBurn)
	}
	if !hasWindows {
		return
	}
	a := Alert{Burn: 1}
	a.Long, a.Short = p.pair(windows, "metadata", "annotations", AnnotationAlertWindows)
	if hasBurn {
		var err error
		if a.Burn, err = strconv.ParseFloat(burn, 64); err != nil || !(a.Burn > 0 && a.Burn <= 10_000) {
			p.refuse(fmt.Sprintf("%q: want a burn rate above 0, such as 14.4", burn), "metadata", "annotations", AnnotationAlertBurn)
		}
	}
	p.slo.Alerts = append(p.slo.Alerts, a)
}

// pair reads "1h/5m".
func (p *parser) pair(windows string, at ...any) (long, short time.Duration) {
	first, second, ok := strings.Cut(windows, "/")
	long, errLong := time.ParseDuration(first)
	short, errShort := time.ParseDuration(second)
	if !ok || errLong != nil || errShort != nil || short < time.Second || long <= short {
		p.refuse(fmt.Sprintf("%q: want a long and a shorter window, such as 1m/15s", windows), at...)
	}
	return long, short
}
