//go:build cgo

// Package module opens PKCS#11 tokens through the library that comes with each.
//
// Start at Open. The library is somebody else's code in this process, so the server never
// imports this package: only the program sigstore-kms-pkcs11 does. The private key never
// leaves the token, and the last try of a PIN is never taken.
package module

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"syscall"

	"github.com/miekg/pkcs11"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/signing/token"
)

// held is an open session with a token, for one key.
type held struct {
	ctx     *pkcs11.Ctx
	session pkcs11.SessionHandle
	pin     secret.Text
	private pkcs11.ObjectHandle
	public  *ecdsa.PublicKey
	turn    *os.File // locked: one process at a time speaks to the module
}

// Open loads the token's library, signs in and finds both halves of the key.
func Open(k token.Key, pin secret.Text) (token.Holder, error) {
	const install = "install the token's PKCS#11 library, and give its whole path"
	turn, err := wait(k.Module)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("PKCS#11 module: %w", err), install)
	}
	ctx := pkcs11.New(k.Module)
	if ctx == nil {
		return nil, errors.Join(hint.Add(fmt.Errorf("load PKCS#11 module %s: not a library that can be loaded", k.Module), install), turn.Close())
	}
	h := &held{ctx: ctx, pin: pin, turn: turn}
	if err := ctx.Initialize(); err != nil {
		ctx.Destroy()
		return nil, errors.Join(fmt.Errorf("start PKCS#11 module %s: %w", k.Module, err), turn.Close())
	}
	if err := h.open(k); err != nil {
		return nil, errors.Join(fmt.Errorf("token %s: %w", k.Token, err), h.Close())
	}
	return h, nil
}

// wait waits until no other process of ours uses the module. The images of a release are
// signed side by side, and SoftHSM does not find its tokens while another process signs in.
func wait(file string) (*os.File, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", file, err), f.Close())
		}
	}
}

func (h *held) open(k token.Key) error {
	slot, err := h.slot(k.Token)
	if err != nil {
		return err
	}
	if h.session, err = h.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION); err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	if err := h.ctx.Login(h.session, pkcs11.CKU_USER, h.pin.Reveal()); err != nil {
		return hint.Add(fmt.Errorf("sign in: %w", err), "correct "+token.PIN+"; a token locks itself after a few wrong PINs")
	}
	if h.private, err = h.find(pkcs11.CKO_PRIVATE_KEY, k); err != nil {
		return err
	}
	object, err := h.find(pkcs11.CKO_PUBLIC_KEY, k)
	if err != nil {
		return err
	}
	h.public, err = h.point(object)
	return err
}

// slot is where the token is. One that would lock itself at the next wrong PIN is left
// alone: the PIN may be wrong again.
func (h *held) slot(label string) (uint, error) {
	slots, err := h.ctx.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("list tokens: %w", err)
	}
	var found []uint
	var flags uint
	var others []string
	for _, s := range slots {
		info, err := h.ctx.GetTokenInfo(s)
		if err != nil { // one that it cannot read is not ours
			continue
		}
		if name := strings.TrimRight(info.Label, " \x00"); name == label {
			found, flags = append(found, s), info.Flags
		} else if name != "" {
			others = append(others, name)
		}
	}
	switch {
	case len(found) == 0:
		return 0, hint.Add(errors.New("there is no such token"), "the module has: "+strings.Join(others, ", "))
	case len(found) > 1:
		return 0, errors.New("several tokens have this label")
	case flags&(pkcs11.CKF_USER_PIN_LOCKED|pkcs11.CKF_USER_PIN_FINAL_TRY) != 0:
		return 0, hint.Add(errors.New("the next wrong PIN would lock it, or it is locked"), "sign in once with the right PIN by the token's own tools")
	}
	return found[0], nil
}

// find is the one object of a class that the key's label and id mean.
func (h *held) find(class uint, k token.Key) (pkcs11.ObjectHandle, error) {
	wanted := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}
	if k.Label != "" {
		wanted = append(wanted, pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.Label))
	}
	if k.ID != "" {
		id, err := hex.DecodeString(k.ID)
		if err != nil {
			return 0, fmt.Errorf("id %q: %w", k.ID, err)
		}
		wanted = append(wanted, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	if err := h.ctx.FindObjectsInit(h.session, wanted); err != nil {
		return 0, fmt.Errorf("look for the key: %w", err)
	}
	found, _, err := h.ctx.FindObjects(h.session, 2)
	if err := errors.Join(err, h.ctx.FindObjectsFinal(h.session)); err != nil {
		return 0, fmt.Errorf("look for the key: %w", err)
	}
	half := map[uint]string{pkcs11.CKO_PRIVATE_KEY: "private", pkcs11.CKO_PUBLIC_KEY: "public"}[class]
	switch len(found) {
	case 0:
		return 0, fmt.Errorf("it has no %s key with label %q and id %q", half, k.Label, k.ID)
	case 1:
		return found[0], nil
	}
	return 0, hint.Add(fmt.Errorf("it has several %s keys with label %q and id %q", half, k.Label, k.ID), "give both the label and the id")
}

// point reads a public key, which has to be on P-256.
func (h *held) point(object pkcs11.ObjectHandle) (*ecdsa.PublicKey, error) {
	const want = "the key is not supported, want ECDSA P-256"
	said, err := h.ctx.GetAttributeValue(h.session, object, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, nil), pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil),
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", want, err)
	}
	curve, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	if err != nil || !bytes.Equal(said[0].Value, curve) {
		return nil, errors.New(want)
	}
	raw := said[1].Value
	var wrapped []byte // an OCTET STRING, as the standard says; some give what is in it
	if rest, err := asn1.Unmarshal(raw, &wrapped); err == nil && len(rest) == 0 {
		raw = wrapped
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), raw)
	if err != nil {
		return nil, fmt.Errorf("read the public key: %w", err)
	}
	return key, nil
}

// Public is the public half.
func (h *held) Public() crypto.PublicKey { return h.public }

// Sign has the token sign a SHA-256 digest, and checks what it gives.
func (h *held) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != crypto.SHA256.Size() {
		return nil, errors.New("sign: want a SHA-256 digest")
	}
	if err := h.ctx.SignInit(h.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, h.private); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if h.always() {
		if err := h.ctx.Login(h.session, pkcs11.CKU_CONTEXT_SPECIFIC, h.pin.Reveal()); err != nil {
			return nil, fmt.Errorf("sign in for this signature: %w", err)
		}
	}
	raw, err := h.ctx.Sign(h.session, digest)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if len(raw) != 64 {
		return nil, fmt.Errorf("sign: the token gave %d bytes, want 64", len(raw))
	}
	out, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if !ecdsa.VerifyASN1(h.public, digest, out) {
		return nil, hint.Add(errors.New("sign: the private key is not that of the public key"), "give the label and the id that both halves have")
	}
	return out, nil
}

// always reports whether the key wants the PIN for each signature.
func (h *held) always() bool {
	said, err := h.ctx.GetAttributeValue(h.session, h.private, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, nil)})
	return err == nil && len(said) == 1 && bytes.Equal(said[0].Value, []byte{1})
}

// Close ends all sessions and unloads the library.
func (h *held) Close() error {
	err := h.ctx.Finalize()
	h.ctx.Destroy()
	if err = errors.Join(err, h.turn.Close()); err != nil {
		return fmt.Errorf("end the PKCS#11 module: %w", err)
	}
	return nil
}
