package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/common"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

// PIN names the environment variable with the token's PIN.
const PIN = "SEATRIAL_SIGNING_PIN"

// Holder is a token that has been opened with its PIN.
type Holder interface {
	crypto.Signer
	Close() error
}

// Open opens a token for one of its keys.
type Open func(k Key, pin secret.Text) (Holder, error)

// Usage is what the program says to a person.
const Usage = `usage: sigstore-kms-pkcs11 public 'pkcs11://token=LABEL;object=KEY?module-path=/usr/lib/…'
prints the public half of a key on a PKCS#11 token. To sign, Seatrial and cosign run this program themselves.
`

// Serve is the program sigstore-kms-pkcs11: it answers one question about one key, on out,
// and returns what the process is to end with.
func Serve(args []string, in io.Reader, out, errs io.Writer, pin secret.Text, open Open) int {
	if len(args) == 3 && args[1] == "public" {
		if err := public(args[2], out, pin, open); err != nil {
			fmt.Fprintln(errs, "error:", err)
			if h := hint.Of(err); h != "" {
				fmt.Fprintln(errs, "hint:", h)
			}
			return 1
		}
		return 0
	}
	if len(args) != 3 || args[1] != common.ProtocolVersion {
		fmt.Fprint(errs, Usage)
		return 1
	}
	asked, err := handler.GetPluginArgs(args)
	if err == nil {
		err = answer(asked, in, out, pin, open)
	}
	if err == nil {
		return 0
	}
	if h := hint.Of(err); h != "" { // the protocol has one text only
		err = fmt.Errorf("%w (hint: %s)", err, h)
	}
	_ = handler.WriteErrorResponse(out, err) // whoever asked has gone
	return 1
}

func public(ref string, out io.Writer, pin secret.Text, open Open) error {
	h, err := opened(ref, pin, open)
	if err != nil {
		return err
	}
	defer h.Close()
	pem, err := cryptoutils.MarshalPublicKeyToPEM(h.Public())
	if err == nil {
		_, err = out.Write(pem)
	}
	return err
}

func opened(ref string, pin secret.Text, open Open) (Holder, error) {
	k, err := Parse(ref)
	if err != nil {
		return nil, err
	}
	if pin == "" {
		return nil, hint.Add(errors.New("no PIN for the token"), "set "+PIN)
	}
	return open(k, pin)
}

func answer(asked *common.PluginArgs, in io.Reader, out io.Writer, pin secret.Text, open Open) error {
	if asked.InitOptions == nil || asked.MethodArgs == nil {
		return errors.New("the question is not complete")
	}
	if hash := asked.InitOptions.HashFunc; hash != crypto.SHA256 {
		return fmt.Errorf("%s is not supported, want SHA-256", hash)
	}
	h, err := opened(asked.InitOptions.KeyResourceID, pin, open)
	if err != nil {
		return err
	}
	defer h.Close()
	sv, err := loaded(h)
	if err != nil {
		return err
	}
	_, err = handler.Dispatch(out, in, asked, held{sv})
	return err
}

// loaded makes a signer of SHA-256 digests of a key that signs by itself.
func loaded(h Holder) (signature.SignerVerifier, error) {
	key, ok := h.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%T is not supported, want ECDSA P-256", h.Public())
	}
	verifier, err := signature.LoadECDSAVerifier(key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return both{verifier, h}, nil
}

// both verifies here and has the token sign.
type both struct {
	*signature.ECDSAVerifier
	holder crypto.Signer
}

// SignMessage signs the digest of a message, or one that is given.
func (b both) SignMessage(message io.Reader, opts ...signature.SignOption) ([]byte, error) {
	digest, hash, err := signature.ComputeDigestForSigning(message, crypto.SHA256, []crypto.Hash{crypto.SHA256}, opts...)
	if err != nil {
		return nil, err
	}
	return b.holder.Sign(nil, digest, hash)
}

// held adds what sigstore's protocol asks for besides; the token's keys are made by
// whoever administers it.
type held struct{ signature.SignerVerifier }

const algorithm = "ecdsa-p256"

// CreateKey is refused.
func (held) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.New("this program makes no keys: make one with the token's own tools")
}

// CryptoSigner is never asked for through the protocol.
func (held) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.ErrUnsupported
}

// SupportedAlgorithms are those that Seatrial signs with.
func (held) SupportedAlgorithms() []string { return strings.Fields(algorithm) }

// DefaultAlgorithm is the one.
func (held) DefaultAlgorithm() string { return algorithm }
