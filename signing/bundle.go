package signing

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/seatrial/seatrial/release"
)

// seal signs a statement: DSSE in a sigstore bundle v0.3, no network involved.
func (k *Key) seal(ctx context.Context, payload []byte) ([]byte, error) {
	b, err := sign.Bundle(&sign.DSSEData{Data: payload, PayloadType: payloadType}, keypair{k}, sign.BundleOptions{Context: ctx})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	out, err := protojson.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode bundle: %w", err)
	}
	return out, nil
}

var errUnsigned = errors.New("signed by none of the trusted keys")

// sealed is a bundle with a statement; nothing about it has been verified.
type sealed struct {
	bundle    *bundle.Bundle
	statement statement
}

// parseBundle reads a bundle of whatever came from the registry.
func parseBundle(raw []byte) (sealed, error) {
	pb := &protobundle.Bundle{}
	if err := protojson.Unmarshal(raw, pb); err != nil {
		return sealed{}, fmt.Errorf("it is not a sigstore bundle: %w", err)
	}
	b, err := bundle.NewBundle(pb)
	if err != nil {
		return sealed{}, fmt.Errorf("it is not a sigstore bundle: %w", err)
	}
	env := pb.GetDsseEnvelope()
	if env.GetPayloadType() != payloadType {
		return sealed{}, errors.New("it holds no in-toto statement")
	}
	out := sealed{bundle: b}
	if out.statement, err = readStatement(env.GetPayload()); err != nil {
		return sealed{}, fmt.Errorf("its statement is not readable: %w", err)
	}
	if out.statement.Type != statementType {
		return sealed{}, fmt.Errorf("its statement is %q, want %q", out.statement.Type, statementType)
	}
	return out, nil
}

// readStatement reads an SBOM in one go with the statement that holds it: a long one takes
// longer to read than all the rest of a proof.
func readStatement(payload []byte) (statement, error) {
	var whole struct {
		statement
		Predicate bom `json:"predicate"`
	}
	if err := json.Unmarshal(payload, &whole); err == nil && whole.PredicateType == PredicateSBOM {
		whole.statement.bom = &whole.Predicate
		return whole.statement, nil
	}
	var s statement
	err := json.Unmarshal(payload, &s)
	return s, err
}

// opened is a bundle that has been read.
type opened struct {
	statement statement
	err       error // it is no bundle with a statement
	key       PublicKey
	unsigned  error // why no key of the verifier has signed it
}

// maxOpened is how many long documents a verifier knows again.
const maxOpened = 256

// open reads a bundle whose bytes have this digest. What an SBOM says and who has signed it
// is a matter of its bytes: the next time they come from the registry it is not worked out
// again.
func (v *Verifier) open(content release.Digest, raw []byte) opened {
	v.mu.Lock()
	o, known := v.opened[content]
	v.mu.Unlock()
	if known {
		return o
	}
	b, err := parseBundle(raw)
	if o = (opened{statement: b.statement, err: err}); err != nil {
		return o
	}
	if o.key, o.unsigned = b.by(v.keys); o.unsigned != nil || o.statement.bom == nil {
		return o
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.opened) >= maxOpened {
		clear(v.opened)
	}
	v.opened[content] = o
	return o
}

// by is the key that signed the bundle; it looks at nothing else. What sigstore's own
// verifier adds for a bundle with a key and without timestamps is a second reading of the
// statement, which for a long SBOM takes longer than all the rest.
func (s sealed) by(keys []PublicKey) (PublicKey, error) {
	env := s.bundle.GetDsseEnvelope()
	if material, err := s.bundle.VerificationContent(); err != nil || material.PublicKey() == nil {
		return PublicKey{}, errors.New("it is not signed with a key")
	}
	if len(env.GetSignatures()) != 1 {
		return PublicKey{}, fmt.Errorf("it has %d signatures, want one", len(env.GetSignatures()))
	}
	return signedBy(keys, dsse.PAE(payloadType, env.GetPayload()), env.GetSignatures()[0].GetSig())
}

// signedBy is the key whose signature over message it is.
func signedBy(keys []PublicKey, message, sig []byte) (PublicKey, error) {
	for _, k := range keys {
		v, err := signature.LoadVerifier(k.key, crypto.SHA256)
		if err == nil && v.VerifySignature(bytes.NewReader(sig), bytes.NewReader(message)) == nil {
			return k, nil
		}
	}
	return PublicKey{}, errUnsigned
}
