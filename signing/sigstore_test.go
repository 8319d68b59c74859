package signing_test

import (
	"crypto"
	"encoding/hex"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// Whatever we attach has to satisfy sigstore's own verifier, which is what cosign asks.
func TestSigstoreAcceptsWhatIsAttached(t *testing.T) {
	y := newYard(t, true)
	a := y.sign(t)
	y.summarize(t, gate())
	public, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(y.key.Public().PEM))
	if err != nil {
		t.Fatal(err)
	}
	v, err := signature.LoadVerifier(public, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return root.NewExpiringKey(v, y.key.Public().Window.From, y.key.Public().Window.Until), nil
	})
	verifier, err := verify.NewVerifier(material, verify.WithNoObserverTimestamps())
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, d := range all(a) {
		sum, err := hex.DecodeString(d.Hex())
		if err != nil {
			t.Fatal(err)
		}
		for predicateType, raw := range y.bundles(t, d) {
			var b bundle.Bundle
			if err := b.UnmarshalJSON(raw); err != nil {
				t.Fatal(err)
			}
			res, err := verifier.Verify(&b, verify.NewPolicy(verify.WithArtifactDigest("sha256", sum), verify.WithKey()))
			if err != nil || res.Statement.GetPredicateType() != predicateType {
				t.Errorf("%s of %s: %v", predicateType, d, err)
			}
			seen++
		}
	}
	if seen != 10 {
		t.Errorf("%d documents, want 3 for each of 3 digests and the summary", seen)
	}
}
