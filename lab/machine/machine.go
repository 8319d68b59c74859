// Package machine runs a small machine inside the machine: a PID, mount, UTS
// and (if wanted) network namespace whose first process is this program.
//
// Start at Machine.Up. The first process sets up a private root, starts and
// stops programs when asked over a unix socket, and reaps orphans. Killing it
// makes the kernel end every process and mount of the machine at once, which
// is why Down needs no list of what was started. The package never touches
// processes, mounts or cgroups of others.
package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// InitCommand is the hidden subcommand under which this program is PID 1.
const InitCommand = "_init"

// Spec says what a machine looks like from inside.
type Spec struct {
	Name     string   `json:"name"` // of the network namespace and the cgroup, such as lab-staging
	Dir      string   `json:"dir"`  // its state; seen inside at the same path
	Hostname string   `json:"hostname"`
	Net      *Net     `json:"net,omitempty"`   // nil: the host's network
	Binds    []string `json:"binds,omitempty"` // further host folders, at the same path
	Tools    string   `json:"tools,omitempty"` // folder laid over /usr/local/bin
}

// Net is the cable between host and machine, and what lies behind it.
type Net struct {
	Link   string   `json:"link"`    // the host's device
	HostIP string   `json:"host_ip"` // of a /24
	NodeIP string   `json:"node_ip"`
	Routes []string `json:"routes"` // ranges that the host reaches through the machine
	Back   string   `json:"back"`   // range that the machine reaches through the host
}

// Machine is one such machine, seen from the host.
type Machine struct {
	Spec
	client *client
}

// New returns the machine that spec describes, running or not.
func New(spec Spec) *Machine {
	return &Machine{Spec: spec, client: newClient(filepath.Join(spec.Dir, "init.sock"))}
}

// Up boots the machine unless it runs already, and says whether it had to.
// What a crash left of an earlier one is cleared first, except files.
func (m *Machine) Up(ctx context.Context) (booted bool, err error) {
	if m.Running(ctx) || m.slow(ctx) {
		return false, nil
	}
	if err := m.clear(ctx); err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Join(m.Dir, "log"), 0o755); err != nil {
		return false, fmt.Errorf("boot %s: %w", m.Name, err)
	}
	if err := makeCgroups(m.Name); err != nil {
		return false, fmt.Errorf("boot %s: %w", m.Name, err)
	}
	if err := m.boot(ctx); err != nil {
		return false, fmt.Errorf("boot %s: %w", m.Name, err)
	}
	return true, nil
}

