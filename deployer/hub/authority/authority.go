// Package authority knows the agents: it keeps the server's own certificate authority for
// them and the key that signs orders, invites clusters with one-time tokens and says whose
// certificate still counts.
//
// Start at Open, then Invite, Enrol and Allowed. It never keeps a token, only its hash,
// and never writes a key in the clear.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/release"
)

const (
	defaultCertificates = 30 * 24 * time.Hour
	authorityFor        = 10 * 365 * 24 * time.Hour
	serverFor           = 30 * 24 * time.Hour
	skew                = 5 * time.Minute // between clocks
	secretBytes         = 32
	maxCSR              = 4 << 10
)

// ErrRefused: whoever asks is not, or no longer, an agent of ours.
var ErrRefused = errors.New("refused")

// Config of an Authority.
type Config struct {
	Dir          string        // a folder of its own, made when it is missing
	Passphrase   secret.Text   // of the keys
	Certificates time.Duration // that an agent's certificate counts; default 30 days
	Now          func() time.Time
}

// Authority is safe for concurrent use, and several processes may open one folder.
type Authority struct {
	cfg    Config
	cert   *x509.Certificate
	key    crypto.Signer
	orders ed25519.PrivateKey

	mu    sync.Mutex // guards what follows
	leaf  *tls.Certificate
	known map[string]cached
}

// Open reads the authority of a folder, or makes it.
func Open(cfg Config) (*Authority, error) {
	if cfg.Certificates == 0 {
		cfg.Certificates = defaultCertificates
	}
	a := &Authority{cfg: cfg, known: map[string]cached{}}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "clusters"), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the agents: %w", err)
	}
	unlock, err := a.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := a.load(); err != nil {
		return nil, fmt.Errorf("open the agents' authority: %w", err)
	}
	return a, nil
}

func (a *Authority) load() error {
	raw, err := os.ReadFile(a.path("ca.der"))
	if errors.Is(err, os.ErrNotExist) {
		return a.make()
	}
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(raw); err != nil {
		return err
	}
	der, err := unseal(a.path("ca.key"), a.cfg.Passphrase)
	if err != nil {
		return err
	}
	if a.key, err = x509.ParseECPrivateKey(der); err != nil {
		return errors.New("ca.key holds no key")
	}
	seed, err := unseal(a.path("orders.key"), a.cfg.Passphrase)
	if err != nil {
		return err
	}
	if len(seed) != ed25519.SeedSize {
		return errors.New("orders.key holds no key")
	}
	a.orders = ed25519.NewKeyFromSeed(seed)
	return nil
}

// make writes the certificate last: without it, nothing counts.
func (a *Authority) make() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	_, a.orders, err = ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	a.key = key
	now := a.cfg.Now()
	self := &x509.Certificate{Subject: pkix.Name{CommonName: "Seatrial agents"}, NotBefore: now.Add(-skew), NotAfter: now.Add(authorityFor),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	raw, err := a.sign(self, self, key.Public())
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(raw); err != nil {
		return err
	}
	if err := seal(a.path("ca.key"), a.cfg.Passphrase, der); err != nil {
		return err
	}
	if err := seal(a.path("orders.key"), a.cfg.Passphrase, a.orders.Seed()); err != nil {
		return err
	}
	return secret.Keep(a.path("ca.der"), raw)
}

func (a *Authority) sign(c, parent *x509.Certificate, public crypto.PublicKey) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	c.SerialNumber = serial
	return x509.CreateCertificate(rand.Reader, c, parent, public, a.key)
}

func (a *Authority) path(name string) string { return filepath.Join(a.cfg.Dir, name) }

// Certificate is the authority's own.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Sign signs an order.
func (a *Authority) Sign(o wire.Order) (wire.Signed, error) { return wire.Sign(a.orders, o) }

// Pin is the key that agents check orders with.
func (a *Authority) Pin() ed25519.PublicKey { return a.orders.Public().(ed25519.PublicKey) }

