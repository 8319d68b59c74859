// Command sigstore-kms-pkcs11 holds signing keys on a PKCS#11 token for whoever speaks
// sigstore's protocol for such programs: Seatrial's server, and cosign.
//
// It is a program of its own because a token's library is loaded into the process that
// uses it, and needs cgo. The server never does either.
package main

import (
	"os"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/signing/token"
	"github.com/seatrial/seatrial/signing/token/module"
)

func main() {
	os.Exit(token.Serve(os.Args, os.Stdin, os.Stdout, os.Stderr, secret.Text(os.Getenv(token.PIN)), module.Open))
}