func (m *Machine) boot(ctx context.Context) error {
	spec, err := json.Marshal(m.Spec)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(m.Dir, "machine.json"), spec, 0o600); err != nil {
		return err
	}
	log, err := openLog(filepath.Join(m.Dir, "log", "init.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/proc/self/exe", InitCommand, m.Dir)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"}
	flags := uintptr(syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS)
	if m.Net != nil {
		flags |= syscall.CLONE_NEWNET
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := m.settle(ctx, cmd.Process.Pid); err != nil {
		return errors.Join(fmt.Errorf("%w\n%s", err, Tail(log.Name(), 5)), cmd.Process.Kill(), ignoreExit(cmd.Wait()))
	}
	return cmd.Process.Release()
}

// settle connects a machine that was just born and waits until it answers.
func (m *Machine) settle(ctx context.Context, pid int) error {
	if err := joinCPU(m.Name, pid); err != nil {
		return err
	}
	if m.Net != nil {
		if err := m.Net.connect(ctx, m.Name, pid); err != nil {
			return err
		}
	}
	return m.waitInit(ctx, pid)
}

// ignoreExit drops what Wait says about a process that was killed on purpose.
func ignoreExit(err error) error {
	if _, killed := errors.AsType[*exec.ExitError](err); killed {
		return nil
	}
	return err
}

func (m *Machine) waitInit(ctx context.Context, pid int) error {
	return Poll(ctx, 10*time.Second, func(ctx context.Context) error {
		if state := procState(pid); state == 0 || state == 'Z' {
			return Stop(errors.New("the first process ended"))
		}
		_, err := m.client.status(ctx)
		return err
	})
}

// slow reports whether a machine that did not answer at once does so after
// all: on a busy host that is no reason to boot it again.
func (m *Machine) slow(ctx context.Context) bool {
	pid := m.InitPID()
	return pid != 0 && m.waitInit(ctx, pid) == nil
}

// Running reports whether the machine's first process answers.
func (m *Machine) Running(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := m.client.status(ctx)
	return err == nil
}

// Start starts a program unless one of that name runs already.
func (m *Machine) Start(ctx context.Context, p Program) error {
	if err := m.client.start(ctx, p); err != nil {
		return fmt.Errorf("start %s in %s: %w", p.Name, m.Name, err)
	}
	return nil
}

// Stop ends a program: politely, and after grace without asking.
func (m *Machine) Stop(ctx context.Context, name string, grace time.Duration) error {
	if err := m.client.stop(ctx, name, grace); err != nil {
		return fmt.Errorf("stop %s in %s: %w", name, m.Name, err)
	}
	return nil
}

// Run runs a command inside to its end and returns what it printed. A command
// that fails is an error with the end of its output.
func (m *Machine) Run(ctx context.Context, argv ...string) (string, error) {
	return m.RunAs(ctx, 0, nil, argv...)
}

// RunAs is Run as another user, with variables of its own.
func (m *Machine) RunAs(ctx context.Context, uid uint32, env []string, argv ...string) (string, error) {
	p := Program{Name: filepath.Base(argv[0]), Argv: argv, Env: env, UID: uid}
	out, err := m.client.run(ctx, p)
	if err != nil {
		return out, fmt.Errorf("run %s in %s: %w", p.Name, m.Name, err)
	}
	return out, nil
}

// Status lists the programs that were started, by name.
func (m *Machine) Status(ctx context.Context) ([]ProgramStatus, error) {
	s, err := m.client.status(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", m.Name, err)
	}
	return s, nil
}

// WaitReady polls check until it passes. A program that ends meanwhile fails
// at once, with the last lines of its log.
func (m *Machine) WaitReady(ctx context.Context, name string, limit time.Duration, check func(context.Context) error) error {
	err := Poll(ctx, limit, func(ctx context.Context) error {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if p, ok := m.program(ctx, name); ok && !p.Running {
			return Stop(fmt.Errorf("it ended (%s)", p.Exit))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for %s in %s: %w\n%s", name, m.Name, err, Tail(m.LogFile(name), 8))
	}
	return nil
}

func (m *Machine) program(ctx context.Context, name string) (ProgramStatus, bool) {
	all, err := m.client.status(ctx)
	if err != nil {
		return ProgramStatus{}, false
	}
	for _, p := range all {
		if p.Name == name {
			return p, true
		}
	}
	return ProgramStatus{}, false
}

// LogFile is where a program's output goes.
func (m *Machine) LogFile(name string) string {
	return filepath.Join(m.Dir, "log", name+".log")
}

// Down ends the machine and removes everything of it: processes, mounts,
// network, cgroups and files. It is safe to call on what a crash left over.
func (m *Machine) Down(ctx context.Context) error {
	if err := m.clear(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(m.Dir); err != nil {
		return fmt.Errorf("down %s: %w", m.Name, err)
	}
	return nil
}

// clear removes everything of the machine but its files.
func (m *Machine) clear(ctx context.Context) error {
	if err := killInits(ctx, m.own); err != nil {
		return fmt.Errorf("down %s: %w", m.Name, err)
	}
	if m.Net != nil {
		if err := m.Net.disconnect(ctx, m.Name); err != nil {
			return fmt.Errorf("down %s: %w", m.Name, err)
		}
	}
	if err := removeCgroups(ctx, m.Name); err != nil {
		return fmt.Errorf("down %s: %w", m.Name, err)
	}
	if err := unmountBelow(m.Dir); err != nil {
		return fmt.Errorf("down %s: %w", m.Name, err)
	}
	if err := os.Remove(filepath.Join(m.Dir, "init.sock")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("down %s: %w", m.Name, err)
	}
	return nil
}

// Tail returns the last n lines of a log for an error message.
func Tail(path string, n int) string {
	b, err := readEnd(path, 16<<10)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	lines = lines[max(0, len(lines)-n):]
	return "  | " + strings.Join(lines, "\n  | ")
}
