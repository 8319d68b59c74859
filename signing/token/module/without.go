//go:build !cgo

// Package module opens PKCS#11 tokens. Start at Open; built without cgo it never can.
package module

import (
	"errors"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/signing/token"
)

// Open says that no token's library can be loaded.
func Open(token.Key, secret.Text) (token.Holder, error) {
	return nil, hint.Add(errors.New("this program was built without cgo, so it can load no PKCS#11 module"), "build cmd/sigstore-kms-pkcs11 with CGO_ENABLED=1 and a C compiler")
}
