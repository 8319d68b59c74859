package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Dockerfile writes the plan down for somebody who wants to go on by hand: its build
// gives the same files. Build arguments get the values of args; caches lose their name,
// since whose they are is decided where the build runs.
func Dockerfile(p Plan, args map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made by: seatrial build eject (%s). It is yours now.\n", p.Language)
	for _, s := range p.Stages {
		on := ""
		if s.Host && !slices.Contains(p.Names(), s.From) {
			on = "--platform=$BUILDPLATFORM "
		}
		fmt.Fprintf(&b, "\nFROM %s%s AS %s\n", on, s.From, s.Name)
		if s.Dir != "" {
			fmt.Fprintf(&b, "WORKDIR %s\n", s.Dir)
		}
		env(&b, s.Env)
		var said []string
		for _, step := range s.Steps {
			if step.Copy != nil {
				copyLine(&b, *step.Copy)
				continue
			}
			for _, name := range step.Run.Args {
				if !slices.Contains(said, name) {
					argLine(&b, name, args)
				}
			}
			said = append(said, step.Run.Args...)
			runLine(&b, *step.Run)
		}
	}
	env(&b, p.Image.Env)
	if p.Image.Port > 0 {
		fmt.Fprintf(&b, "EXPOSE %d\n", p.Image.Port)
	}
	fmt.Fprintf(&b, "WORKDIR %s\nUSER %s\nENTRYPOINT %s\n", p.Image.Dir, p.Image.User, list(p.Image.Entrypoint))
	return b.String()
}

func env(b *strings.Builder, values map[string]string) {
	for _, name := range sorted(values) {
		fmt.Fprintf(b, "ENV %s=%s\n", name, quote(values[name]))
	}
}

// quote keeps a value as it is: within single quotes nothing is expanded.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'" }

func argLine(b *strings.Builder, name string, args map[string]string) {
	if value, ok := args[name]; ok {
		fmt.Fprintf(b, "ARG %s=%s\n", name, quote(value))
		return
	}
	fmt.Fprintf(b, "ARG %s\n", name)
}

func copyLine(b *strings.Builder, c Copy) {
	b.WriteString("COPY ")
	if c.From != "" {
		fmt.Fprintf(b, "--from=%s ", c.From)
	}
	for _, x := range c.Exclude {
		fmt.Fprintf(b, "--exclude=%s ", x)
	}
	words := append(slices.Clone(c.Paths), c.To)
	line := strings.Join(words, " ")
	if len(strings.Fields(line)) != len(words) {
		line = list(words)
	}
	fmt.Fprintf(b, "%s\n", line)
}

// list is the form of an instruction in which every word stands for itself.
func list(words []string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(words) // strings always encode
	return strings.TrimSpace(b.String())
}

func runLine(b *strings.Builder, r Run) {
	b.WriteString("RUN ")
	if r.Offline {
		b.WriteString("--network=none ")
	}
	if r.Bind != "" {
		fmt.Fprintf(b, "--mount=type=bind,target=%s,rw ", r.Bind)
	}
	for _, c := range r.Caches {
		fmt.Fprintf(b, "--mount=type=cache,target=%s ", c.Path)
	}
	for _, s := range r.Secrets {
		fmt.Fprintf(b, "--mount=type=secret,id=%s,target=%s,required=true ", s.ID, s.Path)
	}
	if r.Offline || r.Bind != "" || len(r.Caches)+len(r.Secrets) > 0 {
		b.WriteString("\\\n    ")
	}
	fmt.Fprintf(b, "%s\n", r.Command)
}
