// Package faults knows which kinds of faults there are, what each is told and how that
// is checked: one table, read where a platform repo is checked, where the limits are, and
// where a fault is created.
//
// Start at Kinds. What a person writes under a fault's `with` is Known to its action or
// refused; Spec turns it into the fields of the object that carries the fault out, with
// every default written out, because nobody else is relied on to fill them in. It never
// reaches a cluster or a database.
package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seatrial/seatrial/release"
)

// Kind is a kind of fault.
type Kind struct {
	Name      string
	Actions   []Action
	Own       bool   // we carry it out, and not Chaos Mesh
	Container bool   // it may be told one container of its pods
	Shared    bool   // it breaks something that all pods use, and not pods one by one
	Chosen    bool   // the action is a field of the spec; else it is a word of ours for what there is
	Refused   string // why it is not supported at all
}

// Action is one thing a kind can do.
type Action struct {
	Name           string
	OneShot        bool // done at once: its duration ends nothing
	NeedsContainer bool
	Disrupts       bool // its pods answer nobody: a PodDisruptionBudget has to allow that
	Fields         []Field
	Any            []string       // one of these fields at least
	Fixed          map[string]any // fields of the spec that are always the same, by path

	// Peer is the field with the labels of the pods at the other end, and PeerNamespace the
	// one with their namespace.
	Peer, PeerNamespace string
}

// Field is something a person may write under `with`.
type Field struct {
	Name    string
	Path    string // where it goes in the spec; empty: nowhere, the provider reads it
	Needed  bool
	Default any
	read    reader
}

// Mistake is a field that is wrong; an empty Field is about all of them.
type Mistake struct{ Field, Message string }

// Names are the kinds that are supported.
func Names() []string {
	var all []string
	for _, k := range Kinds() {
		if k.Refused == "" {
			all = append(all, k.Name)
		}
	}
	return all
}

// Find is the kind of a name.
func Find(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return Kind{}, false
}

// ActionNames are what a kind can do.
func (k Kind) ActionNames() []string {
	all := make([]string, 0, len(k.Actions))
	for _, a := range k.Actions {
		all = append(all, a.Name)
	}
	return all
}

// Action is the action of a name.
func (k Kind) Action(name string) (Action, bool) {
	for _, a := range k.Actions {
		if a.Name == name {
			return a, true
		}
	}
	return Action{}, false
}

// Of is the kind and the action of a fault, or why there is no such fault.
func Of(f release.Fault) (Kind, Action, error) {
	k, ok := Find(f.Kind)
	switch {
	case !ok:
		return k, Action{}, fmt.Errorf("fault kind %q is not supported: want one of %s", f.Kind, strings.Join(Names(), ", "))
	case k.Refused != "":
		return k, Action{}, fmt.Errorf("fault kind %s is not supported: %s", f.Kind, k.Refused)
	}
	a, ok := k.Action(f.Action)
	if !ok {
		return k, a, fmt.Errorf("fault action %q is not supported: %s wants one of %s", f.Action, f.Kind, strings.Join(k.ActionNames(), ", "))
	}
	return k, a, nil
}

// Lasts reports whether a fault is active until its duration is over; an unknown one is
// treated as if it was.
func Lasts(kind, action string) bool {
	k, _ := Find(kind)
	a, _ := k.Action(action)
	return !a.OneShot
}

// FieldNames are the fields that an action knows.
func (a Action) FieldNames() []string {
	all := make([]string, 0, len(a.Fields))
	for _, f := range a.Fields {
		all = append(all, f.Name)
	}
	return all
}

// Mistakes are what is wrong with the fields of a fault, in a fixed order.
func (a Action) Mistakes(with map[string]any) []Mistake {
	var all []Mistake
	known := a.FieldNames()
	for _, name := range slices.Sorted(maps.Keys(with)) {
		if !slices.Contains(known, name) {
			all = append(all, Mistake{name, fmt.Sprintf("%s has no such field (there is: %s)", a.Name, orNone(known))})
		}
	}
	for _, f := range a.Fields {
		value, ok := with[f.Name]
		switch {
		case !ok && f.Needed:
			all = append(all, Mistake{"", fmt.Sprintf("%s needs %s: %s", a.Name, f.Name, f.read.want)})
		case ok:
			if _, ok := f.read.read(value); !ok {
				all = append(all, Mistake{f.Name, fmt.Sprintf("%s: want %s", shown(value), f.read.want)})
			}
		}
	}
	if len(a.Any) > 0 && !slices.ContainsFunc(a.Any, func(n string) bool { _, ok := with[n]; return ok }) {
		all = append(all, Mistake{"", fmt.Sprintf("%s needs one of %s", a.Name, strings.Join(a.Any, ", "))})
	}
	return append(all, a.peerMistakes(with)...)
}

// peerMistakes: a fault that works in both directions changes the pods at the other end as
// well, and those were never checked against any limit.
func (a Action) peerMistakes(with map[string]any) []Mistake {
	_, peer := with[a.Peer]
	_, namespace := with[a.PeerNamespace]
	switch {
	case a.Peer == "":
		return nil
	case namespace && !peer:
		return []Mistake{{a.PeerNamespace, fmt.Sprintf("only counts together with %s", a.Peer)}}
	case peer && with["direction"] != nil && with["direction"] != "to":
		return []Mistake{{"direction", fmt.Sprintf("%v would change the pods of %s too, which no limit was checked for: want to", with["direction"], a.Peer)}}
	}
	return nil
}

// Values are an action's fields as they count: read, with defaults for what is left out.
func (a Action) Values(with map[string]any) (map[string]any, error) {
	if wrong := a.Mistakes(with); len(wrong) > 0 {
		return nil, fmt.Errorf("%s: %s", wrong[0].where(), wrong[0].Message)
	}
	out := map[string]any{}
	for _, f := range a.Fields {
		if value, ok := with[f.Name]; ok {
			out[f.Name], _ = f.read.read(value)
		} else if f.Default != nil {
			out[f.Name] = f.Default
		}
	}
	return out, nil
}

func (m Mistake) where() string {
	if m.Field == "" {
		return "with"
	}
	return "with." + m.Field
}

// Spec is what a fault's action and fields become in the spec of its object; targets,
// duration and name are not its business.
func (k Kind) Spec(a Action, namespace string, with map[string]any) (map[string]any, error) {
	values, err := a.Values(with)
	if err != nil {
		return nil, err
	}
	spec := map[string]any{}
	if k.Chosen {
		spec["action"] = a.Name
	}
	for path, value := range a.Fixed {
		set(spec, path, value)
	}
	for _, f := range a.Fields {
		if value, ok := values[f.Name]; ok && f.Path != "" {
			set(spec, f.Path, value)
		}
	}
	if _, ok := values[a.Peer]; ok && a.Peer != "" {
		in, _ := values[a.PeerNamespace].(string)
		if in == "" {
			in = namespace
		}
		set(spec, "target.mode", "all")
		set(spec, "target.selector.namespaces", []any{in})
	}
	return spec, nil
}

func set(into map[string]any, path string, value any) {
	first, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		into[first] = value
		return
	}
	next, ok := into[first].(map[string]any)
	if !ok {
		next = map[string]any{}
		into[first] = next
	}
	set(next, rest, value)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
