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
	p.line("\n%s\n", strings.TrimSpace(title))
	for _, i := range items {
		p.line("- %s", md(i))
	}
}

func (r Report) markdown(in Language) string {
	p := &page{}
	p.line("# %s\n", md(r.Title(in)))
	p.line("**%s**\n", md(r.Recorded.Text(in)))
	p.line("%s", md(r.Agreement(in)))
	if r.Recorded.Hint != "" {
		p.line("%s", in.say("Next step: %s", md(r.Recorded.Hint)))
	}
	p.line("")
	p.head("", "")
	for _, f := range r.Rows(in) {
		if f[1] != "" {
			p.row(f[0], md(f[1]))
		}
	}
	p.list(in.say("Not measured")+in.colon(), in.told(r.NotMeasured))
	for _, x := range r.Experiments {
		x.markdown(p, in)
	}
	p.line("\n%s", r.Notes(in))
	return p.String()
}

func (x Experiment) markdown(p *page, in Language) {
	p.line("\n## %s\n", in.say("Experiment %s", md(x.Name)))
	p.line("**%s**", md(x.Verdict.Text(in)))
	p.list(in.say("Hypothesis")+in.colon(), x.Supposed(in))
	p.line("\n%s", x.Broke(in, md))
	if x.Fault != nil {
		for _, k := range x.Fault.Told() {
			p.line("- %s", in.say("with %s", md(k)))
		}
	}
	p.list(in.say("Targets")+in.colon(), x.Targets)
	if x.LeftOut > 0 {
		p.line("- %s", in.say("and %d more", x.LeftOut))
	}
	p.line("\n%s%s%s\n", in.say("Recovery"), in.colon(), md(x.Recovery.Text(in)))
	if len(x.SLOs) > 0 {
		p.head(in.all("SLO", "objective", "without the fault", "interval", "under the fault", "interval")...)
		for _, s := range x.SLOs {
			p.row(md(s.Title), share(in, s.Objective), s.Without.Text(in), s.Without.Sure(in), s.Under.Text(in), s.Under.Sure(in))
		}
		p.line("")
	}
	for _, c := range x.Compared {
		p.line("%s%s\n", md(c.Text(in)), in.stop())
		if c.Table == nil {
			continue
		}
		p.head(in.all("", "without the fault", "under the fault")...)
		for _, side := range c.Sides(in) {
			p.row(md(side[0]), side[1], side[2])
		}
		p.line("\n%s\n", in.say("What the fault does to the candidate alone: %s.", md(c.Extra.Text(in))))
	}
	p.head(in.all("time", "took", "what")...)
	for _, m := range x.Timeline {
		p.row(clock(in, m.At), until(m), md(m.Text(in)))
	}
	p.list(in.say("Not measured")+in.colon(), in.told(x.NotMeasured))
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (s Summary) markdown(in Language) string {
	p := &page{}
	p.line("# %s\n", md(s.Title(in)))
	p.line("%s\n", md(s.Line(in)))
	p.head(append(in.all("service", "experiment"), s.Head(in)...)...)
	for _, r := range s.Rows {
		p.row(append([]string{md(r.Service), md(or(r.Experiment, in.say("all")))}, r.Cells(in)...)...)
	}
	p.line("\n%s", md(s.Notes(in)))
	return p.String()
}
