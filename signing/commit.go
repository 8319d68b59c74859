package signing

import (
	"bytes"
	"context"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// ofCommits is the namespace of git's own SSH signatures: no other signature by the same
// key can be taken for one of a commit.
const ofCommits = "git"

// SignCommit makes the signature that git keeps in a commit, of the commit's bytes without
// it; git's gpg.format "ssh" verifies it.
func (r *Ring) SignCommit(ctx context.Context, commit []byte) (string, error) {
	key, err := r.signing(time.Now())
	if err != nil {
		return "", err
	}
	public, err := ssh.NewPublicKey(key.public.key)
	if err != nil {
		return "", fmt.Errorf("%v as an SSH key: %w", key, err)
	}
	sign := func(data []byte) ([]byte, error) {
		raw, _, err := keypair{key}.SignData(ctx, data)
		return raw, err
	}
	sig, err := sshsig.Sign(bytes.NewReader(commit), hand{public, sign}, sshsig.HashSHA512, ofCommits)
	if err != nil {
		return "", fmt.Errorf("sign a commit with %v: %w", key, err)
	}
	return string(sshsig.Armor(sig)), nil
}

// SignedCommit reports whether one of the keys that count now signed the commit.
func (r *Ring) SignedCommit(commit []byte, signature string) bool {
	sig, err := sshsig.Unarmor([]byte(signature))
	if err != nil {
		return false
	}
	now := time.Now()
	for _, k := range r.keys {
		public, err := ssh.NewPublicKey(k.public.key)
		if err == nil && k.public.Window.Holds(now) && sshsig.Verify(bytes.NewReader(commit), sig, public, sig.HashAlgorithm, ofCommits) == nil {
			return true
		}
	}
	return false
}

// AllowedSigner is the key as a line of git's gpg.ssh.allowedSignersFile, for commits of
// somebody's only: `seatrial@example namespaces="git" ecdsa-sha2-nistp256 AAAA…`.
func (k PublicKey) AllowedSigner(email string) (string, error) {
	public, err := ssh.NewPublicKey(k.key)
	if err != nil {
		return "", fmt.Errorf("key %s as an SSH key: %w", k.ID, err)
	}
	return fmt.Sprintf("%s namespaces=%q %s", email, ofCommits, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))), nil
}

// hand is a key as SSH wants it.
type hand struct {
	public ssh.PublicKey
	sign   func(data []byte) ([]byte, error) // in ASN.1
}

// PublicKey is the half that anybody may have.
func (h hand) PublicKey() ssh.PublicKey { return h.public }

// Sign makes an SSH signature of what the key makes of the same bytes.
func (h hand) Sign(_ io.Reader, data []byte) (*ssh.Signature, error) {
	raw, err := h.sign(data)
	if err != nil {
		return nil, err
	}
	var parts struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(raw, &parts); err != nil || len(rest) > 0 {
		return nil, errors.New("the key's answer is no ECDSA signature")
	}
	return &ssh.Signature{Format: h.public.Type(), Blob: ssh.Marshal(parts)}, nil
}
