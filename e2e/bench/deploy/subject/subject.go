// Package subject is the process that bench deploy measures: everything of the server that
// takes a person's push on a desired-state branch to the clusters and keeps it there – the
// store on disk, the Runner with its phases, git, the rollout and the healing of drift –
// wired as cmd/seatrial/wire.go does. It has no policies, SLOs or trials, because these ask
// a registry and Prometheus, and no web server.
//
// Start at Main. It takes one order a line and answers each with one line. It never does
// anything of its own that the server would not do.
package subject

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/cmd/seatrial/memory"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/release"
)

// Command is the word that makes the bench's own program the subject.
const Command = "_deployer"

// Team owns every service, Env is where they go.
const (
	Team   = "bench"
	Env    = "bench"
	Branch = "env/bench"
)

// Setup is the first line: what an operator would have configured.
type Setup struct {
	Dir         string // of the store and of the git mirrors
	Repo        string // URL of the desired-state repo
	Credentials string // folder of kubeconfig files
	Clusters    []release.Cluster
	Waves       []release.WaveSpec
	Profiles    string // address of pprof; empty: none
}

// The orders.
const (
	Follow    = "follow"    // a push has come: take what it changed to the clusters
	Reconcile = "reconcile" // look at everything once
	Usage     = "usage"     // nothing
)

// Answer is what became of an order.
type Answer struct {
	Releases int                      // that the push made
	Failed   []string                 // how those ended that are not Done, a few of them
	Took     time.Duration            // of the order
	CPU      time.Duration            // of this process, in it
	Peak     float64                  // MiB of this process so far, resident
	Lacking  map[string]time.Duration // clusters in quarantine, and how long after the push the last release put them there
	Waited   map[string]time.Duration // how long at most a release waited for them, from when it first found them away
	Error    string
}

// Main serves orders until in ends.
func Main(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		return fmt.Errorf("read the setup: %w", lines.Err())
	}
	var set Setup
	if err := json.Unmarshal(lines.Bytes(), &set); err != nil {
		return fmt.Errorf("read the setup: %w", err)
	}
	s, err := wire(set)
	if err != nil {
		return err
	}
	kube.Quiet()
	memory.Slim()
	group, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	if set.Profiles != "" {
		server := &http.Server{Addr: set.Profiles, Handler: profiles(), ReadHeaderTimeout: time.Second}
		group.Go(server.ListenAndServe)
		group.Go(func() error { <-ctx.Done(); return server.Close() })
	}
	group.Go(func() error { return s.runner.Run(ctx) })
	group.Go(func() error { return s.fleet.Run(ctx) })
	group.Go(func() error { return s.watch.Run(ctx) })
	group.Go(func() error {
		defer stop()
		for lines.Scan() {
			if err := json.NewEncoder(out).Encode(s.obey(ctx, lines.Text())); err != nil {
				return err
			}
		}
		return lines.Err()
	})
	err = group.Wait()
	s.close()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return mux
}

func (s *subject) obey(ctx context.Context, order string) (a Answer) {
	began, before := time.Now(), cpu()
	var err error
	switch order {
	case Follow:
		a, err = s.follow(ctx)
	case Reconcile:
		err = s.fleet.Sweep(ctx)
	case Usage:
	default:
		err = fmt.Errorf("no order %q", order)
	}
	if err != nil {
		a.Error = err.Error()
	}
	a.Took, a.CPU, a.Peak = time.Since(began), cpu()-before, peak()
	return a
}

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the kernel's VmHWM. Getrusage would answer with the peak of whoever started this
// process when that is more.
func peak() float64 {
	status, _ := os.ReadFile("/proc/self/status") // of oneself there always is one
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "VmHWM:" {
			kilobytes, _ := strconv.ParseFloat(fields[1], 64)
			return kilobytes / 1024
		}
	}
	return 0
}
