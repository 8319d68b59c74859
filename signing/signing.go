// Package signing vouches for artifacts and checks such vouching: it attaches SBOM,
// provenance and signature to every image as sigstore bundles, and verifies them offline.
//
// Start reading at Signer.Sign, then Verifier.Verify. The private key never leaves this
// package, and build steps never come near it; the package never trusts a tag, a
// referrer list or a bundle's own claim before the signature holds.
package signing

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/release"
)

// The three things an image carries before it may be deployed, and what the platform adds
// when the gate has passed.
const (
	PredicateSignature  = "https://sigstore.dev/cosign/sign/v1"
	PredicateSBOM       = "https://cyclonedx.org/bom"
	PredicateProvenance = "https://slsa.dev/provenance/v1"
	PredicateSummary    = "https://slsa.dev/verification_summary/v1"
)

const (
	bundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"

	maxBundle = 24 << 20 // of one attached document, base64 included
)

// names are how people call the documents.
func names() map[string]string {
	return map[string]string{PredicateSignature: "signature", PredicateSBOM: "sbom", PredicateProvenance: "provenance", PredicateSummary: "summary"}
}

// required is what every subject needs, in the order it is attached: the signature
// comes last, so something half-attached is never signed.
func required() []string { return []string{PredicateProvenance, PredicateSBOM, PredicateSignature} }

// signedAt is the annotation of a statement's subjects with the time at which it was
// signed. cosign keeps the annotations of its signatures in the same place.
const signedAt = "dev.seatrial.signed"

// statement is an in-toto Statement v1: who says what about which digests.
type statement struct {
	Type          string            `json:"_type"`
	Subject       []statementTarget `json:"subject"`
	PredicateType string            `json:"predicateType"`
	Predicate     json.RawMessage   `json:"predicate"`

	bom *bom // an SBOM that has been read, instead of Predicate
}

type statementTarget struct {
	Name        string            `json:"name"` // the repository: a digest copied elsewhere is not vouched for
	Digest      map[string]string `json:"digest"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}

func encodeStatement(repository, predicateType string, predicate []byte, at time.Time, subjects ...release.Digest) ([]byte, error) {
	s := statement{Type: statementType, PredicateType: predicateType, Predicate: predicate}
	for _, d := range subjects {
		s.Subject = append(s.Subject, statementTarget{
			Name: repository, Digest: map[string]string{"sha256": d.Hex()},
			Annotations: map[string]any{signedAt: at.UTC().Format(time.RFC3339)},
		})
	}
	out, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode statement %s: %w", predicateType, err)
	}
	return out, nil
}
