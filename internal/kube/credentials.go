package kube

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/seatrial/seatrial/internal/hint"
)

// Entry is what the platform says about a cluster's credentials; the zero Entry is a
// kubeconfig file of the cluster's own name that runs nothing.
type Entry struct {
	Credentials string   // name of the file, without its ending; default: the cluster's
	File        string   // path of the file, in place of one in the folder
	Server      string   // address of the API server: the file is a service account's token
	CA          string   // PEM, of the API server at Server; empty: the system's
	Plugins     []string // programs that the kubeconfig may run, as it names them
}

func (e Entry) digest() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{e.Credentials, e.File, e.Server, e.CA, e.Plugins}))
	return hex.EncodeToString(sum[:8])
}

// Told makes Get ask what the platform says about a cluster. hidden are the variables of
// our environment that no credential plug-in sees. Call it before the first Get.
func (c *Clusters) Told(entry func(name string) Entry, hidden ...string) *Clusters {
	c.entry, c.hidden = entry, hidden
	return c
}

// place is where a cluster's credentials are.
func (c *Clusters) place(name string) (Entry, string) {
	var e Entry
	if c.entry != nil {
		e = c.entry(name)
	}
	if e.File != "" {
		return e, e.File
	}
	file := e.Credentials
	if file == "" {
		file = name
	}
	if e.Server != "" {
		return e, filepath.Join(c.dir, file+".token")
	}
	return e, filepath.Join(c.dir, file+".kubeconfig")
}

// byToken is the configuration of a service account; version leaves the token out, so that
// a rotated one does not empty the cluster's cache.
func byToken(e Entry, path string) (cfg *rest.Config, version string, err error) {
	t := &tokenFile{path: path}
	if _, err := t.read(); err != nil {
		return nil, "", err
	}
	cfg = &rest.Config{Host: e.Server, TLSClientConfig: rest.TLSClientConfig{CAData: []byte(e.CA)}}
	t.wrap(cfg)
	tune(cfg)
	return cfg, e.digest(), nil
}

// byFile is the configuration of a kubeconfig file.
func (c *Clusters) byFile(e Entry, path string) (cfg *rest.Config, version string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	data, err := readAll(file)
	if err != nil {
		return nil, "", fmt.Errorf("read its kubeconfig: %w", err)
	}
	raw, err := clientcmd.Load(data)
	if err != nil {
		// The library's error may quote the file, and the file holds keys.
		return nil, "", hint.Add(errors.New("its kubeconfig cannot be read"), "check it with: kubectl --kubeconfig "+path+" version")
	}
	if err := c.prepare(raw, e, path); err != nil {
		return nil, "", err
	}
	if cfg, err = restConfig(raw); err != nil {
		return nil, "", err
	}
	if cfg.BearerTokenFile != "" {
		(&tokenFile{path: cfg.BearerTokenFile}).wrap(cfg)
	}
	sum := sha256.Sum256(append(data, e.digest()...))
	return cfg, hex.EncodeToString(sum[:8]), nil
}

// prepare refuses what would run a program that nobody has allowed.
func (c *Clusters) prepare(raw *api.Config, e Entry, path string) error {
	for user, a := range raw.AuthInfos {
		switch {
		case a.AuthProvider != nil:
			return hint.Add(fmt.Errorf("user %s of its kubeconfig uses the auth-provider %s, which is refused", user, a.AuthProvider.Name),
				"auth-providers are gone from Kubernetes: use a client certificate, a service account's token, or an exec plug-in that the cluster's entry allows")
		case a.Exec != nil && !slices.Contains(e.Plugins, a.Exec.Command):
			return hint.Add(fmt.Errorf("user %s of its kubeconfig runs a credential plug-in, which is refused: %s", user, a.Exec.Command),
				"use a client certificate or the token of a service account, or allow it in the cluster's entry: credentialPlugins")
		case a.Exec != nil:
			a.Exec.InteractiveMode = api.NeverExecInteractiveMode
			for _, name := range c.hidden {
				a.Exec.Env = append(a.Exec.Env, api.ExecEnvVar{Name: name})
			}
		}
		a.LocationOfOrigin = path
	}
	for _, cl := range raw.Clusters {
		cl.LocationOfOrigin = path
	}
	if err := clientcmd.ResolveLocalPaths(raw); err != nil {
		return errors.New("a path in its kubeconfig cannot be resolved")
	}
	return nil
}

// tokenFile is a service account's token, read again whenever its file has changed.
type tokenFile struct {
	path string

	mu    sync.Mutex // guards what follows
	at    time.Time
	token string
}

const maxToken = 64 << 10

func (t *tokenFile) read() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.path)
	if err != nil {
		return "", fmt.Errorf("read its token: %w", err)
	}
	if info.ModTime().Equal(t.at) {
		return t.token, nil
	}
	if info.Size() > maxToken {
		return "", fmt.Errorf("%s is over %d KiB, and no token", t.path, maxToken>>10)
	}
	data, err := os.ReadFile(t.path)
	if err != nil {
		return "", fmt.Errorf("read its token: %w", err)
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 || bytes.ContainsAny(data, " \r\n\t") {
		return "", hint.Add(fmt.Errorf("%s holds no token", t.path), "write a service account's token into it: seatrial cluster add makes one")
	}
	t.at, t.token = info.ModTime(), string(data)
	return t.token, nil
}

func (t *tokenFile) wrap(cfg *rest.Config) {
	cfg.BearerToken, cfg.BearerTokenFile = "", ""
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return withToken{next, t} })
}

type withToken struct {
	next http.RoundTripper
	file *tokenFile
}

// RoundTrip signs a request with the token as it is now.
func (w withToken) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := w.file.read()
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	return w.next.RoundTrip(req)
}
