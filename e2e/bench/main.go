// Command bench measures what the README promises: webhook, road, memory, build, agent, deploy, trial. It prints
// a table and writes bench/out/NAME.json; a missed target is a figure, not a failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/agents"
	"github.com/seatrial/seatrial/e2e/bench/build"
	"github.com/seatrial/seatrial/e2e/bench/deploy"
	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/e2e/bench/memory"
	"github.com/seatrial/seatrial/e2e/bench/road"
	"github.com/seatrial/seatrial/e2e/bench/stage"
	"github.com/seatrial/seatrial/e2e/bench/trial"
	"github.com/seatrial/seatrial/e2e/bench/webhook"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

const usage = "usage: bench webhook|road|memory|build|agent|deploy|trial [flags]"

func run(args []string, in io.Reader, out, errs io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(args) == 0 {
		fmt.Fprintln(errs, usage)
		return 2
	}
	if args[0] == webhook.ClientCommand {
		return end(webhook.Client(ctx, in, out), errs)
	}
	if args[0] == subject.Command {
		return end(subject.Main(ctx, in, out), errs)
	}
	benches := map[string]func(context.Context, []string, io.Writer, io.Writer) error{"webhook": webhooks, "road": roads, "memory": memories, "build": builds,
		"agent": agent, "deploy": deploys, "trial": trials}
	bench, ok := benches[args[0]]
	if !ok {
		fmt.Fprintln(errs, usage)
		return 2
	}
	return end(bench(ctx, args[1:], out, errs), errs)
}

func end(err error, errs io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(errs, "error: could not measure:", err)
	return 1
}

// publish prints a report and writes it down.
func publish(r figure.Report, dir string, out io.Writer) error {
	return errors.Join(r.Print(out), r.Write(dir))
}

