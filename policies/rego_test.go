package policies_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

func TestRego(t *testing.T) {
	const heavy = `
deny contains "found" if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a * b == -1
}`
	for _, c := range []struct {
		name    string
		files   map[string]string // "rule.rego" is the policy
		limit   time.Duration     // default: longer than any of these takes
		outcome release.Outcome
		says    []string
		detail  string // in the policy's evidence
	}{
		{name: "deny with text refuses", files: rule("package main\ndeny contains msg if { input.kind == \"Deployment\"; msg := \"no\" }"), outcome: release.Refused, says: []string{"Deployment shop/web: no (rule)"}},
		{name: "violation with an object refuses, with its remedy and container", files: rule("package rule\nviolation_x contains {\"msg\": \"no\", \"remedy\": \"do\", \"container\": \"app\"}"), outcome: release.Refused,
			says: []string{"Deployment shop/web container app: no (rule: violation_x)"}, detail: "Fix: do"},
		{name: "warn is evidence and refuses nothing", files: rule("package main\nwarn contains \"careful\"\ndeny contains msg if { input.kind == \"Pod\"; msg := \"no\" }"), outcome: release.Passed, detail: "warn: Deployment shop/web: careful"},
		{name: "an exception lets its rule pass and leaves evidence", files: rule("package main\ndeny_root contains \"root\"\nexception contains [\"root\"] if input.metadata.name == \"web\""), outcome: release.Passed, detail: "warn: Deployment shop/web: excepted: root"},
		{name: "an exception covers no other rule", files: rule("package main\ndeny_root contains \"root\"\ndeny contains \"other\"\nexception contains [\"root\"]"), outcome: release.Refused, says: []string{"other"}},
		{name: "an exception that is no list refuses", files: rule("package main\ndeny_root contains \"root\"\nexception contains \"root\""), outcome: release.Refused, says: []string{"exception is not a set of lists"}},
		{name: "METADATA gives remedy and link", files: rule("# METADATA\n# custom:\n#   remedy: do this\n# related_resources:\n#   - ref: https://example.com/why\npackage main\ndeny contains \"no\""), outcome: release.Refused, detail: "Fix: do this. See https://example.com/why"},
		{name: "a rule's METADATA goes before the package's", files: rule("# METADATA\n# custom:\n#   remedy: one\npackage main\n# METADATA\n# custom:\n#   remedy: two\ndeny contains \"no\""), outcome: release.Refused, detail: "Fix: two"},
		{name: "a policy sees the environment, the service and the other objects", files: rule("package main\ndeny contains msg if { msg := sprintf(\"%s %s %d\", [input.seatrial.environment.name, input.seatrial.service, count(input.seatrial.objects)]) }"), outcome: release.Refused, says: []string{"staging shop/web 1"}},
		{name: "a policy may import a helper of the platform repo", files: with(rule("package main\nimport data.lib.names\ndeny contains \"bad name\" if names.bad"), "policies/lib/names.rego", "package lib.names\nbad if input.metadata.name == \"web\""), outcome: release.Refused, says: []string{"bad name"}},
		{name: "a policy may import the library's helper", files: rule("package main\nimport data.seatrial.pods\ndeny contains c.name if some c in pods.all"), outcome: release.Refused, says: []string{"web: app"}},
		{name: "another policy of package main is not asked along", files: with(rule("package main\ndeny contains \"mine\" if input.kind == \"Pod\""), "policies/other.rego", "package main\ndeny contains \"other\""), outcome: release.Passed},
		{name: "a test beside the policy is left alone", files: with(rule("package main\ndeny contains \"mine\" if input.kind == \"Pod\""), "policies/rule_test.rego", "package main\ntest_x if { broken"), outcome: release.Passed},

		{name: "a policy that does not parse refuses", files: rule("package main\ndeny contains"), outcome: release.Refused, says: []string{"policy rule does not load", "policies/rule.rego:2"}},
		{name: "a helper that does not parse refuses", files: with(rule("package main\ndeny contains \"x\" if input.kind == \"Pod\""), "policies/lib.rego", "package lib {"), outcome: release.Refused, says: []string{"does not load: helper", "lib.rego:1"}},
		{name: "an empty policy refuses", files: rule(""), outcome: release.Refused, says: []string{"does not load"}},
		{name: "a policy of old rego refuses", files: rule("package main\ndeny[msg] { msg := \"no\" }"), outcome: release.Refused, says: []string{"does not load"}},
		{name: "a policy in another package refuses", files: rule("package kubernetes.admission\ndeny contains \"no\""), outcome: release.Refused, says: []string{"its package is kubernetes.admission, want main or rule"}},
		{name: "a policy without rules refuses", files: rule("package main\nallow := true"), outcome: release.Refused, says: []string{"no rule named deny, violation or warn"}},
		{name: "a deny that is no set refuses", files: rule("package main\ndeny := false"), outcome: release.Refused, says: []string{"rule deny is not a set"}},
		{name: "a deny that is a function refuses", files: rule("package main\ndeny(x) := x"), outcome: release.Refused, says: []string{"rule deny is not a set"}},
		{name: "a message that is none refuses", files: rule("package main\ndeny contains true"), outcome: release.Refused, says: []string{"rule deny gave true, which is no message"}},
		{name: "an empty message refuses", files: rule("package main\ndeny contains \"\""), outcome: release.Refused, says: []string{"which is no message"}},
		{name: "a reference to nothing refuses, where rego would pass", files: rule("package main\nimport data.lib.gone\ndeny contains \"no\" if gone.bad"), outcome: release.Refused, says: []string{"data.lib.gone.bad is defined nowhere"}},
		{name: "a function that is nowhere refuses", files: rule("package main\ndeny contains \"no\" if data.lib.bad(input)"), outcome: release.Refused, says: []string{"does not load"}},
		{name: "an error while asking refuses, where rego would pass", files: rule("package main\ndeny contains \"no\" if 1 / count(input.nothing_here) > 0\nwarn contains msg if { msg := sprintf(\"%d\", [to_number(input.metadata.name)]) }"), outcome: release.Refused, says: []string{"Deployment shop/web: policy rule gave no answer"}},
		{name: "rules that contradict each other refuse", files: rule("package main\nx := 1 if input.kind\nx := 2 if input.kind\ndeny contains \"no\" if x == 3"), outcome: release.Refused, says: []string{"gave no answer"}},
		{name: "a policy that takes too long refuses", files: rule("package main\n" + heavy), limit: 100 * time.Millisecond, outcome: release.Refused, says: []string{"had not answered after 100ms"}},
		{name: "two files of one name refuse", files: with(rule("package main\ndeny contains \"no\""), "other/rule.rego", "package main"), outcome: release.Refused, says: []string{"have the same name"}},
		{name: "too much rego refuses", files: rule("package main\n# " + strings.Repeat("x", 1<<20)), outcome: release.Refused, says: []string{"at most 1048576 are read"}},

		{name: "http.send is no builtin", files: builtin(`http.send({"method": "get", "url": "http://127.0.0.1"})`), outcome: release.Refused, says: []string{"does not load", "http.send"}},
		{name: "net.lookup_ip_addr is no builtin", files: builtin(`net.lookup_ip_addr("localhost")`), outcome: release.Refused, says: []string{"does not load", "net.lookup_ip_addr"}},
		{name: "opa.runtime is no builtin", files: builtin(`opa.runtime()`), outcome: release.Refused, says: []string{"does not load", "opa.runtime"}},
		{name: "rand.intn is no builtin", files: builtin(`rand.intn("x", 2)`), outcome: release.Refused, says: []string{"does not load", "rand.intn"}},
		{name: "json.match_schema is no builtin", files: builtin(`json.match_schema({}, {})[0]`), outcome: release.Refused, says: []string{"does not load", "json.match_schema"}},
		{name: "json.verify_schema is no builtin", files: builtin(`json.verify_schema({})[0]`), outcome: release.Refused, says: []string{"does not load", "json.verify_schema"}},
		{name: "time is the gate's clock, so that evidence replays", files: rule("package main\ndeny contains msg if { msg := time.format(time.now_ns()) }"), outcome: release.Refused, says: []string{"2026-10-05T"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			gate := newGate(t, policies.Config{TimeLimit: c.limit, Now: func() time.Time { return time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC) }}, nil)
			in := input(manifests(t, workload())...)
			in.Policies, in.Environment.Spec.Policies = c.files, []string{"rule"}
			v := check(t, gate, in)
			expect(t, v, c.outcome, c.says, "")
			if e := evidenceOf(t, v, "rule"); !strings.Contains(e.Detail, c.detail) || e.Holds != (c.outcome == release.Passed) {
				t.Errorf("holds is %v, detail %q does not say %q", e.Holds, e.Detail, c.detail)
			}
		})
	}
}

