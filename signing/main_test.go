package signing_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
)

// heldKey names the file in which this program keeps a key when it is sigstore-kms-yard.
const heldKey = "YARD_HELD_KEY"

func TestMain(m *testing.M) {
	if strings.HasSuffix(os.Args[0], "sigstore-kms-yard") {
		if err := speakForKMS(); err != nil {
			_ = handler.WriteErrorResponse(os.Stdout, err)
		}
		return
	}
	m.Run()
}

// held is a key in another process, as sigstore's protocol for such programs wants it.
type held struct{ signature.SignerVerifier }

func (held) CreateKey(context.Context, string) (crypto.PublicKey, error) {
	return nil, errors.ErrUnsupported
}

func (held) CryptoSigner(context.Context, func(error)) (crypto.Signer, crypto.SignerOpts, error) {
	return nil, nil, errors.ErrUnsupported
}

func (held) SupportedAlgorithms() []string { return []string{"ecdsa-p256"} }
func (held) DefaultAlgorithm() string      { return "ecdsa-p256" }

func speakForKMS() error {
	args, err := handler.GetPluginArgs(os.Args)
	if err != nil {
		return err
	}
	private, err := openHeld(os.Getenv(heldKey))
	if err != nil {
		return err
	}
	sv, err := signature.LoadECDSASignerVerifier(private, crypto.SHA256)
	if err != nil {
		return err
	}
	_, err = handler.Dispatch(os.Stdout, os.Stdin, args, held{sv})
	return err
}

func openHeld(file string) (*ecdsa.PrivateKey, error) {
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		pem, err := cryptoutils.MarshalPrivateKeyToPEM(private)
		if err != nil {
			return nil, err
		}
		return private, os.WriteFile(file, pem, 0o600)
	}
	if err != nil {
		return nil, err
	}
	any, err := cryptoutils.UnmarshalPEMToPrivateKey(raw, cryptoutils.SkipPassword)
	if err != nil {
		return nil, err
	}
	return any.(*ecdsa.PrivateKey), nil
}
