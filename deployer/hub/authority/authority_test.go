package authority_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/deployer/hub/authority"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

func open(t *testing.T, dir string, passphrase secret.Text) *authority.Authority {
	t.Helper()
	a, err := authority.Open(authority.Config{Dir: dir, Passphrase: passphrase, Certificates: time.Hour, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func request(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return csr
}

func key(t *testing.T, on elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(on, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func invite(t *testing.T, a *authority.Authority) secret.Text {
	t.Helper()
	token, _, err := a.Invite("far", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func serial(t *testing.T, cert []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(cert)
	if err != nil {
		t.Fatal(err)
	}
	if c.Subject.CommonName != "far" || c.IsCA || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("a certificate for %s, CA %t, usage %v", c.Subject.CommonName, c.IsCA, c.ExtKeyUsage)
	}
	return c.SerialNumber.Text(16)
}

func TestTheLastTwoCertificatesCountUntilTheyAreRevoked(t *testing.T) {
	a := open(t, t.TempDir(), "p")
	p256 := key(t, elliptic.P256())
	_, cert, err := a.Enrol(invite(t, a), request(t, p256))
	first := serial(t, cert, err)
	cert, err = a.Renew("far", first, request(t, p256))
	second := serial(t, cert, err)
	if !a.Allowed("far", first) || !a.Allowed("far", second) || a.Allowed("near", second) {
		t.Error("after the first renewal both count, for this cluster")
	}
	cert, err = a.Renew("far", second, request(t, p256))
	third := serial(t, cert, err)
	if a.Allowed("far", first) || !a.Allowed("far", second) || !a.Allowed("far", third) {
		t.Error("after the second, the first counts on")
	}
	if _, err := a.Renew("far", first, request(t, p256)); !errors.Is(err, authority.ErrRefused) {
		t.Errorf("one that does not count is renewed: %v", err)
	}
	if err := a.Revoke("far"); err != nil {
		t.Fatal(err)
	}
	if a.Allowed("far", third) || a.Member("far").Allowed {
		t.Error("a revoked one counts")
	}
}

func TestOnlyAKeyOfOurKindIsCertified(t *testing.T) {
	a := open(t, t.TempDir(), "p")
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	forged := request(t, key(t, elliptic.P256()))
	forged[len(forged)-1] ^= 1
	for name, csr := range map[string][]byte{
		"another curve": request(t, key(t, elliptic.P384())), "another kind": request(t, ed), "a wrong signature": forged, "nonsense": []byte("x"), "too long": bytes.Repeat([]byte{0x30}, 5000),
	} {
		token := invite(t, a)
		if _, _, err := a.Enrol(token, csr); !errors.Is(err, authority.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := a.Enrol(token, request(t, key(t, elliptic.P256()))); err != nil {
			t.Errorf("%s used the token up: %v", name, err)
		}
	}
}

func TestAnotherProcessIsHeard(t *testing.T) {
	dir := t.TempDir()
	server, command := open(t, dir, "p"), open(t, dir, "p")
	if !bytes.Equal(server.Pin(), command.Pin()) || !server.Certificate().Equal(command.Certificate()) {
		t.Fatal("they have other keys")
	}
	_, cert, err := server.Enrol(invite(t, command), request(t, key(t, elliptic.P256())))
	n := serial(t, cert, err)
	if !server.Allowed("far", n) {
		t.Fatal("it does not count")
	}
	if err := command.Revoke("far"); err != nil {
		t.Fatal(err)
	}
	if server.Allowed("far", n) {
		t.Error("the server has not heard of it")
	}
}

func TestNothingIsKeptInTheClear(t *testing.T) {
	dir := t.TempDir()
	token := invite(t, open(t, dir, "p")).Reveal()
	part := strings.Split(token, ".")[2]
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if strings.Contains(string(data), part) {
			t.Errorf("%s has the token", path)
		}
		if _, bad := x509.ParseECPrivateKey(data); bad == nil {
			t.Errorf("%s is a key", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for passphrase, want := range map[secret.Text]string{"other": "does not open with the passphrase", "": "no passphrase"} {
		_, err := authority.Open(authority.Config{Dir: dir, Passphrase: passphrase, Now: time.Now})
		if err == nil || !strings.Contains(err.Error(), want) || hint.Of(err) == "" {
			t.Errorf("%q: %v", passphrase.Reveal(), err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "orders.key"), 7); err != nil {
		t.Fatal(err)
	}
	if _, err := authority.Open(authority.Config{Dir: dir, Passphrase: "p", Now: time.Now}); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("a key that is cut short: %v", err)
	}
}
