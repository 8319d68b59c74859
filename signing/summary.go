package signing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

// slsaVersion is the version of SLSA whose levels a summary names.
const slsaVersion = "1.2"

// Gate is who has judged an artifact, and by which policies.
type Gate struct {
	ID       string                         // "https://seatrial.example/gate"
	Policies map[release.Env]release.Digest // everything that was asked, for each environment
	Level    string                         // what the provenance is worth, "SLSA_BUILD_LEVEL_2"
}

// policy is the digest of one line "ENVIRONMENT DIGEST" per environment, sorted.
func (g Gate) policy() string {
	h := sha256.New()
	for _, env := range slices.Sorted(maps.Keys(g.Policies)) {
		fmt.Fprintf(h, "%s %s\n", env, g.Policies[env])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// summary is a SLSA verification summary: an artifact has passed a gate.
type summary struct {
	Verifier struct {
		ID string `json:"id"`
	} `json:"verifier"`
	Verified time.Time `json:"timeVerified"`
	Resource string    `json:"resourceUri"`
	Policy   struct {
		URI    string            `json:"uri"`
		Digest map[string]string `json:"digest"`
	} `json:"policy"`
	Inputs  []input  `json:"inputAttestations"`
	Result  string   `json:"verificationResult"`
	Levels  []string `json:"verifiedLevels"`
	Version string   `json:"slsaVersion"`
}

// input is an attestation that a verdict rests on.
type input struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest"`
}

// resource is an image as a package URL.
func resource(repository string, d release.Digest) string {
	return fmt.Sprintf("pkg:oci/%s@%s?repository_url=%s", path.Base(repository), url.QueryEscape(string(d)), url.QueryEscape(repository))
}

// Summarize attaches to a release's index that the gate has let it pass, after it has
// verified once more what the gate relied on. An image that does not verify gets none and
// refuses. Saying the same again attaches nothing: one summary for one set of
// attestations and policies. A pass carries the evidence of the summary alone.
func (s *Signer) Summarize(ctx context.Context, r release.Release, by Gate) (release.Attached, release.Verdict, error) {
	if r.Artifact == nil {
		return release.Attached{}, release.Refuse("there is no artifact to vouch for", ""), nil
	}
	a := *r.Artifact
	want := ExpectOf(r, s.builder)
	report, err := s.verifier.Verify(ctx, a.Reference(), want)
	if err != nil {
		return release.Attached{}, release.Verdict{}, err
	}
	if !report.OK() {
		return release.Attached{}, release.Refuse("it does not verify: "+strings.Join(report.Refusals(), "; "), "").With(report.Evidence()...), nil
	}
	say := summarize(a, report, by, s.now())
	want.Verifier = by.ID
	found, err := s.summaryOf(ctx, a, want, say)
	if err == nil && found == nil {
		if err = s.attachSummary(ctx, a, say); err == nil {
			found, err = s.summaryOf(ctx, a, want, say)
		}
	}
	if err != nil {
		return release.Attached{}, release.Verdict{}, err
	}
	if found == nil {
		return release.Attached{}, release.Verdict{}, hint.Add(fmt.Errorf("the summary attached to %s does not read back", a.Reference()), "look at the registry's own log; it is tried again")
	}
	check := Check{Name: names()[PredicateSummary], Subject: a.Digest, OK: true, Detail: found.said(), Bundle: found.bundle, Key: found.key.ID}
	return release.Attached{Subject: a.Digest, PredicateType: PredicateSummary, Digest: found.bundle},
		release.Pass(Report{Image: a.Reference(), Checks: []Check{check}}.Evidence()...), nil
}

// summaryOf finds the good summary that says the same; nil: there is none.
func (s *Signer) summaryOf(ctx context.Context, a release.Artifact, want Expect, say summary) (*finding, error) {
	found, err := s.verifier.findings(ctx, a.Repository, a.Digest, want)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(found, func(f finding) bool { return f.predicate == PredicateSummary && f.good() && say.same(f.content) })
	if i < 0 {
		return nil, nil
	}
	return &found[i], nil
}

func (s *Signer) attachSummary(ctx context.Context, a release.Artifact, say summary) error {
	key, err := s.keys.signing(s.now())
	if err != nil {
		return err
	}
	predicate, err := json.Marshal(say)
	if err != nil {
		return fmt.Errorf("encode the summary of %s: %w", a.Reference(), err)
	}
	digests := []release.Digest{a.Digest}
	for _, p := range a.Platforms {
		if p.Digest != a.Digest {
			digests = append(digests, p.Digest)
		}
	}
	payload, err := encodeStatement(a.Repository, PredicateSummary, predicate, s.now(), digests...)
	if err != nil {
		return err
	}
	to, err := s.registry.Get(ctx, oci.Ref{Repository: a.Repository, Digest: a.Digest})
	if err != nil {
		return err
	}
	return s.attach(ctx, key, a.Repository, PredicateSummary, to, payload)
}

func summarize(a release.Artifact, report Report, by Gate, now time.Time) summary {
	out := summary{Verified: now.UTC(), Resource: resource(a.Repository, a.Digest), Result: "PASSED", Levels: []string{by.Level}, Version: slsaVersion}
	out.Verifier.ID, out.Policy.URI = by.ID, by.ID
	out.Policy.Digest = map[string]string{"sha256": by.policy()}
	for _, at := range report.attached() {
		out.Inputs = append(out.Inputs, input{URI: a.Repository + "@" + string(at.Digest), Digest: map[string]string{"sha256": at.Digest.Hex()}})
	}
	return out
}

// same reports whether another summary says the same, whenever it was said.
func (s summary) same(predicate []byte) bool {
	var other summary
	if json.Unmarshal(predicate, &other) != nil {
		return false
	}
	other.Verified = s.Verified
	a, errA := json.Marshal(s)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && string(a) == string(b)
}

// summary checks the content of a verification summary.
func (e Expect) summary(predicate []byte, repository string, d release.Digest) (looked, problem string) {
	var s summary
	if err := json.Unmarshal(predicate, &s); err != nil {
		return "", fmt.Sprintf("the summary is not readable: %v", err)
	}
	switch {
	case s.Result != "PASSED":
		return "", fmt.Sprintf("the gate's verdict is %q", s.Result)
	case s.Resource != resource(repository, d):
		return "", fmt.Sprintf("the summary is about %q", s.Resource)
	case s.Verifier.ID == "" || e.Verifier != "" && s.Verifier.ID != e.Verifier:
		return "", fmt.Sprintf("it passed the gate of %q, want %q", s.Verifier.ID, e.Verifier)
	case len(s.Inputs) == 0:
		return "", "the summary does not say what it rests on"
	}
	return fmt.Sprintf("passed the gate of %s at %s", s.Verifier.ID, s.Verified.UTC().Format(time.RFC3339)), ""
}
