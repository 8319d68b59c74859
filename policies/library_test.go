package policies_test

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/policies/library"
	"github.com/seatrial/seatrial/release"
)

// libraryCase is one entry of a NAME.cases.yaml.
type libraryCase struct {
	Name        string
	Environment struct {
		Name   string
		Labels map[string]string
	}
	Object map[string]any
	Others []map[string]any
	Refuse []string // parts of what is refused, all of it
	Warn   []string
}

func TestLibrary(t *testing.T) {
	cases := library.Cases()
	for name := range cases {
		if _, ok := library.Policies()[name]; !ok {
			t.Errorf("%s.cases.yaml stands beside no policy", name)
		}
	}
	gate := newGate(t, policies.Config{}, nil)
	for name := range library.Policies() {
		var all []libraryCase
		if err := yaml.UnmarshalStrict([]byte(cases[name]), &all); err != nil {
			t.Fatalf("%s.cases.yaml: %v", name, err)
		}
		passes := slices.ContainsFunc(all, func(c libraryCase) bool { return len(c.Refuse) == 0 })
		refuses := slices.ContainsFunc(all, func(c libraryCase) bool { return len(c.Refuse) > 0 })
		if !passes || !refuses {
			t.Errorf("%s has no case that passes or none that is refused", name)
		}
		for _, c := range all {
			t.Run(name+"/"+c.Name, func(t *testing.T) { c.run(t, gate, name) })
		}
	}
}

func (c libraryCase) run(t *testing.T, gate *policies.Gate, name string) {
	in := input(append([]map[string]any{c.Object}, c.Others...)...)
	in.Environment.Meta.Name, in.Environment.Meta.Labels = c.Environment.Name, c.Environment.Labels
	in.Environment.Spec.Policies = []string{name}
	got := evidenceOf(t, check(t, gate, in), name)
	var refused, warned []string
	for line := range strings.SplitSeq(got.Detail, "\n") {
		if text, ok := strings.CutPrefix(line, "refuse: "); ok {
			refused = append(refused, text)
		}
		if text, ok := strings.CutPrefix(line, "warn: "); ok {
			warned = append(warned, text)
		}
	}
	same(t, "refused", refused, c.Refuse)
	same(t, "warned", warned, c.Warn)
	if got.Holds != (len(c.Refuse) == 0) {
		t.Errorf("holds is %v", got.Holds)
	}
	for _, line := range refused {
		if !strings.Contains(line, "Fix: ") {
			t.Errorf("%q says no remedy", line)
		}
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s %d things, want %d:\n%s", what, len(got), len(want), strings.Join(got, "\n"))
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, w) }) {
			t.Errorf("%s nothing with %q:\n%s", what, w, strings.Join(got, "\n"))
		}
	}
}

func evidenceOf(t *testing.T, v release.Verdict, policy string) release.Evidence {
	t.Helper()
	for _, e := range v.Evidence() {
		if e.Facts["policy"] == policy {
			return e
		}
	}
	t.Fatalf("no evidence of %s in %v: %s", policy, v.Outcome(), v.Reason())
	return release.Evidence{}
}
