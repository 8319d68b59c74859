package plan

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Words is the plan for people: what it rests on and why, then what will be done.
func Words(p Plan) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 2, 0, 2, ' ', 0)
	fmt.Fprintf(w, "language\t%s\t\n", p.Language)
	for _, f := range p.Facts {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Name, f.Value, f.Why)
	}
	w.Flush()
	for _, s := range p.Stages {
		where := "on each platform"
		if s.Host {
			where = "on the building machine"
		}
		if len(s.Steps) > 0 && s.Steps[len(s.Steps)-1].Run == nil {
			where = ""
		}
		fmt.Fprintf(&b, "\n%s\n", strings.TrimRight(fmt.Sprintf("%s, from %s %s", s.Name, s.From, where), " "))
		for _, step := range s.Steps {
			fmt.Fprintf(&b, "  %s\n", step)
		}
	}
	fmt.Fprintf(&b, "\nruns %s as %s in %s\n", strings.Join(p.Image.Entrypoint, " "), p.Image.User, p.Image.Dir)
	return b.String()
}

// String is the step in one line.
func (s Step) String() string {
	if s.Run != nil {
		return "run " + s.Run.Command
	}
	from := ""
	if s.Copy.From != "" {
		from = " of " + s.Copy.From
	}
	return fmt.Sprintf("copy %s%s to %s", strings.Join(s.Copy.Paths, ", "), from, s.Copy.To)
}
