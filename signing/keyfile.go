package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

const (
	privateBlock = "ENCRYPTED SIGSTORE PRIVATE KEY" // what cosign reads and writes
	publicBlock  = "PUBLIC KEY"
	publicEnding = ".pub"
	minSecret    = 12 // characters of a passphrase
)

// LoadOrCreateKey reads the key file, or makes one at the first start; beside it lies
// the public key with the ending .pub. The file has cosign's format, so
// cosign sign --key reads it too.
func LoadOrCreateKey(file string, passphrase secret.Text) (*Key, error) {
	if len(passphrase.Reveal()) < minSecret {
		return nil, hint.Add(fmt.Errorf("signing key %s: the passphrase is shorter than %d characters", file, minSecret),
			"set a long random one; the server reads it from the environment variable that its settings name")
	}
	raw, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if raw, err = createKey(file, passphrase); err != nil {
			return nil, fmt.Errorf("make signing key %s: %w", file, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	k, err := decodeKey(raw, passphrase)
	debug.FreeOSMemory() // scrypt takes 64 MiB on purpose; give them back at once
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w", file, err)
	}
	if err := writeFile(publicName(file), []byte(k.public.PEM), 0o644); err != nil {
		return nil, fmt.Errorf("write public key: %w", err)
	}
	return k, nil
}

func publicName(file string) string {
	return file[:len(file)-len(filepath.Ext(file))] + publicEnding
}

func createKey(file string, passphrase secret.Text) ([]byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	sealed, err := encrypted.Encrypt(der, []byte(passphrase.Reveal()))
	if err != nil {
		return nil, err
	}
	raw := pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: sealed})
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return raw, writeFile(file, raw, 0o600)
}

// writeFile replaces a file as a whole and is on disk when it returns.
func writeFile(file string, content []byte, mode fs.FileMode) error {
	if old, err := os.ReadFile(file); err == nil && string(old) == string(content) {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".key-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already when all went well
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

func decodeKey(raw []byte, passphrase secret.Text) (*Key, error) {
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != privateBlock && block.Type != "ENCRYPTED COSIGN PRIVATE KEY" {
		return nil, errors.New("not an encrypted sigstore key in PEM")
	}
	der, err := encrypted.Decrypt(block.Bytes, []byte(passphrase.Reveal()))
	if err != nil {
		return nil, hint.Add(errors.New("the passphrase does not open it"), "give the passphrase the key was made with; a new key voids every signature so far")
	}
	any, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	private, ok := any.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%T is not supported, want ECDSA P-256", any)
	}
	signer, err := signature.LoadECDSASigner(private, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return NewKey(signer)
}

// ReadPublicKey reads a public key and its window, written as FILE or FILE@FROM..UNTIL.
func ReadPublicKey(s string) (PublicKey, error) {
	file, w := s, Window{}
	if at := strings.LastIndex(s, "@"); at >= 0 && strings.Contains(s[at:], "..") {
		var err error
		if w, err = ParseWindow(s[at+1:]); err != nil {
			return PublicKey{}, err
		}
		file = s[:at]
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return PublicKey{}, fmt.Errorf("read public key: %w", err)
	}
	k, err := ParsePublicKey(raw)
	if err != nil {
		return PublicKey{}, fmt.Errorf("public key %s: %w", file, err)
	}
	k.Window = w
	return k, nil
}
