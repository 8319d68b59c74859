package faults

import (
	"fmt"
	"strings"
)

// Markdown is the table of docs/faults.md: every kind, what it does and what it is told.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| kind | action | `with` |\n|---|---|---|\n")
	for _, k := range Kinds() {
		if k.Refused != "" {
			fmt.Fprintf(&b, "| `%s` | not supported | %s |\n", k.Name, k.Refused)
		}
		for _, a := range k.Actions {
			fmt.Fprintf(&b, "| `%s` | `%s`%s | %s |\n", k.Name, a.Name, marks(a), told(a))
		}
	}
	return b.String()
}

func marks(a Action) string {
	var all []string
	if a.OneShot {
		all = append(all, "at once")
	}
	if a.NeedsContainer {
		all = append(all, "needs `container`")
	}
	if len(all) == 0 {
		return ""
	}
	return " (" + strings.Join(all, ", ") + ")"
}

func told(a Action) string {
	if len(a.Fields) == 0 {
		return "nothing"
	}
	var all []string
	for _, f := range a.Fields {
		text := "`" + f.Name + "`"
		switch {
		case f.Needed:
			text = "**" + text + "**"
		case f.Default != nil:
			text += fmt.Sprintf(" (%v)", f.Default)
		}
		all = append(all, text+": "+strings.ReplaceAll(f.read.want, "|", "\\|"))
	}
	return strings.Join(all, "; ")
}
