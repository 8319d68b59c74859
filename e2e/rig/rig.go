// Package rig sets the whole platform up on the lab, as an operator would: repos on the
// forge, webhooks, a server process, a service that people use. The demo and the end to
// end tests both stand on it.
//
// Start at Open, then Rig.Add for a service and Service.Push for a commit. It never
// reaches into the server: everything goes through git, the API or a signal.
package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Lab is what `lab env` prints.
type Lab struct {
	Clusters []struct {
		Name       string            `json:"name"`
		Labels     map[string]string `json:"labels"`
		Kubeconfig string            `json:"kubeconfig"`
		Chaos      bool              `json:"chaos"`
	} `json:"clusters"`
	Registry   string `json:"registry"`
	BuildKit   string `json:"buildkit"`
	Prometheus string `json:"prometheus"`
	Forge      struct {
		URL          string `json:"url"`
		User         string `json:"user"`
		PasswordFile string `json:"password_file"`
		TokenFile    string `json:"token_file"`
	} `json:"forge"`
	Root string `json:"root"`
}

// Config says which binaries to use and where to keep everything.
type Config struct {
	Seatrial string                           // the binary
	Lab      string                           // the lab's binary; the lab is up
	Examples string                           // the repo's examples folder
	Dir      string                           // of the server's state, checkouts and logs
	Listen   string                           // default 127.0.0.1:8480
	Metrics  string                           // default 127.0.0.1:8481
	Agents   string                           // where agents dial in, HOST:PORT; may be empty
	Quick    bool                             // shorter observation, for tests
	Chat     string                           // address of a chat robot that is told what happens; may be empty
	Secrets  map[string]string                // more environment variables of the server
	Say      func(format string, args ...any) // progress; may be nil
}

// Rig is the platform on the lab.
type Rig struct {
	Config
	Lab   Lab
	Forge *Forge
	API   *API

	server   *exec.Cmd
	ended    chan struct{} // closed when the server process has ended
	secret   string
	password string

	mu       sync.Mutex // guards platform: scenarios that run beside each other all change it
	platform *Repo
}

// The passphrase and the webhook secret of a rig; they protect a lab, nothing else.
const (
	passphrase    = "a lab's signing key"
	webhookSecret = "a-lab-webhook-secret-of-32-chars"
)

// Open reads the lab, prepares the forge and starts the server.
func Open(ctx context.Context, c Config) (*Rig, error) {
	if c.Listen == "" {
		c.Listen, c.Metrics = "127.0.0.1:8480", "127.0.0.1:8481"
	}
	if c.Say == nil {
		c.Say = func(string, ...any) {}
	}
	r := &Rig{Config: c, secret: webhookSecret}
	env, err := run(ctx, "", c.Lab, "env")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(env, &r.Lab); err != nil {
		return nil, fmt.Errorf("read lab env: %w", err)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	if r.Forge, err = openForge(r.Lab); err != nil {
		return nil, err
	}
	if err := r.preparePlatform(ctx); err != nil {
		return nil, err
	}
	if err := r.credentials(); err != nil {
		return nil, err
	}
	return r, r.Start(ctx)
}

// preparePlatform puts the example platform repo onto the forge.
func (r *Rig) preparePlatform(ctx context.Context) error {
	for _, name := range []string{"platform/config", "platform/desired-state", "shop/web"} { // shop/web anew: an older run may have left one
		if err := r.Forge.Repo(ctx, name); err != nil {
			return err
		}
	}
	repo, err := r.Forge.Clone(ctx, "platform/config", filepath.Join(r.Dir, "checkouts", "platform"))
	if err != nil {
		return err
	}
	r.platform = repo
	if err := repo.CopyFrom(filepath.Join(r.Examples, "platform"), r.quicken); err != nil {
		return err
	}
	if err := r.addChat(); err != nil {
		return err
	}
	_, err = repo.Push(ctx, "platform: the example")
	return err
}

// addChat gives every project a WeCom robot as well.
func (r *Rig) addChat() error {
	if r.Chat == "" {
		return nil
	}
	return r.platform.Write("channels/chat.yaml", "apiVersion: seatrial.dev/v1\nkind: Channel\nmetadata: {name: chat}\nspec: {type: wecom, urlSecret: chat}\n")
}

// PlatformFile reads a file of the platform repo.
func (r *Rig) PlatformFile(file string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return readFile(filepath.Join(r.platform.dir, file))
}

// Platform changes one file of the platform repo, or removes it when text is empty.
func (r *Rig) Platform(ctx context.Context, file, text, message string) error {
	return r.PlatformFiles(ctx, map[string]string{file: text}, message)
}

// PlatformFiles is Platform for files that are of no use without each other.
func (r *Rig) PlatformFiles(ctx context.Context, files map[string]string, message string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.platformLocked(ctx, files, message)
}

// PlatformEdit changes one file of the platform repo that others may change as well.
func (r *Rig) PlatformEdit(ctx context.Context, file, message string, change func(string) string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text, err := os.ReadFile(filepath.Join(r.platform.dir, file))
	if err != nil {
		return err
	}
	return r.platformLocked(ctx, map[string]string{file: change(string(text))}, message)
}

func (r *Rig) platformLocked(ctx context.Context, files map[string]string, message string) error {
	for file, text := range files {
		var err error
		if text == "" {
			err = os.Remove(filepath.Join(r.platform.dir, file))
		} else {
			err = r.platform.Write(file, text)
		}
		if err != nil {
			return err
		}
	}
	_, err := r.platform.Push(ctx, message)
	return err
}

// quicken shortens what people want to watch and tests do not, as far as a busy machine
// allows: at 40 requests a second and an objective of 95 %, half a second without answers
// is 20 of the 400 requests of a gate's window, which still pass. The trial's window stays
// long: the pod that replaces a killed one may need some seconds of it to start.
func (r *Rig) quicken(text string) string {
	if !r.Quick {
		return text
	}
	return strings.NewReplacer("channels: [commit-status]", r.channels(), "observe: 15s, settle: 8s, minEvents: 100", "observe: 10s, settle: 8s, minEvents: 150",
		"maxWait: 2m", "maxWait: 5m", "syncTimeout: 2m", "syncTimeout: 5m").Replace(text)
}

func (r *Rig) channels() string {
	if r.Chat == "" {
		return "channels: [commit-status]"
	}
	return "channels: [commit-status, chat]"
}

// credentials hands the lab's kubeconfigs to the server the way an operator would.
func (r *Rig) credentials() error {
	dir := filepath.Join(r.Dir, "credentials")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, c := range r.Lab.Clusters {
		data, err := os.ReadFile(c.Kubeconfig)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, c.Name+".kubeconfig"), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Kubectl asks a cluster of the lab.
func (r *Rig) Kubectl(ctx context.Context, cluster string, args ...string) (string, error) {
	out, err := run(ctx, "", r.Config.Lab, append([]string{"kubectl", cluster}, args...)...)
	return string(out), err
}

// LabDo runs a command of the lab: stop, start, load.
func (r *Rig) LabDo(ctx context.Context, args ...string) error {
	_, err := run(ctx, "", r.Config.Lab, args...)
	return err
}

// run runs a program and keeps its words for the error.
func run(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, strings.TrimSpace(errs.String()+out.String()))
	}
	return out.Bytes(), nil
}

// WaitFor asks again until done or ctx ends; it names what it waited for.
func WaitFor(ctx context.Context, what string, every time.Duration, done func() (bool, error)) error {
	var last error
	for {
		ok, err := done()
		if ok {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("wait for %s: %w", what, ctx.Err()), last)
		case <-time.After(every):
		}
	}
}
