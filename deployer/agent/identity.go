package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/seatrial/seatrial/deployer/agent/wire"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/secret"
)

// identity is who the agent is and whom it obeys, one file for its user only.
type identity struct {
	Cluster     string            `json:"cluster"`
	Key         []byte            `json:"key"`         // DER; made here, and never sent
	Certificate []byte            `json:"certificate"` // DER
	Authority   []byte            `json:"authority"`   // DER, pinned
	Orders      ed25519.PublicKey `json:"orders"`      // pinned

	leaf *x509.Certificate
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

func (a *Agent) identityFile() string { return filepath.Join(a.cfg.Folder, "identity.json") }

// parse reads the parts.
func (id *identity) parse() (err error) {
	if id.leaf, err = x509.ParseCertificate(id.Certificate); err != nil {
		return err
	}
	if id.key, err = x509.ParseECPrivateKey(id.Key); err != nil {
		return errors.New("the key cannot be read")
	}
	if id.root, err = x509.ParseCertificate(id.Authority); err != nil {
		return err
	}
	if !id.key.PublicKey.Equal(id.leaf.PublicKey) || len(id.Orders) != ed25519.PublicKeySize || id.leaf.CheckSignatureFrom(id.root) != nil || id.leaf.Subject.CommonName != id.Cluster {
		return errors.New("its parts do not belong together")
	}
	return nil
}

// load reads the identity; nil when there is none that still counts.
func (a *Agent) load() (*identity, error) {
	data, err := os.ReadFile(a.identityFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	id := &identity{}
	if err == nil {
		err = json.Unmarshal(data, id)
	}
	if err == nil {
		err = id.parse()
	}
	if err != nil {
		return nil, hint.Add(fmt.Errorf("read who the agent is: %w", err), "delete "+a.identityFile()+" and enrol again")
	}
	if !a.cfg.Now().Before(id.leaf.NotAfter) {
		a.cfg.Log.Warn("the agent's certificate has ended", "cluster", id.Cluster, "at", id.leaf.NotAfter)
		return nil, nil
	}
	return id, nil
}

func (a *Agent) save(id *identity) error {
	data, err := json.Marshal(id)
	if err == nil {
		err = secret.Keep(a.identityFile(), data)
	}
	if err != nil {
		return fmt.Errorf("keep who the agent is: %w", err)
	}
	return nil
}

// request makes a new key and asks for a certificate of it.
func request(cluster string) (key *ecdsa.PrivateKey, der, csr []byte, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, nil, err
	}
	if der, err = x509.MarshalECPrivateKey(key); err != nil {
		return nil, nil, nil, err
	}
	csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: cluster}}, key)
	return key, der, csr, err
}

// enrol turns the one-time token into an identity.
func (a *Agent) enrol(ctx context.Context) (*identity, error) {
	t, err := wire.ParseToken(a.cfg.Token)
	if err != nil {
		return nil, err
	}
	_, der, csr, err := request(t.Cluster)
	if err != nil {
		return nil, err
	}
	var stranger atomic.Bool // gRPC makes a text of every error
	conn, err := a.dial(&tls.Config{MinVersion: tls.VersionTLS13, ServerName: wire.ServerName,
		InsecureSkipVerify: true, // VerifyConnection asks more: the authority has to be the token's
		VerifyConnection: func(s tls.ConnectionState) error {
			err := pinned(s, t.Pin)
			stranger.Store(err != nil)
			return err
		}})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, wire.Dialling)
	defer cancel()
	got, err := wire.CallEnrol(ctx, conn, &wire.Enrol{Token: a.cfg.Token.Reveal(), CSR: csr})
	if stranger.Load() {
		return nil, errStranger
	}
	if err != nil {
		return nil, err
	}
	id := &identity{Cluster: got.Cluster, Key: der, Certificate: got.Certificate, Authority: got.Authority, Orders: got.Orders}
	if err := id.parse(); err != nil || id.Cluster != t.Cluster || sha256.Sum256(id.root.Raw) != t.Pin {
		return nil, errors.New("the server's answer to the enrolment does not fit together")
	}
	return id, a.save(id)
}

// pinned accepts a server of the authority whose digest is in the token.
func pinned(s tls.ConnectionState, pin [sha256.Size]byte) error {
	roots := x509.NewCertPool()
	for _, c := range s.PeerCertificates {
		if sha256.Sum256(c.Raw) == pin {
			roots.AddCert(c)
		}
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: wire.ServerName})
	return err
}

var errStranger = errors.New("the server is not the one that made the token: something else answers at its address")

// tls is for every connection after the first.
func (id *identity) tls() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(id.root)
	return &tls.Config{MinVersion: tls.VersionTLS13, ServerName: wire.ServerName, RootCAs: roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{id.Certificate}, PrivateKey: id.key, Leaf: id.leaf}}}
}

// renewAt is when two thirds of the certificate's time are over.
func (id *identity) renewAt() time.Time {
	return id.leaf.NotBefore.Add(id.leaf.NotAfter.Sub(id.leaf.NotBefore) * 2 / 3)
}

// renew asks for the next certificate, with a new key, and keeps it before it is used.
func (a *Agent) renew(ctx context.Context, conn *grpc.ClientConn, id *identity) (*identity, error) {
	key, der, csr, err := request(id.Cluster)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wire.Dialling)
	defer cancel()
	got, err := wire.CallRenew(ctx, conn, &wire.Renew{CSR: csr})
	if err != nil {
		return nil, err
	}
	next := &identity{Cluster: id.Cluster, Key: der, Certificate: got.Certificate, Authority: id.Authority, Orders: id.Orders, key: key}
	if err := next.parse(); err != nil {
		return nil, fmt.Errorf("the next certificate: %w", err)
	}
	return next, a.save(next)
}

func (a *Agent) dial(cfg *tls.Config) (*grpc.ClientConn, error) {
	return grpc.NewClient(a.cfg.Server, grpc.WithTransportCredentials(credentials.NewTLS(cfg)),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(wire.Codec{}), grpc.MaxCallRecvMsgSize(wire.MaxAsk), grpc.MaxCallSendMsgSize(wire.MaxReport)),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: wire.Dialling}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: wire.Beat, Timeout: wire.Silence, PermitWithoutStream: true}))
}
