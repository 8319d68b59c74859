// Package settings reads what the server itself has to be told: seatrial.yaml, and the
// secrets of the environment, which no file holds.
//
// Start at Read and ReadSecrets. It never reads anything else of the environment, and a
// secret never leaves its type.
package settings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/history"
	"github.com/seatrial/seatrial/cmd/seatrial/retention"
	"github.com/seatrial/seatrial/internal/git"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/oci"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/internal/strict"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/signing"
	"github.com/seatrial/seatrial/signing/token"
)

// Settings is seatrial.yaml, the server's own file. Secrets are not in it: they come
// from the environment, see Secrets.
type Settings struct {
	Listen      string `json:"listen,omitempty"`      // of the console and the API; default 127.0.0.1:8480
	Metrics     string `json:"metrics,omitempty"`     // of /metrics and pprof; default 127.0.0.1:8481
	ExternalURL string `json:"externalURL,omitempty"` // what links in messages begin with; default http://<listen>
	State       string `json:"state"`                 // folder of the store, logs, keys and caches

	Platform   Platform   `json:"platform"`
	Forge      Forge      `json:"forge"`
	Registry   Registry   `json:"registry"`
	Signing    Signing    `json:"signing,omitempty"`
	BuildKit   BuildKit   `json:"buildkit"`
	Prometheus Prometheus `json:"prometheus"`
	Clusters   Clusters   `json:"clusters"`
	Agents     Agents     `json:"agents,omitzero"` // default: none is let in

	Alertmanager Alertmanager `json:"alertmanager,omitzero"` // default: no alerts are taken

	Summary Summary `json:"summary,omitzero"` // default: no weekly summary of experiments is sent

	Retention retention.Rule `json:"retention,omitzero"` // default: nothing is deleted from the registry

	History history.Rule `json:"history,omitzero"` // of experiments' runs
}

// Alertmanager is one that posts alerts to us.
type Alertmanager struct {
	Project string `json:"project"` // of alerts whose labels name none
}

type Platform struct {
	Repo   string `json:"repo"`             // "platform/config" on the forge
	Branch string `json:"branch,omitempty"` // default main
}

type Forge struct {
	Kind string `json:"kind"` // "gitea" or "github"
	URL  string `json:"url"`
	User string `json:"user,omitempty"` // whose token it is; default "seatrial"
}

type Registry struct {
	Host      string `json:"host"`
	PlainHTTP bool   `json:"plainHTTP,omitempty"`
	User      string `json:"user,omitempty"`
	TokenHost string `json:"tokenHost,omitempty"` // that gives tokens for the login: "gitlab.example"; default: the host itself
}

// RegistryHost is the registry with its password.
func (s Settings) RegistryHost(password secret.Text) oci.Host {
	r := s.Registry
	return oci.Host{Name: r.Host, PlainHTTP: r.PlainHTTP, User: r.User, Password: password, TokenHost: r.TokenHost}
}

// Signing says how images are signed, and with which keys; without keys it is signing.key
// in the state folder, which counts always.
type Signing struct {
	Compat signing.Compat `json:"compat,omitempty"` // default bundle
	Keys   []Key          `json:"keys,omitempty"`
}

// Key is one signing key: a file in the state folder or elsewhere, one on a PKCS#11 token,
// or a program with one.
type Key struct {
	File    string     `json:"file,omitempty"`
	PKCS11  *token.Key `json:"pkcs11,omitempty"`
	Program string     `json:"program,omitempty"`
	From    time.Time  `json:"from,omitzero"`
	Until   time.Time  `json:"until,omitzero"`
}

func (k Key) validate() error {
	if k.PKCS11 == nil {
		return nil // signing says what else is wrong
	}
	if k.File != "" || k.Program != "" {
		return errors.New("want one of file, pkcs11 and program")
	}
	if err := k.PKCS11.Validate(); err != nil {
		return fmt.Errorf("pkcs11: %w", err)
	}
	return nil
}

type BuildKit struct {
	Addresses []string          `json:"addresses,omitempty"` // "unix:///run/buildkit/buildkitd.sock"; left out: the server keeps one running
	Program   string            `json:"program,omitempty"`   // of the one it keeps; default: buildkitd on PATH
	Mirrors   map[string]string `json:"mirrors,omitempty"`   // where it takes a host's images from: "docker.io" to "registry.example:5000"
}

type Clusters struct {
	Credentials string `json:"credentials"` // folder of <cluster>.kubeconfig and <cluster>.token files
}

