package report

import (
	"fmt"
	"strings"
)

// md makes text from outside mean nothing but itself in Markdown, in a table as well: no
// link, no tag, no emphasis, no list, and no mention of anybody.
func md(s string) string {
	var b strings.Builder
	for _, r := range clean(s) {
		switch {
		case r == '@':
			b.WriteString("@&#8203;") // a name that follows it is not called
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_[]#|~$", r):
			b.WriteString("\\" + string(r))
		default:
			b.WriteRune(r)
		}
	}
	out := strings.NewReplacer("://", "&#58;//", "www.", "www&#46;").Replace(b.String()) // bare addresses become links
	digits := strings.TrimLeft(out, "0123456789")
	switch {
	case strings.HasPrefix(out, "-"), strings.HasPrefix(out, "+"), strings.HasPrefix(out, "="):
		return `\` + out
	case len(digits) < len(out) && (strings.HasPrefix(digits, ".") || strings.HasPrefix(digits, ")")):
		return out[:len(out)-len(digits)] + `\` + digits
	}
	return out
}

// page collects lines.
type page struct{ strings.Builder }

func (p *page) line(format string, parts ...any) { fmt.Fprintf(p, format+"\n", parts...) }

func (p *page) row(cells ...string) { p.line("| %s |", strings.Join(cells, " | ")) }

func (p *page) head(cells ...string) {
	p.row(cells...)
	p.line("|%s", strings.Repeat("---|", len(cells)))
}

func (p *page) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	p.line("\n%s\n", title)
	for _, i := range items {
		p.line("- %s", md(i))
	}
}

func (r Report) markdown() string {
	p := &page{}
	p.line("# %s\n", md(r.Title()))
	p.line("**%s**\n", md(r.Recorded.Text()))
	p.line("%s", md(r.Agreement()))
	if r.Recorded.Hint != "" {
		p.line("Next step: %s", md(r.Recorded.Hint))
	}
	p.line("")
	p.head("", "")
	for _, f := range r.Rows() {
		if f[1] != "" {
			p.row(f[0], md(f[1]))
		}
	}
	p.list("Not measured:", r.NotMeasured)
	for _, x := range r.Experiments {
		x.markdown(p)
	}
	p.line("\n%s", r.Notes())
	return p.String()
}

func (x Experiment) markdown(p *page) {
	p.line("\n## Experiment %s\n", md(x.Name))
	p.line("**%s**", md(x.Verdict.Text()))
	p.list("Hypothesis:", x.Hypothesis)
	p.line("\n%s on %s, attempt %d. %s.", md(x.Fault.Text()), md(or(x.Cluster, "no cluster")), x.Attempt, md(or(x.Aim, "Whom it might have hit is not recorded")))
	if x.Fault != nil {
		for _, k := range x.Fault.Told() {
			p.line("- with %s", md(k))
		}
	}
	p.list("Targets:", x.Targets)
	if x.LeftOut > 0 {
		p.line("- and %d more", x.LeftOut)
	}
	p.line("\nRecovery: %s\n", md(x.Recovery.Text()))
	if len(x.SLOs) > 0 {
		p.head("SLO", "objective", "without the fault", "interval", "under the fault", "interval")
		for _, s := range x.SLOs {
			p.row(md(s.Title), share(s.Objective), s.Without.Text(), s.Without.Sure(), s.Under.Text(), s.Under.Sure())
		}
		p.line("")
	}
	for _, c := range x.Compared {
		p.line("%s.\n", md(c.Text()))
		if c.Table == nil {
			continue
		}
		p.head("", "without the fault", "under the fault")
		for _, side := range c.Sides() {
			p.row(md(side[0]), side[1], side[2])
		}
		p.line("\nWhat the fault does to the candidate alone: %s.\n", md(c.Extra.Text()))
	}
	p.head("time", "took", "what")
	for _, m := range x.Timeline {
		p.row(clock(m.At), until(m), md(m.Text()))
	}
	p.list("Not measured:", x.NotMeasured)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (s Summary) markdown() string {
	p := &page{}
	p.line("# %s\n", md(s.Title()))
	p.line("%s\n", md(s.Line()))
	p.head(append([]string{"service", "experiment"}, summaryHead...)...)
	for _, r := range s.Rows {
		p.row(append([]string{md(r.Service), md(or(r.Experiment, "all"))}, r.Cells()...)...)
	}
	p.line("\n%s", md(s.Notes()))
	return p.String()
}
