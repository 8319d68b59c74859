package signing

import (
	"context"
	"encoding/base64"
	"io"
)

// Seal lets tests sign statements that the signer would never make.
func (k *Key) Seal(ctx context.Context, statement []byte) ([]byte, error) {
	return k.seal(ctx, statement)
}

// SignedBy parses whatever a registry holds and asks which of the keys signed it.
func SignedBy(raw []byte, keys ...PublicKey) (signed bool, err error) {
	s, err := parseBundle(raw)
	if err != nil {
		return false, err
	}
	_, err = s.by(keys)
	return err == nil, nil
}

// SignSimple signs a simple-signing document, as its annotation has it.
func (k *Key) SignSimple(document io.Reader) (string, error) {
	raw, err := k.signer.SignMessage(document)
	return base64.StdEncoding.EncodeToString(raw), err
}