// Agents says where agents of clusters that the server cannot reach dial in.
type Agents struct {
	Listen       string           `json:"listen,omitempty"`       // ":9444"; left out: nowhere
	Certificates release.Duration `json:"certificates,omitempty"` // that an agent's certificate counts; default 720h
}

// The least that an agent's certificate counts: it is renewed after two thirds, also by a
// clock that is a few minutes off.
const minCertificates = time.Hour

func (a Agents) validate() error {
	if a.Listen == "" && a.Certificates != 0 {
		return errors.New("certificates only counts together with listen")
	}
	if a.Certificates != 0 && a.Certificates.Std() < minCertificates {
		return fmt.Errorf("certificates: want at least %s", minCertificates)
	}
	return nil
}

const (
	maxSettings = 64 << 10 // of seatrial.yaml
	signingKey  = "signing.key"
	signersFile = "allowed-signers"
)

// Read reads seatrial.yaml and fills in defaults.
func Read(file string) (Settings, error) {
	s := Settings{Listen: "127.0.0.1:8480", Metrics: "127.0.0.1:8481",
		Platform: Platform{Branch: "main"}, Forge: Forge{User: "seatrial"}, Signing: Signing{Compat: signing.Bundle, Keys: []Key{{File: signingKey}}}}
	data, err := os.ReadFile(file)
	if err != nil {
		return s, hint.Add(fmt.Errorf("read settings: %w", err), "name the file with --config; examples/seatrial.yaml is a start")
	}
	if err := strict.Decode(file, data, strict.Limits{Bytes: maxSettings}, &s); err != nil {
		return s, err
	}
	if s.ExternalURL == "" {
		s.ExternalURL = "http://" + s.Listen
	}
	return s, s.validate(file)
}

func (s Settings) validate(file string) error {
	missing := []string{}
	for _, field := range []struct{ name, value string }{
		{"state", s.State}, {"platform.repo", s.Platform.Repo}, {"forge.kind", s.Forge.Kind}, {"forge.url", s.Forge.URL},
		{"registry.host", s.Registry.Host}, {"prometheus.url", s.Prometheus.URL},
		{"clusters.credentials", s.Clusters.Credentials},
	} {
		if field.value == "" {
			missing = append(missing, field.name)
		}
	}
	if len(missing) > 0 {
		return hint.Add(fmt.Errorf("%s: missing %s", file, strings.Join(missing, ", ")), "examples/seatrial.yaml shows every setting")
	}
	if err := s.Signing.Compat.Validate(); err != nil {
		return fmt.Errorf("%s: signing.compat: %w", file, err)
	}
	if err := s.Retention.Validate(); err != nil {
		return fmt.Errorf("%s: retention.%w", file, err)
	}
	if err := s.History.Validate(); err != nil {
		return fmt.Errorf("%s: history.%w", file, err)
	}
	if err := s.Prometheus.validate(); err != nil {
		return fmt.Errorf("%s: prometheus.%w", file, err)
	}
	if err := s.Agents.validate(); err != nil {
		return fmt.Errorf("%s: agents.%w", file, err)
	}
	if _, err := s.Summary.Schedule(); err != nil {
		return hint.Add(fmt.Errorf("%s: summary.%w", file, err), "for example: {day: monday, at: \"09:00\", timeZone: Asia/Shanghai}")
	}
	for i, k := range s.Signing.Keys {
		if err := k.validate(); err != nil {
			return hint.Add(fmt.Errorf("%s: signing.keys[%d]: %w", file, i, err), "docs/operate.md shows how a key on a token is named")
		}
	}
	return nil
}

// KeySources are where the signing keys are.
func (s Settings) KeySources() []signing.Source {
	var out []signing.Source
	for _, k := range s.Signing.Keys {
		if k.File != "" && !filepath.IsAbs(k.File) {
			k.File = s.Path(k.File)
		}
		if k.PKCS11 != nil { // our own program holds it
			k.Program = k.PKCS11.Ref()
		}
		out = append(out, signing.Source{File: k.File, Program: k.Program, Window: signing.Window{From: k.From, Until: k.Until}})
	}
	return out
}

// OpenKeys opens the signing keys; a program that has one is asked for its public half.
func (s Settings) OpenKeys(ctx context.Context, passphrase secret.Text) (*signing.Ring, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return signing.OpenRing(ctx, passphrase, time.Now(), s.KeySources()...)
}

// Path is a place below the state folder.
func (s Settings) Path(parts ...string) string {
	return filepath.Join(append([]string{s.State}, parts...)...)
}

