package policies

import (
	"context"
	"fmt"
	"strings"

	"github.com/seatrial/seatrial/policies/rego"
)

// regoObjects are the objects as rego sees them, with what they do not say themselves.
func regoObjects(in Input, all []object) (rego.Objects, error) {
	bodies := make([]map[string]any, 0, len(all))
	for _, o := range all {
		bodies = append(bodies, o.body)
	}
	return rego.Read(bodies, map[string]any{
		"environment": map[string]any{"name": in.Environment.Meta.Name, "labels": in.Environment.Meta.Labels},
		"project":     map[string]any{"name": in.Project.Meta.Name, "team": in.Project.Spec.Team},
		"service":     string(in.Release.Service),
	})
}

// checkRego runs one rego policy over every object. Whatever keeps it from answering is
// a problem; only the end of ctx is an error.
func (g *Gate) checkRego(ctx context.Context, name string, in Input, all []object, objects func() (rego.Objects, error)) (result, error) {
	res := result{policy: name, claim: fmt.Sprintf("no object is refused by %s", name), facts: map[string]string{}}
	at := ""
	refuse := func(why, fix string) (result, error) {
		res.problems = append(res.problems, Problem{Policy: name, Object: at, Why: clip(why, maxText), Fix: fix})
		return res, nil
	}
	source, err := rego.Find(name, in.Policies)
	if err != nil {
		return refuse(fmt.Sprintf("policy %s: %s", name, err), "correct the list of policies of the environment, or the files of the platform repo")
	}
	read, err := objects()
	if err != nil {
		return refuse(err.Error(), "write the manifests as plain YAML")
	}
	answer, err := g.rego.Ask(ctx, source, read, g.config.Now())
	if err != nil {
		return res, err
	}
	res.facts["file"], res.facts["rules"] = source.File, strings.Join(answer.Rules, ", ")
	if answer.At >= 0 {
		at = all[answer.At].String()
	}
	if answer.Failed != "" {
		return refuse(answer.Failed, "correct "+source.File+"; opa check and opa eval show where")
	}
	for _, f := range answer.Findings {
		p := Problem{Policy: name, Rule: f.Rule, Object: all[f.Object].String(), Container: clip(f.Container, maxText), Why: clip(f.Why, maxText), Fix: clip(f.Fix, maxText), Link: f.Link}
		if p.Fix == "" {
			p.Fix = "change the object as policy " + name + " says (" + source.File + ")"
		}
		if f.Warn {
			res.warnings = append(res.warnings, p)
			continue
		}
		res.problems = append(res.problems, p)
	}
	return res, nil
}
