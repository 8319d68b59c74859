package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/builder/sbom/scan"
	"github.com/seatrial/seatrial/cmd/seatrial/history"
	"github.com/seatrial/seatrial/cmd/seatrial/memory"
	"github.com/seatrial/seatrial/cmd/seatrial/rendering"
	"github.com/seatrial/seatrial/cmd/seatrial/settings"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/kube"
)

func newServe() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := settings.Read(file)
			if err != nil {
				return err
			}
			secrets, err := settings.ReadSecrets()
			if err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			return serve(cmd.Context(), set, secrets, log)
		},
	}
	cmd.Flags().StringVar(&file, "config", "seatrial.yaml", "the server's settings")
	return cmd
}

// newSBOM is our own program as the child that looks into images.
func newSBOM() *cobra.Command {
	return &cobra.Command{
		Use:                "sbom",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return scan.Main(cmd.Context(), args, cmd.OutOrStdout())
		},
	}
}

func serve(ctx context.Context, set settings.Settings, secrets settings.Secrets, log *slog.Logger) error {
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s, err := wire(set, secrets, log, metrics)
	if err != nil {
		return err
	}
	metrics.MustRegister(s.presence)
	console, err := listen(set.Listen)
	if err != nil {
		return errors.Join(err, s.close())
	}
	inside, err := listen(set.Metrics)
	if err != nil {
		return errors.Join(err, console.Close(), s.close())
	}
	if err := s.firstAdmin(ctx); err != nil {
		return errors.Join(err, console.Close(), inside.Close(), s.close())
	}
	kube.Quiet()
	rendering.Tell(ctx, s.renderer, log)
	memory.Slim()
	log.Info("serving", "version", version, "console", set.ExternalURL, "metrics", set.Metrics)
	err = s.run(ctx, console, inside, metrics)
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, s.close())
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, hint.Add(fmt.Errorf("listen on %s: %w", address, err), "is another server running? set listen or metrics to another address")
	}
	return l, nil
}

// run keeps every long-lived part going until one fails or ctx ends.
func (s *server) run(ctx context.Context, console, inside net.Listener, metrics *prometheus.Registry) error {
	group, ctx := errgroup.WithContext(ctx)
	parts := []func(context.Context) error{
		s.world.Run, s.repos.Run, s.pushes.Forget, shelf.Outbox{KV: s.db}.Forget,
		func(ctx context.Context) error { return s.web.Run(ctx, console) },
		func(ctx context.Context) error { return serveInside(ctx, inside, metrics) },
	}
	if s.buildkitd != nil {
		parts = append(parts, s.buildkitd.Run)
	}
	// These go by what the platform repo says, so they begin when it is known.
	guided := []func(context.Context) error{s.intake.Run, s.runner.Run, s.presence.Run, s.fleet.Run, s.sloWatch.Run, s.watchFaults, s.scheduler.Run, s.weekly.Run, s.scaling, s.notifier.Run, s.arrivals.Poll, s.followBranches, s.live.Run, s.sweepFaults, s.retention.Run,
		history.Sweeper{Rule: s.settings.History, Runs: shelf.Runs{KV: s.db}, Now: time.Now, Log: s.log}.Run}
	for _, part := range parts {
		group.Go(func() error { return part(ctx) })
	}
	group.Go(func() error {
		if err := s.world.Known(ctx); err != nil {
			return err
		}
		for _, part := range guided {
			group.Go(func() error { return part(ctx) })
		}
		return nil
	})
	return group.Wait()
}

// firstAdmin makes the administrator at the first start and leaves the password in a
// file that only the server's user can read.
func (s *server) firstAdmin(ctx context.Context) error {
	password, created, err := s.web.Guard().FirstAdmin(ctx)
	if err != nil || !created {
		return err
	}
	file := s.settings.Path("admin-password")
	if err := os.WriteFile(file, []byte(password.Reveal()+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the administrator's password: %w", err)
	}
	s.log.Info("administrator created", "user", "admin", "password_file", file)
	return nil
}

// serveInside answers what only operators ask: metrics and profiles, on loopback.
func serveInside(ctx context.Context, l net.Listener, metrics *prometheus.Registry) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}
