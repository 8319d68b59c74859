// Command lab runs real Kubernetes clusters and the services they share on one
// Linux machine, for developing and testing Seatrial. See docs/lab.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/lab"
	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/machine"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	// The first process of a machine is no command: it gets no flags and no
	// signals, and ends only by being killed.
	if len(args) == 2 && args[0] == machine.InitCommand {
		fmt.Fprintln(stderr, "error:", machine.Init(args[1]))
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{out: stdout, err: stderr, start: time.Now()}
	root := a.commands()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode() // a command that was only passed on has said why
	}
	if err != nil {
		fmt.Fprintln(stderr, "error:", err)
		return 1
	}
	return 0
}

// app holds what every command shares.
type app struct {
	out, err io.Writer
	start    time.Time
	root     string
	cache    string
	source   string

	mu sync.Mutex // guards err: clusters report at the same time
}

// say prints one line of progress with the seconds since the start.
func (a *app) say(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(a.err, "%6.1fs  %s\n", time.Since(a.start).Seconds(), fmt.Sprintf(format, args...))
}

func (a *app) lab() (*lab.Lab, error) {
	source, err := a.findSource()
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs(a.root)
	if err != nil {
		return nil, err
	}
	return lab.Open(layout.Root(root), a.cache, source, a.say)
}

// findSource finds lab/components: as told, in the checkout around the working
// folder, or where this program was compiled.
func (a *app) findSource() (string, error) {
	if a.source != "" {
		return a.source, nil
	}
	const below = "lab/components"
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	_, here, _, _ := runtime.Caller(0)
	for ; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), "module github.com/seatrial/seatrial\n") {
			return filepath.Join(dir, below), nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	compiled := filepath.Join(filepath.Dir(here), "../..", below)
	if _, err := os.Stat(compiled); err != nil {
		return "", fmt.Errorf("find %s: %w (run it inside a checkout, or set SEATRIAL_LAB_SOURCE)", below, err)
	}
	return compiled, nil
}

func (a *app) commands() *cobra.Command {
	env := func(name, fallback string) string {
		if v := os.Getenv(name); v != "" {
			return v
		}
		return fallback
	}
	root := &cobra.Command{
		Use:           "lab",
		Short:         "Real Kubernetes clusters and shared services on one Linux machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	f := root.PersistentFlags()
	f.StringVar(&a.root, "root", env("SEATRIAL_LAB_ROOT", string(layout.DefaultRoot)), "state folder ($SEATRIAL_LAB_ROOT)")
	f.StringVar(&a.cache, "cache", env("SEATRIAL_LAB_CACHE", layout.DefaultCache), "folder of built programs ($SEATRIAL_LAB_CACHE)")
	f.StringVar(&a.source, "source", env("SEATRIAL_LAB_SOURCE", ""), "folder lab/components of a checkout ($SEATRIAL_LAB_SOURCE)")
	root.AddCommand(a.upCommand(), a.downCommand(), a.statusCommand(), a.logsCommand(), a.kubectlCommand(), a.startCommand(), a.stopCommand(),
		a.envCommand(), a.buildCommand(), a.toolCommand(), a.depsCommand(), a.loadCommand(), a.generatorCommand())
	return root
}
