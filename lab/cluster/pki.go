package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/seatrial/seatrial/lab/layout"
)

const certLife = 30 * 24 * time.Hour

// authority signs the certificates of one cluster.
type authority struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// identity is one certificate to be made.
type identity struct {
	file   string // NAME.crt and NAME.key
	name   string
	groups []string
	hosts  []string
}

func identities(c layout.Cluster) []identity {
	local := []string{"localhost", "127.0.0.1", c.NodeIP()}
	api := append([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", c.APIServiceIP(),
	}, local...)
	return []identity{
		{file: "apiserver", name: "kube-apiserver", hosts: api},
		{file: "admin", name: "admin", groups: []string{"system:masters"}},
		{file: "apiserver-kubelet", name: "apiserver-kubelet", groups: []string{"system:masters"}},
		{file: "kcm", name: "system:kube-controller-manager"},
		{file: "scheduler", name: "system:kube-scheduler"},
		{file: "kubelet", name: "system:node:" + c.Node(), groups: []string{"system:nodes"}},
		{file: "proxy", name: "system:kube-proxy"},
		{file: "coredns", name: "system:coredns"},
		{file: "front", name: "front-proxy"},
		{file: "hook", name: "chaos-mesh", hosts: append([]string{"chaos-mesh-controller-manager.chaos-mesh.svc"}, local...)},
		{file: "daemon", name: "chaos-daemon.chaos-mesh.org", hosts: append([]string{"chaos-daemon.chaos-mesh.org"}, local...)},
	}
}

// kubeconfigs are the identities that talk to the API with a file of their own.
var kubeconfigs = []string{"admin", "kcm", "scheduler", "kubelet", "proxy", "coredns"}

// writePKI makes keys, certificates and kubeconfigs, once in a cluster's life.
func writePKI(c layout.Cluster, dir string) error {
	pki := filepath.Join(dir, "pki")
	if _, err := os.Stat(filepath.Join(pki, "done")); err == nil {
		return nil
	}
	if err := os.MkdirAll(pki, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority(pki, c.Name+"-ca")
	if err != nil {
		return err
	}
	if _, err := writeKey(filepath.Join(pki, "sa.key")); err != nil {
		return err
	}
	for _, id := range identities(c) {
		if err := ca.issue(id); err != nil {
			return fmt.Errorf("issue certificate %s: %w", id.file, err)
		}
	}
	for _, user := range kubeconfigs {
		if err := writeKubeconfig(c, dir, user); err != nil {
			return fmt.Errorf("write kubeconfig of %s: %w", user, err)
		}
	}
	return os.WriteFile(filepath.Join(pki, "done"), nil, 0o600)
}

func newAuthority(dir, name string) (*authority, error) {
	key, err := writeKey(filepath.Join(dir, "ca.key"))
	if err != nil {
		return nil, err
	}
	t := template(name, nil)
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage |= x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{dir, key, cert}, writePEM(filepath.Join(dir, "ca.crt"), "CERTIFICATE", der)
}

func template(name string, groups []string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		serial = big.NewInt(time.Now().UnixNano())
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certLife),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

func (a *authority) issue(id identity) error {
	key, err := writeKey(filepath.Join(a.dir, id.file+".key"))
	if err != nil {
		return err
	}
	t := template(id.name, id.groups)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	for _, h := range id.hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(a.dir, id.file+".crt"), "CERTIFICATE", der)
}

// writeKey makes an ECDSA key: eleven of them take milliseconds, RSA takes seconds.
func writeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// writeKubeconfig writes JSON, which every reader of kubeconfigs understands.
func writeKubeconfig(c layout.Cluster, dir, user string) error {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, "pki", name))
		if err != nil {
			return nil
		}
		return b
	}
	ca, crt, key := read("ca.crt"), read(user+".crt"), read(user+".key")
	if ca == nil || crt == nil || key == nil {
		return errors.New("a certificate or key is missing")
	}
	v := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": c.Name,
		"clusters": []any{map[string]any{"name": c.Name, "cluster": map[string]any{"server": c.APIServer(), "certificate-authority-data": ca}}},
		"users":    []any{map[string]any{"name": user, "user": map[string]any{"client-certificate-data": crt, "client-key-data": key}}},
		"contexts": []any{map[string]any{"name": c.Name, "context": map[string]any{"cluster": c.Name, "user": user}}},
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, user+".kubeconfig"), b, 0o600)
}
