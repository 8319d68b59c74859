package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Agent is the process that keeps a cluster for the server.
type Agent struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// Enrol makes the one-time token of a cluster's agent, on the server's machine.
func (r *Rig) Enrol(ctx context.Context, cluster string) (token string, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, r.Seatrial, "cluster", "enrol", cluster, "--config", r.settings())
	cmd.Env = append(os.Environ(), "SEATRIAL_SIGNING_PASSPHRASE="+passphrase)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("enrol %s: %w: %s", cluster, err, errs.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// Forget takes the server's own way to a cluster away, until back is called.
func (r *Rig) Forget(cluster string) (back func() error, err error) {
	file := filepath.Join(r.Dir, "credentials", cluster+".kubeconfig")
	aside := filepath.Join(r.Dir, cluster+".kubeconfig")
	return func() error { return os.Rename(aside, file) }, os.Rename(file, aside)
}

// Agent starts a cluster's agent; without a token it has to have an identity already.
func (r *Rig) Agent(cluster, token string) (*Agent, error) {
	kubeconfig := ""
	for _, c := range r.Lab.Clusters {
		if c.Name == cluster {
			kubeconfig = c.Kubeconfig
		}
	}
	if kubeconfig == "" {
		return nil, errors.New("the lab has no cluster " + cluster)
	}
	state := filepath.Join(r.Dir, "agent-"+cluster)
	log, err := os.OpenFile(state+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	a := &Agent{cmd: exec.Command(r.Seatrial, "agent", "--server", r.Agents, "--state", state, "--kubeconfig", kubeconfig), ended: make(chan struct{})}
	a.cmd.Env = append(os.Environ(), "SEATRIAL_AGENT_TOKEN="+token)
	a.cmd.Stdout, a.cmd.Stderr = log, log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the agent of %s: %w", cluster, err)
	}
	go func() { defer close(a.ended); _ = a.cmd.Wait() }()
	return a, nil
}

// Kill is kill -9.
func (a *Agent) Kill() {
	_ = a.cmd.Process.Kill()
	<-a.ended
}
