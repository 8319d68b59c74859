// Package sandbox runs our own program once more, as a child that can compute and nothing
// else: without environment, with limits on memory and processor time, and where the
// kernel allows it in namespaces of its own: no network, no other process, no file.
//
// Start at Start; the child's first act is Enter. What it may know comes through its
// standard input. A child never outlives its parent, and never gets more than it was given.
package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seatrial/seatrial/internal/hint"
)

// Limits bound one child.
type Limits struct {
	Memory int64         // bytes of private memory
	CPU    time.Duration // of processor time, in whole seconds
}

// Box says which program, how much of it, and how apart.
type Box struct {
	Exec   string   // the program, usually our own
	Args   []string // before ours: the hidden subcommand that calls Enter
	Limits Limits
	Bare   bool // without namespaces, where the kernel refuses them
}

// Child is a running child.
type Child struct {
	In  io.WriteCloser
	Out io.ReadCloser

	cmd    *exec.Cmd
	limits Limits
	stderr head

	once sync.Once
	end  error // set by once
}

const namespaces = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS

// Start runs a child. Whoever starts it ends it with Close.
func Start(b Box) (*Child, error) {
	c := &Child{limits: b.Limits, stderr: head{max: 4 << 10}}
	args := append(append([]string{}, b.Args...), strconv.FormatInt(b.Limits.Memory, 10), strconv.Itoa(seconds(b.Limits.CPU)), strconv.FormatBool(b.Bare))
	c.cmd = exec.Command(b.Exec, args...)
	c.cmd.Env, c.cmd.Dir, c.cmd.Stderr = []string{}, "/", &c.stderr
	c.cmd.WaitDelay = time.Second
	// The parent's death ends the child at once, and so would the end of the input.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if !b.Bare {
		c.cmd.SysProcAttr.Cloneflags = namespaces
		c.cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		c.cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	var err error
	if c.In, err = c.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start the child: %w", err)
	}
	if c.Out, err = c.cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("start the child: %w", err)
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the child: %w", err)
	}
	return c, nil
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// Kill ends the child and all that it may have started.
func (c *Child) Kill() { _ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) }

// Close kills the child if it still runs and waits for its end.
func (c *Child) Close() {
	c.Kill()
	_ = c.Ended()
}

// Ended waits for the end of a child whose output is at its end, and says why it ended
// before its work was done. Every error is final: the same input ends the same way.
func (c *Child) Ended() error {
	c.once.Do(func() {
		_ = c.In.Close()
		c.end = c.why(c.cmd.Wait())
	})
	return c.end
}

// What a child may die of by its own work. Any other error is the machine's.
var (
	ErrOver    = errors.New("over the limit") // it needed more than it was allowed
	ErrCrashed = errors.New("the child crashed")
)

// crashed is the exit code of a Go program that its runtime gave up.
const crashed = 2

// noMemory is how the runtime, the C library and the race detector say it: whoever asks for
// the last of it finds none, a thread that needs a stack among them. The runtime's collector
// does not look and is struck by a signal; code that is not the runtime's panics instead.
var noMemory = []string{"out of memory", "cannot allocate memory", "failed to allocate", "pthread_create failed", "failed to create new OS thread",
	"SIGSEGV: segmentation violation\nPC=", "unexpected signal during runtime execution"}

func (c *Child) why(err error) error {
	said := c.stderr.String()
	state := c.cmd.ProcessState
	killed := false
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		killed = w.Signal() == syscall.SIGKILL || w.Signal() == syscall.SIGXCPU
	}
	switch {
	case slices.ContainsFunc(noMemory, func(words string) bool { return strings.Contains(said, words) }):
		return fmt.Errorf("%w of %d MiB of memory", ErrOver, c.limits.Memory>>20)
	case strings.Contains(said, "stack overflow"):
		return fmt.Errorf("%w of how deep calls may go", ErrOver)
	case killed && state.UserTime()+state.SystemTime() >= c.limits.CPU-time.Second:
		return fmt.Errorf("%w of %s of processor time", ErrOver, c.limits.CPU)
	case killed:
		return errors.New("the child was killed")
	}
	first, _, _ := strings.Cut(strings.TrimSpace(said), "\n")
	if state.ExitCode() == crashed {
		return fmt.Errorf("%w: %.200s", ErrCrashed, first)
	}
	return errors.Join(err, fmt.Errorf("the child ended early: %.200s", first))
}

// head keeps the first bytes written to it: a Go program that dies says why in its first line.
type head struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
	max int
}

// Write never fails.
func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf.Write(p[:min(len(p), h.max-h.buf.Len())])
	return len(p), nil
}

func (h *head) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.buf.String()
}

// IsRefusal reports whether an error, of Start or what a child says of Enter, is the
// kernel's word that there are no namespaces for us.
func IsRefusal(err error) bool {
	for _, no := range []syscall.Errno{unix.EPERM, unix.EACCES, unix.EINVAL, unix.ENOSYS, unix.ENOSPC, unix.EUSERS} {
		if errors.Is(err, no) || strings.HasSuffix(err.Error(), ": "+no.Error()) && strings.HasPrefix(err.Error(), "enter: ") {
			return true
		}
	}
	return false
}

// Refused gives a refusal its remedy.
func Refused(err error) error {
	return hint.Add(err, "let the server make user namespaces: sysctl user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns, in a container its seccomp profile")
}
