package rules

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/seatrial/seatrial/slo/burn"
)

// Write prints the sets as one file of rules for Prometheus.
func Write(w io.Writer, sets []Set) error {
	b := printer{bufio.NewWriter(w)}
	b.line("# Made by seatrial slo rules. Change the SLO, not this file.")
	if len(sets) == 0 {
		b.line("groups: []")
		return b.Flush()
	}
	b.line("groups:")
	for _, s := range sets {
		b.groups("", s.Groups)
	}
	return b.Flush()
}

// WriteObjects prints a PrometheusRule for each set, for the Prometheus operator. One for
// all of them would outgrow what a cluster accepts.
func WriteObjects(w io.Writer, sets []Set) error {
	b := printer{bufio.NewWriter(w)}
	for i, s := range sets {
		if i > 0 {
			b.line("---")
		}
		b.line("# Made by seatrial slo rules. Change the SLO, not this object.")
		b.line("apiVersion: monitoring.coreos.com/v1")
		b.line("kind: PrometheusRule")
		b.line("metadata:")
		b.field("  name: ", "slo-"+s.SLO)
		b.line("  labels: {app.kubernetes.io/managed-by: seatrial}")
		b.line("spec:")
		b.line("  groups:")
		b.groups("  ", s.Groups)
	}
	return b.Flush()
}

// printer remembers its first error until Flush.
type printer struct{ *bufio.Writer }

func (p printer) line(s string) {
	_, _ = p.WriteString(s)
	_ = p.WriteByte('\n')
}

func (p printer) field(key, value string) {
	_, _ = p.WriteString(key)
	p.line(quote(value))
}

func (p printer) groups(indent string, groups []Group) {
	for _, g := range groups {
		p.field(indent+"- name: ", g.Name)
		p.line(indent + "  interval: " + burn.Span(g.Interval))
		p.line(indent + "  rules:")
		for _, r := range g.Rules {
			key := "  - record: "
			if r.Alert != "" {
				key = "  - alert: "
			}
			p.field(indent+key, r.Name())
			p.field(indent+"    expr: ", r.Expr)
			p.pairs(indent+"    ", "labels:", r.Labels)
			p.pairs(indent+"    ", "annotations:", r.Annotations)
		}
	}
}

func (p printer) pairs(indent, key string, pairs []Pair) {
	if len(pairs) == 0 {
		return
	}
	p.line(indent + key)
	for _, l := range pairs {
		p.field(indent+"  "+l.Name+": ", l.Value)
	}
}

// quote is a YAML scalar that is read as exactly s.
func quote(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
