package signing

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sigstore/sigstore/pkg/signature/options"

	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/release"
)

// Compat says in which form images are signed. SBOM and provenance are always bundles.
type Compat string

// The forms of a signature. Legacy is what cosign wrote before version 3 and what some
// clusters still look for: "simple signing" under the tag sha256-<hex>.sig.
const (
	Bundle Compat = "bundle"
	Legacy Compat = "legacy"
	Both   Compat = "both"
)

// Validate reports a word that is none of the forms.
func (c Compat) Validate() error {
	switch c {
	case Bundle, Legacy, Both:
		return nil
	}
	return fmt.Errorf("signature form %q: want bundle, legacy or both", string(c))
}

const (
	simpleType    = "application/vnd.dev.cosign.simplesigning.v1+json"
	simpleClaim   = "cosign container image signature"
	signatureNote = "dev.cosignproject.cosign/signature" // the annotation with the signature

	maxSimple = 64 << 10
)

// simple is a simple-signing document.
type simple struct {
	Critical struct {
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
		Image struct {
			Digest release.Digest `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
	Optional map[string]any `json:"optional"`
}

func legacyRef(repository string, d release.Digest) oci.Ref {
	return oci.Ref{Repository: repository, Tag: "sha256-" + d.Hex() + ".sig"}
}

func encodeSimple(repository string, d release.Digest, at time.Time) ([]byte, error) {
	s := simple{Optional: map[string]any{signedAt: at.UTC().Format(time.RFC3339)}}
	s.Critical.Identity.Reference, s.Critical.Image.Digest, s.Critical.Type = repository, d, simpleClaim
	return json.Marshal(s)
}

// signLegacy adds a simple-signing signature to a digest's tag.
func (s *Signer) signLegacy(ctx context.Context, k *Key, repository string, d release.Digest) error {
	payload, err := encodeSimple(repository, d, s.now())
	if err != nil {
		return fmt.Errorf("encode the signature of %s: %w", d, err)
	}
	sig, err := k.signer.SignMessage(bytes.NewReader(payload), options.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("sign %s: %w", d, err)
	}
	return s.registry.AddDocument(ctx, legacyRef(repository, d), simpleType, payload,
		map[string]string{signatureNote: base64.StdEncoding.EncodeToString(sig)})
}

// legacy looks at the simple-signing signatures of a digest.
func (v *Verifier) legacy(ctx context.Context, repository string, d release.Digest) ([]finding, error) {
	digest, list, err := v.registry.Documents(ctx, legacyRef(repository, d))
	switch {
	case errors.Is(err, oci.ErrNotFound):
		return nil, nil
	case errors.Is(err, oci.ErrMalformed) || errors.Is(err, oci.ErrTooLarge):
		f := finding{predicate: PredicateSignature, legacy: true}
		f.ask("bundle", err.Error(), "")
		return []finding{f}, nil
	case err != nil:
		return nil, err
	}
	var out []finding
	for _, doc := range list {
		if doc.Type != simpleType {
			continue
		}
		f := finding{bundle: digest, predicate: PredicateSignature, legacy: true}
		raw, err := v.registry.Blob(ctx, repository, doc.Digest, maxSimple)
		if gone(err) {
			f.ask("bundle", err.Error(), "")
		} else if err != nil {
			return nil, err
		} else {
			v.examineSimple(&f, raw, doc.Annotations[signatureNote], repository, d)
		}
		out = append(out, f)
	}
	return out, nil
}

// examineSimple asks of a simple-signing document what examine asks of a bundle.
func (v *Verifier) examineSimple(f *finding, raw []byte, sig, repository string, d release.Digest) {
	var s simple
	der, err := base64.StdEncoding.DecodeString(sig)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if !f.ask("bundle", text(err), fmt.Sprintf("a simple-signing document of %d bytes", len(raw))) {
		return
	}
	f.key, err = signedBy(v.keys, raw, der)
	if !f.ask("key", text(err), f.key.ID) {
		return
	}
	c := s.Critical
	if f.ask("subject", differs("it is about %s", string(c.Image.Digest), string(d)), string(d)) &&
		f.ask("repository", differs("it was signed for repository %q", c.Identity.Reference, repository), repository) &&
		v.window(f, s.Optional[signedAt], time.Time{}) {
		f.ask("content", differs("it is a %q, no image signature", c.Type, simpleClaim), simpleClaim)
	}
}
