// Package matchers reads and asks what people write to choose events: severity=critical,
// service=~"shop/.*". Routes and silences use the same words.
//
// Start at Parse. It knows nothing of events but the names of their labels, and it never
// guesses: a label that no event has is an error.
package matchers

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seatrial/seatrial/internal/strict"
)

// The labels of an event.
const (
	Team        = "team"
	Project     = "project"
	Severity    = "severity"
	Kind        = "kind"
	Environment = "environment"
	Service     = "service"
)

// Labels lists them all.
func Labels() []string {
	return []string{Team, Project, Severity, Kind, Environment, Service}
}

// Matcher is one condition on one label.
type Matcher struct {
	text   string
	label  string
	value  string
	re     *regexp.Regexp // of =~ and !~, over the whole value
	negate bool
}

// maxText bounds what one matcher may be.
const maxText = 500 // bytes

var shape = regexp.MustCompile(`^\s*([a-zA-Z_]+)\s*(=~|!~|!=|=)\s*(.*?)\s*$`)

// Parse reads LABEL=VALUE, LABEL!=VALUE, LABEL=~PATTERN or LABEL!~PATTERN; the value may
// stand in double quotes. A label that an event lacks has the empty value.
func Parse(text string) (Matcher, error) {
	parts := shape.FindStringSubmatch(text)
	if parts == nil || len(text) > maxText {
		return Matcher{}, fmt.Errorf("%.60q: want LABEL=VALUE, with =, !=, =~ or !~", text)
	}
	m := Matcher{text: strings.TrimSpace(text), label: parts[1], value: parts[3], negate: parts[2][0] == '!'}
	if !slices.Contains(Labels(), m.label) {
		return Matcher{}, fmt.Errorf("unknown label %q%s", m.label, strict.Suggest(m.label, Labels()))
	}
	if strings.HasPrefix(m.value, `"`) {
		value, err := strconv.Unquote(m.value)
		if err != nil {
			return Matcher{}, fmt.Errorf("%q: the quotes do not fit together", text)
		}
		m.value = value
	}
	if strings.HasSuffix(parts[2], "~") {
		re, err := regexp.Compile(`^(?s:` + m.value + `)$`)
		if err != nil {
			return Matcher{}, fmt.Errorf("%q: %w", text, err)
		}
		m.re = re
	}
	return m, nil
}

// String is what was written.
func (m Matcher) String() string { return m.text }

// Matches asks the condition.
func (m Matcher) Matches(labels map[string]string) bool {
	got := labels[m.label]
	if m.re != nil {
		return m.re.MatchString(got) != m.negate
	}
	return (got == m.value) != m.negate
}

// Set is conditions that have to hold together.
type Set []Matcher

// ParseAll reads a list; every entry that is wrong is told.
func ParseAll(texts []string) (Set, error) {
	var set Set
	var all []error
	for _, text := range texts {
		m, err := Parse(text)
		set, all = append(set, m), append(all, err)
	}
	return set, errors.Join(all...)
}

// Matches reports whether all hold; of none, it is true.
func (s Set) Matches(labels map[string]string) bool {
	return !slices.ContainsFunc(s, func(m Matcher) bool { return !m.Matches(labels) })
}
