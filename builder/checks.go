package builder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// goal is what one solve is for: a run of a check, or the image. The plan has the arguments
// of that run.
type goal struct {
	name   string
	target string
	plan   Plan
}

// goals are the runs of all checks, each once for every combination of its matrix, in the
// order in which they are written.
func (p Plan) goals() []goal {
	var out []goal
	for _, c := range p.Checks {
		for _, args := range combinations(c.Matrix) {
			g := goal{name: c.Name, target: c.Target, plan: p}
			if len(args) > 0 {
				g.name += " (" + words(args) + ")"
				g.plan.Args = maps.Clone(p.Args)
				maps.Copy(g.plan.Args, args)
			}
			out = append(out, g)
		}
	}
	return out
}

// combinations of nothing are one, without arguments.
func combinations(matrix map[string][]string) []map[string]string {
	out := []map[string]string{{}}
	for _, name := range slices.Sorted(maps.Keys(matrix)) {
		var more []map[string]string
		for _, args := range out {
			for _, value := range matrix[name] {
				with := maps.Clone(args)
				with[name] = value
				more = append(more, with)
			}
		}
		out = more
	}
	return out
}

func words(args map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(args)) {
		out = append(out, name+"="+args[name])
	}
	return strings.Join(out, ", ")
}

// told is a check as an input of the build.
func told(c release.BuildCheck) string {
	out := c.Target
	for _, name := range slices.Sorted(maps.Keys(c.Matrix)) {
		out += fmt.Sprintf(", %s=%s", name, strings.Join(c.Matrix[name], "|"))
	}
	return out
}
