package openslo

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
)

// The kinds of documents beside SLO that SLOs may refer to.
const (
	KindSLI     = "SLI"
	KindService = "Service"
)

// shared is what SLOs may refer to, by name.
type shared struct {
	indicators map[string]indicatorSpec
	services   map[string]release.Service // as the label of ours says; "" without one
}

type sliDocument struct {
	Metadata metadata      `json:"metadata"`
	Spec     indicatorSpec `json:"spec"`
}

type serviceDocument struct {
	Metadata metadata    `json:"metadata"`
	Spec     serviceSpec `json:"spec"`
}

type serviceSpec struct {
	Description string `json:"description,omitempty"`
}

// gather reads the documents that SLOs refer to, and gives the rest back.
func gather(docs []strict.Document) (shared, []strict.Document, []strict.Problem) {
	s := shared{indicators: map[string]indicatorSpec{}, services: map[string]release.Service{}}
	var rest []strict.Document
	var problems []strict.Problem
	for _, doc := range docs {
		var err error
		switch {
		case doc.APIVersion == APIVersion && doc.Kind == KindSLI:
			err = s.indicator(doc)
		case doc.APIVersion == APIVersion && doc.Kind == KindService:
			err = s.service(doc)
		default:
			rest = append(rest, doc)
		}
		if err != nil {
			problems = append(problems, strict.ProblemsOf(doc.File, err)...)
		}
	}
	return s, rest, problems
}

func (s shared) indicator(doc strict.Document) error {
	var d sliDocument
	if err := doc.Decode(&d); err != nil {
		return err
	}
	p := parser{}
	p.name(d.Metadata)
	p.count(d.Spec, nil, []any{"spec"})
	if _, twice := s.indicators[d.Metadata.Name]; twice {
		p.refuse("there is an SLI of this name already", "metadata", "name")
	}
	s.indicators[d.Metadata.Name] = d.Spec // one that is wrong is found, too
	return strict.Join(doc.Problems(append(doc.Missing(&d), p.issues...)...))
}

func (s shared) service(doc strict.Document) error {
	var d serviceDocument
	if err := doc.Decode(&d); err != nil {
		return err
	}
	p := parser{}
	p.name(d.Metadata)
	if _, twice := s.services[d.Metadata.Name]; twice {
		p.refuse("there is a Service of this name already", "metadata", "name")
	}
	s.services[d.Metadata.Name] = ""
	if label, ok := d.Metadata.Labels[LabelService]; ok {
		service, err := release.ParseService(label)
		if err != nil {
			p.refuse(fmt.Sprintf("label %s: %v", LabelService, err), "metadata", "labels", LabelService)
		}
		s.services[d.Metadata.Name] = service
	}
	return strict.Join(doc.Problems(append(doc.Missing(&d), p.issues...)...))
}

// indicator is one of the document's own, or the SLI that it names, which has no place of
// its own there.
func (p *parser) indicator(own *indicator, ref string, at []any) (*indicatorSpec, []any) {
	switch {
	case own != nil && ref != "":
		p.refuse("want either this or an indicator", with(at, "indicatorRef")...)
	case ref != "":
		if found, ok := p.refer.indicators[ref]; ok {
			return &found, nil
		}
		p.refuse(fmt.Sprintf("unknown SLI %q%s", ref, strict.Suggest(ref, slices.Collect(maps.Keys(p.refer.indicators)))), with(at, "indicatorRef")...)
	case own == nil:
		p.refuse(`"indicator" is missing`, at...)
	default:
		return &own.Spec, with(at, "indicator")
	}
	return nil, nil
}
