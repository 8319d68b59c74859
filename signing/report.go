package signing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Answer is one question about a document, and what was looked at to answer it.
type Answer struct {
	Question string `json:"question"` // "bundle", "key", "subject", "repository", "window", "type", "content"
	OK       bool   `json:"ok"`
	Detail   string `json:"detail"`
}

// Check is one thing an image needs, and whether it has it.
type Check struct {
	Name     string         `json:"name"` // "image", "platforms", "signature", "sbom", "provenance", "summary"
	Subject  release.Digest `json:"subject,omitempty"`
	Platform string         `json:"platform,omitempty"` // "index" or "linux/arm64"
	OK       bool           `json:"ok"`
	Detail   string         `json:"detail"`
	Bundle   release.Digest `json:"bundle,omitempty"` // the attached manifest that answered it
	Key      string         `json:"key,omitempty"`    // the ID of the key that signed it
	Window   string         `json:"window,omitempty"` // of the key; empty: it always counts
	Signed   time.Time      `json:"signed,omitzero"`  // by its own word
	Answers  []Answer       `json:"answers,omitempty"`
}

// Report is what verification found; it passes only when every check does.
type Report struct {
	Image      string             `json:"image"`
	Repository string             `json:"repository,omitempty"`
	Digest     release.Digest     `json:"digest,omitempty"`
	Platforms  []release.Platform `json:"platforms,omitempty"`
	Checks     []Check            `json:"checks"`
}

// OK reports whether everything asked holds. A report without checks does not.
func (r Report) OK() bool {
	for _, c := range r.Checks {
		if !c.OK {
			return false
		}
	}
	return len(r.Checks) > 0
}

// Refusals are the checks that failed, in one line each.
func (r Report) Refusals() []string {
	var out []string
	for _, c := range r.Checks {
		if !c.OK {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s", c.Name, c.Platform))+": "+c.Detail)
		}
	}
	return out
}

// Evidence is the report as a verdict keeps it.
func (r Report) Evidence() []release.Evidence {
	out := make([]release.Evidence, 0, len(r.Checks))
	for _, c := range r.Checks {
		claim := fmt.Sprintf("%s of %s (%s) holds", c.Name, r.Image, c.Platform)
		if c.Platform == "" {
			claim = fmt.Sprintf("%s of %s holds", c.Name, r.Image)
		}
		facts := map[string]string{"check": c.Name}
		for k, v := range map[string]string{"subject": string(c.Subject), "bundle": string(c.Bundle), "key": c.Key, "window": c.Window} {
			if v != "" {
				facts[k] = v
			}
		}
		out = append(out, release.Evidence{Gate: "signature", Claim: claim, Holds: c.OK, Detail: c.Detail, Facts: facts})
	}
	return out
}

// attached lists what was found good, for the artifact's record.
func (r Report) attached() []release.Attached {
	var out []release.Attached
	for t, name := range names() {
		for _, c := range r.Checks {
			if c.Name == name && c.OK {
				out = append(out, release.Attached{Subject: c.Subject, PredicateType: t, Digest: c.Bundle})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b release.Attached) int { return cmp.Compare(a.PredicateType, b.PredicateType) })
	return out
}