func webhooks(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("webhook", flag.ContinueOnError)
	flags.SetOutput(errs)
	results := flags.String("out", "bench/out", "folder of the results")
	var c webhook.Config
	flags.StringVar(&c.Dir, "dir", "", "folder of the store while measuring, on a disk (default: that of temporary files)")
	flags.IntVar(&c.Runs, "runs", 5, "runs of each side")
	flags.DurationVar(&c.For, "for", 4*time.Second, "length of a run")
	flags.IntVar(&c.Connections, "connections", 64, "keep-alive connections")
	flags.StringVar(&c.Profile, "profile", "", "file for a CPU profile of the last run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := webhook.Run(ctx, c, errs)
	if err != nil {
		return err
	}
	return publish(r, *results, out)
}

// onLab are the flags of what runs on the lab.
func onLab(name string, c *stage.Config, errs io.Writer) (flags *flag.FlagSet, results *string) {
	flags = flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(errs)
	results = flags.String("out", "bench/out", "folder of the results")
	flags.StringVar(&c.Bin, "bin", "bin", "folder of the binaries seatrial and lab")
	flags.StringVar(&c.Examples, "examples", "examples", "folder of the examples")
	flags.StringVar(&c.Dir, "dir", filepath.Join(os.TempDir(), "seatrial-bench"), "folder of what is kept while measuring")
	flags.StringVar(&c.Listen, "listen", "127.0.0.1:8470", "address of the server")
	flags.StringVar(&c.Metrics, "metrics", "127.0.0.1:8471", "address of its metrics")
	c.Say = func(format string, args ...any) {
		fmt.Fprintf(errs, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
	}
	return flags, results
}

func roads(ctx context.Context, args []string, out, errs io.Writer) error {
	var c road.Config
	flags, results := onLab("road", &c.Stage, errs)
	flags.IntVar(&c.Releases, "releases", 5, "whole releases")
	flags.IntVar(&c.Returns, "returns", 5, "roll backs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := road.Run(ctx, c, errs)
	if err != nil {
		return err
	}
	return publish(r, *results, out)
}

func memories(ctx context.Context, args []string, out, errs io.Writer) error {
	var c memory.Config
	flags, results := onLab("memory", &c.Stage, errs)
	flags.IntVar(&c.Services, "services", 10, "services")
	flags.IntVar(&c.Rounds, "rounds", 10, "commits of each service")
	flags.DurationVar(&c.Limit, "limit", 0, "begin no new round after this long (0: no limit)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := memory.Run(ctx, c, errs)
	if err != nil {
		return err
	}
	return publish(r, *results, out)
}

func builds(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(errs)
	results := flags.String("out", "bench/out", "folder of the results")
	var c build.Config
	flags.StringVar(&c.Bin, "bin", "bin", "folder of the binaries seatrial and lab")
	flags.BoolVar(&c.Rivals, "rivals", true, "compare with syft, cosign and ko too; compiling them takes minutes the first time")
	flags.StringVar(&c.Buildctl, "buildctl", "", "the raw tool (default: the one that the lab has built)")
	flags.StringVar(&c.Dir, "dir", filepath.Join(os.TempDir(), "seatrial-bench"), "folder of what is kept while measuring")
	flags.IntVar(&c.Runs, "runs", 15, "runs of each side")
	flags.StringVar(&c.Profile, "profile", "", "beginning of the names of files for CPU profiles of the proofs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := build.Run(ctx, c, errs)
	if err != nil {
		return err
	}
	return publish(r, *results, out)
}

func agent(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("agent", flag.ContinueOnError)
	flags.SetOutput(errs)
	results := flags.String("out", "bench/out", "folder of the results")
	c := agents.Config{Say: func(format string, args ...any) {
		fmt.Fprintf(errs, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
	}}
	flags.StringVar(&c.Bin, "bin", "bin", "folder of the binaries seatrial and lab")
	flags.StringVar(&c.Dir, "dir", filepath.Join(os.TempDir(), "seatrial-bench-agent"), "folder of what is kept while measuring")
	flags.IntVar(&c.Objects, "objects", 10_000, "objects on the cluster")
	flags.IntVar(&c.Changes, "changes", 1000, "changes that are measured")
	flags.DurationVar(&c.Every, "every", 20*time.Millisecond, "between two changes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := agents.Run(ctx, c, errs)
	if err != nil {
		return err
	}
	return publish(r, *results, out)
}

func deploys(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("deploy", flag.ContinueOnError)
	flags.SetOutput(errs)
	results := flags.String("out", "bench/out", "folder of the results")
	c := deploy.Config{Curve: []int{100, 250, 500, 1000, 2500, 5000}, Fleets: []int{10, 20, 30}}
	flags.StringVar(&c.Bin, "bin", "bin", "folder of the binary lab")
	flags.StringVar(&c.Dir, "dir", filepath.Join(os.TempDir(), "seatrial-bench"), "folder of what is kept while measuring, on a disk")
	flags.IntVar(&c.Runs, "runs", 5, "runs of each side of the ratio")
	flags.IntVar(&c.Services, "services", 1000, "services of the ratio")
	flags.IntVar(&c.Edits, "edits", 20, "edits by hand in each run")
	flags.Func("curve", "numbers of services, each measured once (default 100,250,500,1000,2500,5000)", numbers(&c.Curve))
	flags.Func("fleets", "numbers of control planes with 20 services each; two of the most are dead (default 10,20,30)", numbers(&c.Fleets))
	flags.StringVar(&c.Pictures, "docs", "", "folder of documents that the curve is written to")
	flags.StringVar(&c.Profiles, "profiles", "", "address of the measured process's pprof")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := deploy.Run(ctx, c, errs)
	if err != nil {
		return err
	}
	return publish(r, *results, out)
}

func trials(ctx context.Context, args []string, out, errs io.Writer) error {
	flags := flag.NewFlagSet("trial", flag.ContinueOnError)
	flags.SetOutput(errs)
	results := flags.String("out", "bench/out", "folder of the results")
	var c trial.Config
	flags.StringVar(&c.Bin, "bin", "bin", "folder of the binary seatrial")
	flags.StringVar(&c.Sloth, "sloth", "", "the program to compare with (default: it is compiled, which takes a minute the first time)")
	flags.StringVar(&c.Dir, "dir", filepath.Join(os.TempDir(), "seatrial-bench-trial"), "folder of what is kept while measuring")
	flags.IntVar(&c.SLOs, "slos", 1000, "SLOs")
	flags.IntVar(&c.Runs, "runs", 9, "runs of each side")
	flags.StringVar(&c.Prometheus, "prometheus", "", "the program (default: the one that the lab has built)")
	flags.StringVar(&c.Listen, "listen", "127.0.0.1:9195", "address of that Prometheus")
	flags.StringVar(&c.Cluster, "cluster", "", "a cluster of the running lab with Chaos Mesh, for recover and track")
	flags.StringVar(&c.Only, "only", "", "rules, round, schedule, abort, recover or track: nothing else is measured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r, err := trial.Run(ctx, c, errs)
	if err != nil {
		return err
	}
	return publish(r, *results, out)
}

// numbers reads "100,250"; nothing is none.
func numbers(into *[]int) func(string) error {
	return func(text string) error {
		*into = nil
		for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
			n, err := strconv.Atoi(word)
			if err != nil || n < 1 {
				return fmt.Errorf("%q is not a number of them", word)
			}
			*into = append(*into, n)
		}
		return nil
	}
}
