package signing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/seatrial/seatrial/release"
)

// Expect is what an image has to be. Empty fields are not asked about, except that the
// repository is always the one the image was read from.
type Expect struct {
	Builder   string         // the builder's id in the provenance
	Source    string         // the repo in the provenance
	Commit    release.Commit // the commit in the provenance
	Service   release.Service
	Platforms []string // each has to be in the index
	Verifier  string   // asks for a summary too: of a gate with this id that was passed

	legacy bool // also look at the form of signatures that a bundle makes needless
}

// content says what was seen of a verified statement as a statement of its type about a
// digest, or what is wrong with it.
func (e Expect) content(s statement, repository string, d release.Digest) (looked, problem string) {
	switch s.PredicateType {
	case PredicateSignature:
		return "an image signature", differs("a signature has no content, this one has %s", string(shorten(s.Predicate)), "{}")
	case PredicateSBOM:
		return bomContent(s, d)
	case PredicateProvenance:
		return e.provenance(s.Predicate)
	case PredicateSummary:
		return e.summary(s.Predicate, repository, d)
	}
	return "", fmt.Sprintf("%q is none that counts", s.PredicateType)
}

// shorten cuts what somebody else wrote to the length of a message.
func shorten(raw []byte) []byte {
	raw = bytes.TrimSpace(raw)
	if len(raw) > 80 {
		return append(raw[:80:80], "…"...)
	}
	return raw
}

// bom is the part of a CycloneDX document that the gate reads.
type bom struct {
	Format   string `json:"bomFormat"`
	Version  string `json:"specVersion"`
	Metadata struct {
		Component struct {
			Version string `json:"version"`
		} `json:"component"`
	} `json:"metadata"`
	Components []struct{} `json:"components"` // how many
}

func bomContent(s statement, subject release.Digest) (looked, problem string) {
	if s.bom == nil {
		s.bom = &bom{}
		if err := json.Unmarshal(s.Predicate, s.bom); err != nil {
			return "", fmt.Sprintf("the SBOM is not readable: %v", err)
		}
	}
	b := s.bom
	switch {
	case b.Format != "CycloneDX" || b.Version != "1.6":
		return "", fmt.Sprintf("the SBOM is %q %q, want CycloneDX 1.6", b.Format, b.Version)
	case b.Metadata.Component.Version != string(subject):
		return "", fmt.Sprintf("the SBOM describes %q", b.Metadata.Component.Version)
	case len(b.Components) == 0:
		return "", "the SBOM lists no components"
	}
	return fmt.Sprintf("CycloneDX %s of this digest, %d components", b.Version, len(b.Components)), ""
}

// slsa is the part of a SLSA v1 provenance that the gate reads.
type slsa struct {
	Definition struct {
		Parameters struct {
			Service release.Service `json:"service"`
			Source  struct {
				Repository string         `json:"repository"`
				Commit     release.Commit `json:"commit"`
			} `json:"source"`
		} `json:"externalParameters"`
		Dependencies []struct {
			URI    string            `json:"uri"`
			Digest map[string]string `json:"digest"`
		} `json:"resolvedDependencies"`
	} `json:"buildDefinition"`
	Run struct {
		Builder struct {
			ID string `json:"id"`
		} `json:"builder"`
		Metadata struct {
			Finished time.Time `json:"finishedOn"`
		} `json:"metadata"`
	} `json:"runDetails"`
}

func (e Expect) provenance(predicate []byte) (looked, problem string) {
	var p slsa
	if err := json.Unmarshal(predicate, &p); err != nil {
		return "", fmt.Sprintf("the provenance is not readable: %v", err)
	}
	src := p.Definition.Parameters.Source
	var commits []string
	for _, d := range p.Definition.Dependencies {
		if c := d.Digest["gitCommit"]; c != "" {
			commits = append(commits, c)
		}
	}
	switch {
	case p.Run.Builder.ID == "" || e.Builder != "" && p.Run.Builder.ID != e.Builder:
		return "", fmt.Sprintf("it was built by %q, want %q", p.Run.Builder.ID, e.Builder)
	case src.Repository == "" || e.Source != "" && src.Repository != e.Source:
		return "", fmt.Sprintf("it was built from %q, want %q", src.Repository, e.Source)
	case !src.Commit.Valid() || e.Commit != "" && src.Commit != e.Commit:
		return "", fmt.Sprintf("it was built from commit %q, want %q", src.Commit, e.Commit)
	case !slices.Contains(commits, string(src.Commit)):
		return "", "the source commit is not among what the build read"
	case e.Service != "" && p.Definition.Parameters.Service != e.Service:
		return "", fmt.Sprintf("it was built for service %q, want %q", p.Definition.Parameters.Service, e.Service)
	}
	return fmt.Sprintf("built by %s from %s at %s", p.Run.Builder.ID, src.Repository, src.Commit), ""
}

// finished is when the build ended, for provenances that do not say when they were signed.
func finished(s statement) time.Time {
	var p slsa
	if s.PredicateType != PredicateProvenance || json.Unmarshal(s.Predicate, &p) != nil {
		return time.Time{}
	}
	return p.Run.Metadata.Finished
}
