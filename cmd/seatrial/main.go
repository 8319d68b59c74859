// Command seatrial is the whole platform: the server that takes releases from a git
// push to production, and the commands that people use to watch and steer them.
//
// Start at newRoot for the commands and at wire.go for how the parts meet. Only this
// package knows every part and only it reads the environment.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // windows and schedules name zones that a small machine lacks

	"github.com/spf13/cobra"

	"github.com/seatrial/seatrial/cmd/seatrial/agents"
	"github.com/seatrial/seatrial/cmd/seatrial/build"
	"github.com/seatrial/seatrial/cmd/seatrial/client"
	"github.com/seatrial/seatrial/cmd/seatrial/experiments"
	"github.com/seatrial/seatrial/cmd/seatrial/holds"
	"github.com/seatrial/seatrial/cmd/seatrial/rendering"
	"github.com/seatrial/seatrial/cmd/seatrial/replay"
	"github.com/seatrial/seatrial/cmd/seatrial/reports"
	"github.com/seatrial/seatrial/cmd/seatrial/resources"
	"github.com/seatrial/seatrial/cmd/seatrial/rules"
	"github.com/seatrial/seatrial/cmd/seatrial/scores"
	"github.com/seatrial/seatrial/cmd/seatrial/silences"
	"github.com/seatrial/seatrial/cmd/seatrial/validation"
	"github.com/seatrial/seatrial/internal/hint"
)

// version is set when a release is built: -ldflags "-X main.version=v0.1.0".
var version = "dev"

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// The exit codes, the same for every command.
const (
	exitError   = 1
	exitDiffers = 2
	exitRefused = 3 // by policy
)

// exit is an error with an exit code of its own. Its text may be empty: all was said.
type exit struct {
	code int
	text string
}

func (e exit) Error() string { return e.text }

func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if err.Error() != "" {
		fmt.Fprintln(errs, "error:", err)
	}
	if h := hint.Of(err); h != "" {
		fmt.Fprintln(errs, "hint:", h)
	}
	if e, ok := errors.AsType[exit](err); ok {
		return e.code
	}
	return exitError
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "seatrial",
		Short:         "Continuous delivery that gives every release a sea trial",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	remote := &client.Remote{}
	root.PersistentFlags().StringVar(&remote.Server, "server", "", "address of the server (default $SEATRIAL_SERVER or http://127.0.0.1:8480)")
	root.AddCommand(newServe(), newRelease(remote), newDiff(remote), holds.New(remote), experiments.New(remote), experiments.NewChaos(remote), silences.New(remote), resources.New(remote, printAs), validation.New(), newVerify(), build.New(version, printAs, newBuildDiff()), newDoctor(), rules.New(printAs), reports.New(remote, replay.New(), scores.New(remote, printAs)), agents.NewCluster(), agents.NewAgent(version), newVersion(), newSBOM(), rendering.New(), rendering.NewChild())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
