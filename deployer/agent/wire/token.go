package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const tokenPrefix = "seatrial-agent"

// Token is what a one-time token says: for which cluster it is, and which authority the
// server's certificate has to be of.
type Token struct {
	Cluster string
	Secret  secret.Text
	Pin     [sha256.Size]byte
}

// Text is the token as people carry it.
func (t Token) Text() secret.Text {
	return secret.Text(strings.Join([]string{tokenPrefix, t.Cluster, t.Secret.Reveal(), base64.RawURLEncoding.EncodeToString(t.Pin[:])}, "."))
}

// ParseToken reads one.
func ParseToken(text secret.Text) (Token, error) {
	bad := hint.Add(errors.New("that is no token for an agent"), "make one on the server's machine: seatrial cluster enrol NAME")
	parts := strings.Split(strings.TrimSpace(text.Reveal()), ".")
	if len(parts) != 4 || parts[0] != tokenPrefix || !release.ValidName(parts[1]) || parts[2] == "" {
		return Token{}, bad
	}
	pin, err := base64.RawURLEncoding.DecodeString(parts[3])
	if err != nil || len(pin) != sha256.Size {
		return Token{}, bad
	}
	return Token{Cluster: parts[1], Secret: secret.Text(parts[2]), Pin: [sha256.Size]byte(pin)}, nil
}
