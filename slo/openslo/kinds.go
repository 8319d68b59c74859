package openslo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// The kinds of documents beside SLO that SLOs may refer to.
const (
	KindSLI        = "SLI"
	KindService    = "Service"
	KindDataSource = "DataSource"
	KindPolicy     = "AlertPolicy"
	KindCondition  = "AlertCondition"
	KindTarget     = "AlertNotificationTarget"
)

// shared is what documents may refer to, by name. What is wrong with one is told where it
// stands; it is found all the same.
type shared struct {
	sources    map[string]bool
	indicators map[string]indicatorSpec
	services   map[string]release.Service // as the label of ours says; "" without one
	conditions map[string]conditionUse
	targets    map[string]string // their channels
	policies   map[string]policyUse
	channel    func(name string) error // what is wrong with one; nil: nothing
}

// kinds are in the order of their references: each refers to those before it.
func (s shared) kinds() []string {
	return []string{KindDataSource, KindSLI, KindService, KindCondition, KindTarget, KindPolicy}
}

// gather reads the documents that SLOs refer to, and gives the rest back.
func gather(docs []strict.Document, channel func(string) error) (shared, []strict.Document, []strict.Problem) {
	s := shared{
		sources: map[string]bool{}, indicators: map[string]indicatorSpec{}, services: map[string]release.Service{},
		conditions: map[string]conditionUse{}, targets: map[string]string{}, policies: map[string]policyUse{}, channel: channel,
	}
	readers := map[string]func(strict.Document) error{
		KindDataSource: s.source, KindSLI: s.sli, KindService: s.service, KindCondition: s.condition, KindTarget: s.target, KindPolicy: s.policy,
	}
	var problems []strict.Problem
	for _, kind := range s.kinds() {
		for _, doc := range docs {
			if doc.APIVersion == APIVersion && doc.Kind == kind {
				problems = append(problems, strict.ProblemsOf(doc.File, readers[kind](doc))...)
			}
		}
	}
	rest := slices.DeleteFunc(slices.Clone(docs), func(doc strict.Document) bool {
		return doc.APIVersion == APIVersion && slices.Contains(s.kinds(), doc.Kind)
	})
	return s, rest, problems
}

type serviceSpec struct {
	Description string `json:"description,omitempty"`
}

type sourceSpec struct {
	Description string `json:"description,omitempty"`
	Type        string `json:"type"`
	Connection  any    `json:"connectionDetails,omitempty"`
}

type targetSpec struct {
	Description string `json:"description,omitempty"`
	Target      string `json:"target"`
}

// object is the shape of every kind.
type object[Spec any] struct {
	Metadata metadata `json:"metadata"`
	Spec     Spec     `json:"spec"`
}

// read reads one document into known, under its name, after check has looked at it.
func read[Spec, Use any](doc strict.Document, refer shared, known map[string]Use, check func(*parser, object[Spec]) Use) error {
	var d object[Spec]
	if err := doc.Decode(&d); err != nil {
		return err
	}
	p := parser{refer: refer}
	p.name(d.Metadata)
	if _, twice := known[d.Metadata.Name]; twice {
		p.refuse("there is an "+doc.Kind+" of this name already", "metadata", "name")
	}
	known[d.Metadata.Name] = check(&p, d)
	return strict.Join(doc.Problems(append(doc.Missing(&d), p.issues...)...))
}

func (s shared) source(doc strict.Document) error {
	return read(doc, s, s.sources, func(p *parser, d object[sourceSpec]) bool {
		p.described(d.Spec.Description, "spec", "description")
		if !strings.EqualFold(d.Spec.Type, "prometheus") {
			p.refuse(fmt.Sprintf("%q is not supported: want Prometheus", d.Spec.Type), "spec", "type")
		}
		if details, ok := d.Spec.Connection.(map[string]any); d.Spec.Connection != nil && (!ok || len(details) > 0) {
			p.refuse("not supported: how Prometheus is reached stands in the server's settings, under prometheus", "spec", "connectionDetails")
		}
		return true
	})
}

func (s shared) sli(doc strict.Document) error {
	return read(doc, s, s.indicators, func(p *parser, d object[indicatorSpec]) indicatorSpec {
		p.count(d.Spec, nil, []any{"spec"})
		return d.Spec
	})
}

func (s shared) service(doc strict.Document) error {
	return read(doc, s, s.services, func(p *parser, d object[serviceSpec]) release.Service {
		p.described(d.Spec.Description, "spec", "description")
		label, ok := d.Metadata.Labels[LabelService]
		if !ok {
			return ""
		}
		return p.team(label)
	})
}

func (s shared) target(doc strict.Document) error {
	return read(doc, s, s.targets, func(p *parser, d object[targetSpec]) string { return p.notified(d.Metadata, d.Spec, nil) })
}

// notified is the channel of a target: its name, or what its annotation says.
func (p *parser) notified(m metadata, t targetSpec, at []any) string {
	p.described(t.Description, with(at, "spec", "description")...)
	if strings.TrimSpace(t.Target) == "" {
		p.refuse("is empty: want what it is, such as slack or email", with(at, "spec", "target")...)
	}
	name, here := m.Name, with(at, "metadata", "name")
	if other, ok := m.Annotations[AnnotationChannel]; ok {
		name, here = other, with(at, "metadata", "annotations", AnnotationChannel)
	}
	switch {
	case name == "" && at == nil: // told already
	case name == "":
		p.refuse("its name is missing: want that of a channel", at...)
	case p.refer.channel != nil:
		if err := p.refer.channel(name); err != nil {
			p.refuse(err.Error(), here...)
		}
	}
	return name
}

// team is whose something is, by the label of ours.
func (p *parser) team(label any) release.Service {
	text, ok := label.(string)
	if label != nil && !ok {
		p.refuse("want one service, as text", "metadata", "labels", LabelService)
		return ""
	}
	service, err := release.ParseService(text)
	if err != nil {
		p.refuse(fmt.Sprintf("label %s: %v", LabelService, err), "metadata", "labels", LabelService)
	}
	return service
}

// described refuses a description that is longer than OpenSLO allows.
func (p *parser) described(text string, at ...any) {
	if n := utf8.RuneCountInString(text); n > 1050 {
		p.refuse(fmt.Sprintf("%d characters: want at most 1050", n), at...)
	}
}

// named is the thing of a kind that a reference names.
func named[T any](p *parser, kind, ref string, known map[string]T, at ...any) (found T, ok bool) {
	if found, ok = known[ref]; !ok {
		p.refuse(fmt.Sprintf("unknown %s %q%s", kind, ref, strict.Suggest(ref, slices.Collect(maps.Keys(known)))), at...)
	}
	return found, ok
}

// indicator is one of the document's own, or the SLI that it names, which has no place of
// its own there.
func (p *parser) indicator(own *indicator, ref string, at []any) (*indicatorSpec, []any) {
	switch {
	case own != nil && ref != "":
		p.refuse("want either this or an indicator", with(at, "indicatorRef")...)
	case ref != "":
		if found, ok := named(p, KindSLI, ref, p.refer.indicators, with(at, "indicatorRef")...); ok {
			return &found, nil
		}
	case own == nil:
		p.refuse(`"indicator" is missing`, at...)
	default:
		return &own.Spec, with(at, "indicator")
	}
	return nil, nil
}
