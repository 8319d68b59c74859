package rig

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const settingsText = `listen: %s
metrics: %s
state: %s
platform: {repo: platform/config}
forge: {kind: gitea, url: "%s", user: %s}
registry: {host: "%s", plainHTTP: true}
buildkit: {addresses: ["%s"], mirrors: {docker.io: "%s"}}
prometheus: {url: "%s"}
clusters: {credentials: %s}
`

// Start starts the server and waits until it is ready.
func (r *Rig) Start(ctx context.Context) error {
	file := r.settings()
	text := fmt.Sprintf(settingsText, r.Listen, r.Metrics, filepath.Join(r.Dir, "state"), r.Lab.Forge.URL, r.Lab.Forge.User,
		r.Lab.Registry, r.Lab.BuildKit, r.Lab.Registry, r.Lab.Prometheus, filepath.Join(r.Dir, "credentials"))
	if r.Agents != "" {
		text += fmt.Sprintf("agents: {listen: %q}\n", r.Agents)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(r.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(r.Seatrial, "serve", "--config", file)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), append([]string{
		"SEATRIAL_FORGE_TOKEN=" + r.Forge.token, "SEATRIAL_WEBHOOK_SECRET=" + r.secret, "SEATRIAL_SIGNING_PASSPHRASE=" + passphrase,
	}, r.moreSecrets()...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	r.server, r.ended = cmd, make(chan struct{})
	go func() { defer close(r.ended); _ = cmd.Wait() }()
	return r.ready(ctx)
}

func (r *Rig) settings() string { return filepath.Join(r.Dir, "seatrial.yaml") }

// moreSecrets are the robot's address and what else the server is to read.
func (r *Rig) moreSecrets() (env []string) {
	if r.Chat != "" {
		env = append(env, "SEATRIAL_SECRET_CHAT="+r.Chat)
	}
	for name, value := range r.Secrets {
		env = append(env, name+"="+value)
	}
	return env
}

// Log is the server's log file.
func (r *Rig) Log() string { return filepath.Join(r.Dir, "server.log") }

// PID is the server's process.
func (r *Rig) PID() int { return r.server.Process.Pid }

// URL is where the console is.
func (r *Rig) URL() string { return "http://" + r.Listen }

func (r *Rig) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	err := WaitFor(ctx, "the server", 100*time.Millisecond, func() (bool, error) {
		select {
		case <-r.ended:
			cancel()
			return false, errors.New("the server ended: " + r.tail())
		default:
		}
		res, err := http.Get(r.URL() + "/readyz")
		if err != nil {
			return false, err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return false, fmt.Errorf("/readyz: %s", res.Status)
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("%w; its log: %s", err, r.tail())
	}
	return r.signIn(ctx)
}

// signIn makes an API token once, with the administrator's first password.
func (r *Rig) signIn(ctx context.Context) error {
	if r.API != nil {
		return nil
	}
	password, err := os.ReadFile(filepath.Join(r.Dir, "state", "admin-password"))
	if err != nil {
		return err
	}
	r.password = strings.TrimSpace(string(password))
	r.API, err = signIn(ctx, r.URL(), "admin", r.password)
	return err
}

// Command runs the command line against the server as an operator would; the exit code is
// -1 when it could not be run.
func (r *Rig) Command(ctx context.Context, args ...string) (out string, code int) {
	cmd := exec.CommandContext(ctx, r.Seatrial, args...)
	cmd.Env = append(os.Environ(), "SEATRIAL_SERVER="+r.URL(), "SEATRIAL_TOKEN="+r.API.Token())
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		return fmt.Sprint(err), -1
	}
	return string(said), cmd.ProcessState.ExitCode()
}

// SignIn is what a person signs in to the console with.
func (r *Rig) SignIn() (user, password string) { return "admin", r.password }

func (r *Rig) tail() string {
	data, _ := os.ReadFile(r.Log())
	return string(data[max(0, len(data)-2000):])
}

// Kill is kill -9.
func (r *Rig) Kill() {
	_ = r.server.Process.Kill()
	<-r.ended
}

// Stop asks the server to stop and kills it when it does not.
func (r *Rig) Stop() {
	if r.server == nil {
		return
	}
	_ = r.server.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(time.Minute):
		r.Kill()
	}
}
