package openslo

import (
	"fmt"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/promql"
)

// Sloth's documents: the spec that its command line reads, and its Kubernetes object.
const (
	slothVersion = "prometheus/v1"
	slothObject  = "sloth.slok.dev/v1"
	slothKind    = "PrometheusServiceLevel"
)

// slothWindow is Sloth's period when nobody says another.
const slothWindow = 30 * 24 * time.Hour

func isSloth(doc strict.Document) bool {
	return doc.APIVersion == slothObject || doc.APIVersion == "" && doc.Text("version") == slothVersion
}

// slothSpec is both of them, in the spelling of the command line.
type slothSpec struct {
	Version string            `json:"version"`
	Service string            `json:"service"`
	Labels  map[string]string `json:"labels,omitempty"`
	SLOs    []struct {
		Name        string            `json:"name"`
		Description string            `json:"description,omitempty"`
		Objective   float64           `json:"objective"`
		Labels      map[string]string `json:"labels,omitempty"`
		SLI         struct {
			Raw *struct {
				ErrorRatioQuery string `json:"error_ratio_query"`
			} `json:"raw,omitempty"`
			Events *struct {
				ErrorQuery string `json:"error_query"`
				TotalQuery string `json:"total_query"`
			} `json:"events,omitempty"`
			Plugin any `json:"plugin,omitempty"`
		} `json:"sli"`
		Alerting struct {
			Name        string            `json:"name,omitempty"`
			Labels      map[string]string `json:"labels,omitempty"`
			Annotations map[string]string `json:"annotations,omitempty"`
			PageAlert   slothAlert        `json:"page_alert,omitempty"`
			TicketAlert slothAlert        `json:"ticket_alert,omitempty"`
		} `json:"alerting,omitempty"`
	} `json:"slos"`
}