// ServerCertificate is for the listener; it is made anew before it ends.
func (a *Authority) ServerCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	if a.leaf != nil && now.Before(a.leaf.Leaf.NotAfter.Add(-serverFor/3)) {
		return a.leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	raw, err := a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: wire.ServerName}, DNSNames: []string{wire.ServerName}, NotBefore: now.Add(-skew), NotAfter: now.Add(serverFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, a.cert, key.Public())
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, err
	}
	a.leaf = &tls.Certificate{Certificate: [][]byte{raw, a.cert.Raw}, PrivateKey: key, Leaf: leaf} // with the root: an agent that enrols knows only its digest
	return a.leaf, nil
}

// Invite makes a one-time token for a cluster's agent. An agent that is enrolled stays so
// until the token is used.
func (a *Authority) Invite(cluster string, lasts time.Duration) (token secret.Text, expires time.Time, err error) {
	if !release.ValidName(cluster) {
		return "", time.Time{}, fmt.Errorf("cluster %q: not a name", cluster)
	}
	raw := make([]byte, secretBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", time.Time{}, err
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	pin := sha256.Sum256(a.cert.Raw)
	expires = a.cfg.Now().Add(lasts).UTC().Truncate(time.Second)
	err = a.change(cluster, func(r *record) error {
		sum := sha256.Sum256([]byte(text))
		r.Invitation = &invitation{Hash: sum[:], Expires: expires}
		return nil
	})
	return wire.Token{Cluster: cluster, Secret: secret.Text(text), Pin: pin}.Text(), expires, err
}

// Enrol takes a token, once, and gives the first certificate for a request. The token is
// used up before the certificate leaves.
func (a *Authority) Enrol(token secret.Text, csr []byte) (cluster string, cert []byte, err error) {
	t, err := wire.ParseToken(token)
	if err != nil {
		return "", nil, ErrRefused
	}
	err = a.change(t.Cluster, func(r *record) error {
		sum := sha256.Sum256([]byte(t.Secret.Reveal()))
		in := r.Invitation
		if in == nil || subtle.ConstantTimeCompare(sum[:], in.Hash) != 1 {
			return fmt.Errorf("%w: the token is wrong or was used", ErrRefused)
		}
		if !a.cfg.Now().Before(in.Expires) {
			return fmt.Errorf("%w: the token ended at %s", ErrRefused, in.Expires.Format(time.RFC3339))
		}
		r.Invitation, r.Serials, r.Enrolled = nil, nil, a.cfg.Now().UTC()
		cert, err = a.issue(r, t.Cluster, csr)
		return err
	})
	return t.Cluster, cert, err
}

// Renew gives the next certificate of a cluster's agent; the present one counts on until
// the next but one is made.
func (a *Authority) Renew(cluster, serial string, csr []byte) (cert []byte, err error) {
	err = a.change(cluster, func(r *record) error {
		if !slices.Contains(r.Serials, serial) {
			return fmt.Errorf("%w: the certificate does not count any more", ErrRefused)
		}
		r.Serials = []string{serial}
		cert, err = a.issue(r, cluster, csr)
		return err
	})
	return cert, err
}

// issue takes nothing of a request but its key.
func (a *Authority) issue(r *record, cluster string, csr []byte) ([]byte, error) {
	if len(csr) > maxCSR {
		return nil, fmt.Errorf("%w: the certificate request is over %d bytes", ErrRefused, maxCSR)
	}
	asked, err := x509.ParseCertificateRequest(csr)
	if err != nil || asked.CheckSignature() != nil {
		return nil, fmt.Errorf("%w: the certificate request cannot be read", ErrRefused)
	}
	key, ok := asked.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: the key is not on P-256", ErrRefused)
	}
	now := a.cfg.Now()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: cluster}, NotBefore: now.Add(-skew), NotAfter: now.Add(a.cfg.Certificates),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	cert, err := a.sign(c, a.cert, key)
	if err == nil {
		r.Serials = append(r.Serials, c.SerialNumber.Text(16))
	}
	return cert, err
}

// Revoke makes every certificate and token of a cluster's agent worthless.
func (a *Authority) Revoke(cluster string) error {
	return a.change(cluster, func(r *record) error {
		r.Invitation, r.Serials = nil, nil
		return nil
	})
}

// Allowed reports whether a certificate of a cluster's agent counts now.
func (a *Authority) Allowed(cluster, serial string) bool {
	r, err := a.read(cluster)
	return err == nil && slices.Contains(r.Serials, serial)
}