// Rego can reach a network in more ways than http.send: a JSON schema may point to
// another host, and OPA 1.19 fetches it while evaluating, whatever AllowNet says.
func TestNoPolicyReachesTheNetwork(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	ref := `{"$ref": "` + server.URL + `/schema"}`
	for name, text := range map[string]string{
		"http.send": `package main
deny contains "no" if http.send({"method": "get", "url": "` + server.URL + `"}).status_code == 200`,
		"json.match_schema":  "package main\ndeny contains \"no\" if { x := json.match_schema({}, " + ref + "); x[0] }",
		"json.verify_schema": "package main\ndeny contains \"no\" if { x := json.verify_schema(" + ref + "); x[0] }",
		"a METADATA schema":  "# METADATA\n# schemas:\n#   - input: " + ref + "\npackage main\ndeny contains \"no\" if input.kind",
	} {
		t.Run(name+" reaches nobody", func(t *testing.T) {
			in := input(manifests(t, workload())...)
			in.Policies, in.Environment.Spec.Policies = rule(text), []string{"rule"}
			expect(t, check(t, newGate(t, policies.Config{}, nil), in), release.Refused, nil, "")
			if asked.Load() > 0 {
				t.Errorf("the server was asked %d times", asked.Swap(0))
			}
		})
	}
}

