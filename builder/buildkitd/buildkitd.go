// Package buildkitd keeps a buildkitd of our own running as a child process.
//
// Start reading at Child.Run. It never shares a state folder with another buildkitd, and
// it takes its child along when it ends: by signal first, and by the kernel when we are
// killed.
package buildkitd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/semver"
	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/internal/hint"
)

// minRunc is the first runc that does not leak a descriptor into a build step.
const minRunc = "v1.1.12"

// Config says which program runs and where.
type Config struct {
	Program string   // of buildkitd; default: the one on PATH
	State   string   // folder of its own, on a local disk
	Env     []string // its environment, in which no secret of ours belongs; nil: ours
	Limits  Limits
	Log     *slog.Logger
}

// Child is the process, running or not.
type Child struct {
	cfg     Config
	program string
}

// New finds the programs and writes the settings; nothing is started yet.
func New(cfg Config) (*Child, error) {
	if cfg.State == "" {
		return nil, errors.New("buildkitd: no state folder")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	program, err := find(cfg.Program)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of buildkitd: %w", err)
	}
	return &Child{cfg: cfg, program: program}, nil
}

// Check finds the programs that a Child needs and refuses a runc with known holes.
func Check(ctx context.Context, program string) (path string, err error) {
	if path, err = find(program); err != nil {
		return "", err
	}
	return path, checkRunc(ctx)
}

func find(program string) (string, error) {
	if program == "" {
		program = "buildkitd"
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return "", hint.Add(fmt.Errorf("find buildkitd: %w", err), "install BuildKit, or set buildkit.addresses to one that runs elsewhere")
	}
	return path, nil
}

// Address is where it listens, only for us.
func (c *Child) Address() string { return "unix://" + c.path("buildkitd.sock") }

func (c *Child) path(name string) string { return filepath.Join(c.cfg.State, name) }

// Run starts buildkitd and starts it again whenever it ends, until ctx does. A program
// that cannot be started at all is an error.
func (c *Child) Run(ctx context.Context) error {
	m, err := measure(c.cfg.State)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.path("buildkitd.toml"), []byte(c.cfg.Limits.text(m)), 0o600); err != nil {
		return fmt.Errorf("write the settings of buildkitd: %w", err)
	}
	if err := checkRunc(ctx); err != nil {
		return err
	}
	for failures := 0; ; {
		began := time.Now()
		last, err := c.once(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errNotStarted) {
			return err
		}
		failures = Failures(failures, time.Since(began))
		pause := Pause(failures)
		c.cfg.Log.Warn("buildkitd ended", "error", err, "last", last, "again_in", pause.String())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// measure is what the machine has.
func measure(dir string) (machine, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return machine{}, fmt.Errorf("measure the disk of %s: %w", dir, err)
	}
	return machine{processors: runtime.NumCPU(), diskBytes: int64(fs.Blocks) * fs.Bsize}, nil
}

var errNotStarted = errors.New("start buildkitd")

// grace is how long it may take to end its builds.
const grace = 10 * time.Second

// once runs one process to its end and returns the last line that it printed.
func (c *Child) once(ctx context.Context) (last string, err error) {
	// The kernel signals the child when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = os.Remove(c.path("buildkitd.sock")) // of one that was killed
	cmd := exec.CommandContext(ctx, c.program, "--config", c.path("buildkitd.toml"), "--root", c.path("root"), "--addr", c.Address())
	cmd.Env = c.cfg.Env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	out, in := io.Pipe()
	cmd.Stdout, cmd.Stderr = in, in
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("%w: %w", errNotStarted, err)
	}
	c.cfg.Log.Info("buildkitd started", "pid", cmd.Process.Pid)
	var reading errgroup.Group
	reading.Go(func() error {
		last = c.listen(out)
		return nil
	})
	err = cmd.Wait()
	in.Close()
	_ = reading.Wait()
	return last, err
}

// listen passes on what went wrong and returns the last line.
func (c *Child) listen(r io.Reader) (last string) {
	lines := bufio.NewReaderSize(r, 8<<10)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return last
		}
		if last = string(line); strings.Contains(last, "level=error") || strings.Contains(last, "level=fatal") {
			c.cfg.Log.Warn("buildkitd", "says", last)
		}
	}
}

var versionOf = regexp.MustCompile(`(?m)^runc version (\S+)`)

// checkRunc refuses a runc with a known way out of a build step.
func checkRunc(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "runc", "--version").Output()
	if err != nil {
		return hint.Add(fmt.Errorf("ask runc for its version: %w", err), "install runc "+minRunc[1:]+" or newer")
	}
	return judgeRunc(string(out))
}

func judgeRunc(out string) error {
	m := versionOf.FindStringSubmatch(out)
	if m == nil {
		return hint.Add(fmt.Errorf("runc does not say its version: %q", out), "install runc "+minRunc[1:]+" or newer")
	}
	v := "v" + strings.TrimPrefix(m[1], "v")
	// Distributions write 1.1.12+ds1; a build from source without flags says "unknown".
	if semver.IsValid(v) && semver.Compare(v, minRunc) < 0 {
		return hint.Add(fmt.Errorf("runc is version %s: a build step could leave its container", m[1]), "install runc "+minRunc[1:]+" or newer")
	}
	return nil
}