// HostOf is the host, with its port, of an address; empty when there is none.
func HostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// email is who our commits are by.
func (s Settings) email() string { return "seatrial@" + HostOf(s.ExternalURL) }

// Signers writes the signing keys into the state folder, as git's
// gpg.ssh.allowedSignersFile wants them, for whoever verifies desired-state commits.
func (s Settings) Signers(keys *signing.Ring) error {
	var lines []string
	for _, k := range keys.Public() {
		line, err := k.AllowedSigner(s.email())
		if err != nil {
			return err
		}
		lines = append(lines, line+"\n")
	}
	if err := os.WriteFile(s.Path(signersFile), []byte(strings.Join(lines, "")), 0o644); err != nil {
		return fmt.Errorf("write the keys of our commits: %w", err)
	}
	return nil
}

// Repos is git with the forge's token for the forge's host. With keys our commits are
// signed, and no commit without a signature by one of them is taken for ours.
func (s Settings) Repos(token secret.Text, keys *signing.Ring, log *slog.Logger) (*git.Repos, error) {
	host := HostOf(s.Forge.URL)
	var sign git.Sign
	var signed git.Signed
	if keys != nil {
		sign, signed = keys.SignCommit, keys.SignedCommit
	}
	return git.Open(git.Config{
		Dir: s.Path("git"), Name: "seatrial", Email: s.email(), Sign: sign, Signed: signed, Log: log,
		Credentials: func(h string) (git.Login, bool) {
			return git.Login{User: s.Forge.User, Token: token}, h == host && token != ""
		},
	})
}

// RepoURL is where a repo of the forge is cloned from.
func (s Settings) RepoURL(repo string) string {
	if strings.Contains(repo, "://") {
		return repo
	}
	return strings.TrimSuffix(s.Forge.URL, "/") + "/" + repo + ".git"
}

// Secrets come from the environment only.
type Secrets struct {
	ForgeToken        secret.Text
	WebhookSecrets    []secret.Text // two while one is being replaced
	SigningPassphrase secret.Text
	SigningPIN        secret.Text // of a PKCS#11 token
	RegistryPassword  secret.Text
	AlertToken        secret.Text // that Alertmanager has to show
}

// All is everything that must never show up in a log or a document.
func (s Secrets) All() []secret.Text {
	return append([]secret.Text{s.ForgeToken, s.SigningPassphrase, s.SigningPIN, s.RegistryPassword, s.AlertToken}, s.WebhookSecrets...)
}

// ReadSecrets reads the environment; without the needed ones the server does not start.
func ReadSecrets() (Secrets, error) {
	s := Secrets{
		ForgeToken:        Env("SEATRIAL_FORGE_TOKEN"),
		SigningPassphrase: Env("SEATRIAL_SIGNING_PASSPHRASE"),
		SigningPIN:        Env(token.PIN),
		RegistryPassword:  Env("SEATRIAL_REGISTRY_PASSWORD"),
		AlertToken:        Env("SEATRIAL_ALERTMANAGER_TOKEN"),
	}
	for _, name := range []string{"SEATRIAL_WEBHOOK_SECRET", "SEATRIAL_WEBHOOK_SECRET_OLD"} {
		if v := Env(name); v != "" {
			s.WebhookSecrets = append(s.WebhookSecrets, v)
		}
	}
	if len(s.WebhookSecrets) == 0 {
		return s, hint.Add(errors.New("no webhook secret: an unsigned push would be taken for real"), "set SEATRIAL_WEBHOOK_SECRET to the secret that the forge's webhook has")
	}
	if s.SigningPassphrase == "" {
		return s, hint.Add(errors.New("no passphrase for the signing key"), "set SEATRIAL_SIGNING_PASSPHRASE; the key is made at the first start")
	}
	return s, nil
}

// Env is one secret of the environment; empty when it is not set.
func Env(name string) secret.Text { return secret.Text(os.Getenv(name)) }

// Named is a secret of a channel or of builds, SEATRIAL_SECRET_WECOM_OPS for "wecom-ops".
func Named(name string) secret.Text { return Env(platform.SecretVariable(name)) }

// Ours are the names of the variables of the environment that are ours.
func Ours() (names []string) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "SEATRIAL_") {
			names = append(names, name)
		}
	}
	return names
}

// Public is the environment without what is ours in it, for programs that are to know no
// secret of the server's.
func Public() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SEATRIAL_") })
}
