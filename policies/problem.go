package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Problem is one thing that a policy found: which rule, on what, why, and how to fix it.
type Problem struct {
	Policy    string // "pod-security-restricted"
	Rule      string // of the policy, where it has several: "runAsNonRoot", "deny_tag"
	Object    string // "Deployment shop/web"
	Container string
	Why       string
	Fix       string
	Link      string
	Review    bool // not wrong by itself, but a person has to look
}

// String is one line for people.
func (p Problem) String() string {
	text := p.Object
	if p.Container != "" {
		text += " container " + p.Container
	}
	rule := p.Policy
	if p.Rule != "" && p.Rule != "deny" && p.Rule != "violation" {
		rule += ": " + p.Rule
	}
	if text != "" {
		text += ": "
	}
	return text + p.Why + " (" + rule + ")"
}

func (p Problem) full() string {
	text := p.String()
	if p.Fix != "" {
		text += ". Fix: " + p.Fix
	}
	if p.Link != "" {
		text += ". See " + p.Link
	}
	return text
}

// Limits of what a verdict carries, so that a release stays a small document.
const (
	maxInReason   = 20
	maxInEvidence = 100
	maxText       = 400 // characters of one text that comes from manifests or rego
)

// result is what one policy found over all objects.
type result struct {
	policy   string
	claim    string
	problems []Problem
	warnings []Problem
	facts    map[string]string
}

func (res result) evidence(objects int, bundle release.Digest, now time.Time) release.Evidence {
	facts := map[string]string{"policy": res.policy, "bundle": string(bundle), "objects": strconv.Itoa(objects)}
	for k, v := range res.facts {
		facts[k] = v
	}
	if n := len(res.problems); n > 0 {
		facts["problems"] = strconv.Itoa(n)
	}
	if n := len(res.warnings); n > 0 {
		facts["warnings"] = strconv.Itoa(n)
	}
	lines := slices.Concat(list("refuse", res.problems), list("warn", res.warnings))
	gate := "policy"
	if res.policy == SignedImages || res.policy == ruleArtifact {
		gate = "signature"
	}
	return release.Evidence{Gate: gate, Claim: res.claim, Holds: len(res.problems) == 0, To: now, Detail: strings.Join(lines, "\n"), Facts: facts}
}

func list(word string, problems []Problem) []string {
	var lines []string
	for i, p := range problems {
		if i == maxInEvidence {
			return append(lines, fmt.Sprintf("%s: and %d more", word, len(problems)-i))
		}
		if p.Review {
			lines = append(lines, "review: "+p.full())
			continue
		}
		lines = append(lines, word+": "+p.full())
	}
	return lines
}

// verdict judges all results together: any problem refuses, anything left for review
// holds, and only what is clean passes.
func verdict(env release.Env, results []result, evidence []release.Evidence) release.Verdict {
	var wrong, review []Problem
	for _, res := range results {
		for _, p := range res.problems {
			if p.Review {
				review = append(review, p)
			} else {
				wrong = append(wrong, p)
			}
		}
	}
	switch {
	case len(wrong) > 0:
		return release.Refuse(sentence(fmt.Sprintf("policies of %s refuse", env), slices.Concat(wrong, review)), fixes(wrong)).With(evidence...)
	case len(review) > 0:
		return release.Inconclusive(sentence(fmt.Sprintf("a person has to look before this goes to %s", env), review), fixes(review)).With(evidence...)
	}
	return release.Pass(evidence...).Because(fmt.Sprintf("%d policies hold", len(results)))
}

func sentence(what string, problems []Problem) string {
	var parts []string
	for i, p := range problems {
		if i == maxInReason {
			parts = append(parts, fmt.Sprintf("and %d more", len(problems)-i))
			break
		}
		parts = append(parts, p.String())
	}
	return what + ": " + strings.Join(parts, "; ")
}

// fixes are the distinct remedies, the first three of them: a hint is one short step.
func fixes(problems []Problem) string {
	var out []string
	for _, p := range problems {
		if p.Fix != "" && !slices.Contains(out, p.Fix) && len(out) < 3 {
			out = append(out, p.Fix)
		}
	}
	return strings.Join(out, "; ")
}