// slothAlert is what of an alert may be said; the windows are Sloth's own.
type slothAlert struct {
	Disable     bool              `json:"disable,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// slothResource is the same in the spelling of the object; Go converts one into the other.
type slothResource struct {
	Metadata any `json:"metadata"`
	Spec     struct {
		Version string            `json:"version,omitempty"`
		Service string            `json:"service"`
		Labels  map[string]string `json:"labels,omitempty"`
		SLOs    []struct {
			Name        string            `json:"name"`
			Description string            `json:"description,omitempty"`
			Objective   float64           `json:"objective"`
			Labels      map[string]string `json:"labels,omitempty"`
			SLI         struct {
				Raw *struct {
					ErrorRatioQuery string `json:"errorRatioQuery"`
				} `json:"raw,omitempty"`
				Events *struct {
					ErrorQuery string `json:"errorQuery"`
					TotalQuery string `json:"totalQuery"`
				} `json:"events,omitempty"`
				Plugin any `json:"plugin,omitempty"`
			} `json:"sli"`
			Alerting struct {
				Name        string            `json:"name,omitempty"`
				Labels      map[string]string `json:"labels,omitempty"`
				Annotations map[string]string `json:"annotations,omitempty"`
				PageAlert   slothAlert        `json:"pageAlert,omitempty"`
				TicketAlert slothAlert        `json:"ticketAlert,omitempty"`
			} `json:"alerting,omitempty"`
		} `json:"slos"`
	} `json:"spec"`
}

// slothKeys are the keys that the two spell differently.
type slothKeys struct {
	at                        []any // where the spec stands
	errors, total, errorRatio string
}

// sloth reads a document of Sloth.
func sloth(doc strict.Document, refer shared) ([]SLO, error) {
	var d slothSpec
	keys := slothKeys{nil, "error_query", "total_query", "error_ratio_query"}
	var issues []strict.Issue
	if doc.APIVersion == slothObject {
		var r slothResource
		if doc.Kind != slothKind {
			return nil, strict.Join(doc.Problems(strict.At(fmt.Sprintf("kind %q: want %s", doc.Kind, slothKind), "kind")))
		}
		if err := doc.Decode(&r); err != nil {
			return nil, err
		}
		d, issues = slothSpec(r.Spec), doc.Missing(&r)
		keys = slothKeys{[]any{"spec"}, "errorQuery", "totalQuery", "errorRatioQuery"}
	} else {
		if err := doc.Decode(&d); err != nil {
			return nil, err
		}
		issues = doc.Missing(&d)
	}
	if len(issues) > 0 {
		return nil, strict.Join(doc.Problems(issues...))
	}
	p := parser{slo: SLO{File: doc.File, Line: doc.Line, Window: slothWindow}, refer: refer}
	p.owner(d, keys.at)
	var slos []SLO
	for i := range d.SLOs {
		slos = append(slos, p.sloth(d, i, keys))
	}
	if len(p.issues) > 0 {
		return nil, strict.Join(doc.Problems(p.issues...))
	}
	return slos, nil
}

// owner is whose a Sloth service is: what a Service document of its name says, or its team's.
func (p *parser) owner(d slothSpec, at []any) {
	if p.slo.Service = p.refer.services[d.Service]; p.slo.Service != "" {
		return
	}
	service, err := release.ParseService(d.Labels["team"] + "/" + d.Service)
	if err != nil {
		p.refuse(fmt.Sprintf("whose is %q? Write the label team here, or a Service of this name with the label %s", d.Service, LabelService), with(at, "service")...)
	}
	p.slo.Service = service
}

func (p *parser) sloth(d slothSpec, i int, keys slothKeys) SLO {
	from, at := d.SLOs[i], with(keys.at, "slos", i)
	s := p.slo
	s.Name, s.Title, s.Description = slug(d.Service+"-"+from.Name), from.Name, from.Description
	if !release.ValidName(s.Name) {
		p.refuse(fmt.Sprintf("%q: want at most 63 letters, digits and dashes, the service's included", s.Name), with(at, "name")...)
	}
	s.Objective = percent(from.Objective)
	if !(from.Objective > 0 && from.Objective < 100) {
		p.refuse(fmt.Sprintf("%v: want a number between 0 and 100, both excluded, such as 99", from.Objective), with(at, "objective")...)
	}
	s.NoPage, s.NoTicket = from.Alerting.PageAlert.Disable, from.Alerting.TicketAlert.Disable
	sli := with(at, "sli")
	switch {
	case from.SLI.Plugin != nil:
		p.refuse("not supported: a plugin is a program; write the queries that it makes", with(sli, "plugin")...)
	case (from.SLI.Raw == nil) == (from.SLI.Events == nil):
		p.refuse("want either events or raw", sli...)
	case from.SLI.Raw != nil:
		if q := p.slothQuery(from.SLI.Raw.ErrorRatioQuery, with(sli, "raw", keys.errorRatio)); q != "" {
			c := rawOf(q, true)
			s.Bad, s.Total, s.Every = c.bad, c.total, c.every
		}
	default:
		s.Bad = events(p.slothQuery(from.SLI.Events.ErrorQuery, with(sli, "events", keys.errors)))
		s.Total = events(p.slothQuery(from.SLI.Events.TotalQuery, with(sli, "events", keys.total)))
	}
	return s
}

// slothQuery is a query of Sloth as one of ours; empty when something is wrong with it. Where
// it does not say which cluster it asks about, it asks about one.
func (p *parser) slothQuery(text string, at []any) Query {
	before := len(p.issues)
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if name := text[m[2]:m[3]]; name != "window" {
			p.issues = append(p.issues, strict.At("placeholder "+text[m[0]:m[1]]+" is unknown: there is {{.window}}", at...).Inside(m[0]))
		}
	}
	if len(p.issues) > before {
		return ""
	}
	q := Query(placeholder.ReplaceAllStringFunc(text, func(m string) string { return strings.Replace(m, "window", "Window", 1) }))
	if !q.has("Window") {
		p.refuse("the query has no {{.window}}: it could not be asked for the time since a rollout", at...)
	}
	p.issues = append(p.issues, q.mistakes(at)...)
	if len(p.issues) > before {
		return ""
	}
	return Query(strings.TrimSpace(promql.Match(string(q), q.sample(), "cluster", "{{.Cluster}}")))
}

// events makes a count of a rate.
func events(q Query) Query {
	if promql.PerSecond(q.sample()) {
		return Query(q.wrapped() + " * {{.Seconds}}")
	}
	return q
}