func rule(text string) map[string]string { return map[string]string{"policies/rule.rego": text} }

func with(files map[string]string, file, text string) map[string]string {
	files = maps.Clone(files)
	files[file] = text
	return files
}

func builtin(call string) map[string]string {
	return rule("package main\ndeny contains \"no\" if " + call)
}

func TestPolicyWithTheNameOfTheLibraryIsRefused(t *testing.T) {
	in := input(manifests(t, workload())...)
	in.Policies = map[string]string{"policies/no-latest-tag.rego": "package main\nwarn contains \"mine\""}
	in.Environment.Spec.Policies = []string{"no-latest-tag"}
	expect(t, check(t, newGate(t, policies.Config{}, nil), in), release.Refused, []string{"has the name of a policy of the library"}, "")
}

func TestPolicyThatTheServerAsksForEverywhere(t *testing.T) {
	in := input(manifests(t, workload("readiness", ""))...)
	v := check(t, newGate(t, policies.Config{Always: []string{"probes-present"}}, nil), in)
	expect(t, v, release.Refused, []string{"no readinessProbe"}, "readinessProbe")
}

func TestManifestCannotPretendToBeAnotherEnvironment(t *testing.T) {
	in := input(manifests(t, workload("replicas: 2", "replicas: 1")+"seatrial: {environment: {name: staging}}")...)
	in.Environment.Meta.Name, in.Environment.Spec.Policies = "prod", []string{"replicas-in-prod"}
	expect(t, check(t, newGate(t, policies.Config{}, nil), in), release.Refused, []string{"it has 1 replica"}, "")
}

func TestEndedContextIsAnErrorNotARefusal(t *testing.T) {
	in := input(manifests(t, workload())...)
	in.Environment.Spec.Policies = []string{"no-latest-tag"}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gate := newGate(t, policies.Config{}, nil)
	if _, err := gate.Check(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	expect(t, check(t, gate, in), release.Passed, nil, "") // and what it compiled meanwhile is good
}

// The gate keeps a bounded number of compiled policies, and one that was dropped is
// compiled again.
func TestManyVersionsOfAPolicy(t *testing.T) {
	gate := newGate(t, policies.Config{}, nil)
	in := input(manifests(t, workload())...)
	in.Environment.Spec.Policies = []string{"rule"}
	for i := range 80 {
		in.Policies = rule(fmt.Sprintf("package main\ndeny contains \"version %d\"", i%70))
		expect(t, check(t, gate, in), release.Refused, []string{fmt.Sprintf("version %d ", i%70)}, "")
	}
}
