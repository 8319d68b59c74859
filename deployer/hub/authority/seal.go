package authority

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"golang.org/x/crypto/argon2"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

const saltBytes = 16

// box encrypts with a key made of the passphrase.
func box(passphrase secret.Text, salt []byte) (cipher.AEAD, error) {
	if passphrase == "" {
		return nil, hint.Add(errors.New("no passphrase for the agents' keys"), "set SEATRIAL_SIGNING_PASSPHRASE")
	}
	block, err := aes.NewCipher(argon2.IDKey([]byte(passphrase.Reveal()), salt, 1, 64<<10, 4, 32))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal writes a key, encrypted.
func seal(file string, passphrase secret.Text, key []byte) error {
	salt := make([]byte, saltBytes)
	if _, err := rand.Read(salt); err != nil {
		return err
	}
	b, err := box(passphrase, salt)
	if err != nil {
		return err
	}
	nonce := make([]byte, b.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	return secret.Keep(file, b.Seal(append(salt, nonce...), nonce, key, nil))
}

// unseal reads a key.
func unseal(file string, passphrase secret.Text) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if len(data) < saltBytes {
		return nil, fmt.Errorf("%s is cut short", file)
	}
	b, err := box(passphrase, data[:saltBytes])
	if err != nil {
		return nil, err
	}
	data = data[saltBytes:]
	if len(data) < b.NonceSize() {
		return nil, fmt.Errorf("%s is cut short", file)
	}
	key, err := b.Open(nil, data[:b.NonceSize()], data[b.NonceSize():], nil)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("%s does not open with the passphrase", file), "set SEATRIAL_SIGNING_PASSPHRASE to what it was when the file was made")
	}
	return key, nil
}
