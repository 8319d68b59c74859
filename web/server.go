package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/seatrial/seatrial/internal/forge"
	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/web/auth"
	"github.com/seatrial/seatrial/web/counts"
	"github.com/seatrial/seatrial/web/hooks"
	"github.com/seatrial/seatrial/web/once"
	"github.com/seatrial/seatrial/web/problem"
	"github.com/seatrial/seatrial/web/stream"
	"golang.org/x/sync/errgroup"
)

// Config is what web has to be told.
type Config struct {
	External string                       // the URL people use: "https://seatrial.example"
	Version  string                       // of the server, for the console
	Secrets  map[forge.Kind][]secret.Text // of webhooks; a forge without is not served
	Proxies  []netip.Prefix               // whose X-Forwarded-For is believed
	Alerts   http.Handler                 // Alertmanager's webhook, which checks its own token; nil: not served
	Console  fs.FS                        // the built console; nil: the embedded one
}

// Limits of every connection. The stream sets its own deadlines.
const (
	headerTime = 10 * time.Second
	readTime   = 30 * time.Second
	writeTime  = time.Minute
	idleTime   = 2 * time.Minute
	maxHeader  = 32 << 10
	sweepEvery = time.Hour
	endWithin  = 10 * time.Second
)

// Server answers people, machines and forges.
type Server struct {
	config  Config
	parts   Parts
	log     *slog.Logger
	guard   *auth.Guard
	hub     *stream.Hub
	hooks   *hooks.Receiver
	once    *once.Once
	table   *table
	origin  *http.CrossOriginProtection
	metrics *counts.Counts
	openAPI []byte
}

// New puts the server together; nothing is listened to before Run. The metrics go to reg.
func New(c Config, p Parts, log *slog.Logger, reg prometheus.Registerer) (*Server, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	c.External = strings.TrimSuffix(c.External, "/")
	guard, err := auth.New(auth.Config{External: c.External, Proxies: c.Proxies}, p.Vault, log)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, parts: p, log: log, guard: guard, table: newTable(), once: &once.Once{Vault: p.Vault, Log: log},
		origin: http.NewCrossOriginProtection()}
	if err := s.origin.AddTrustedOrigin(c.External); err != nil {
		return nil, fmt.Errorf("external url: %w", err)
	}
	s.hub = stream.New(s.source(), log)
	if s.metrics, err = counts.New(reg, s.hub.Open); err != nil {
		return nil, err
	}
	if s.hooks, err = hooks.New(hooks.Config{Secrets: c.Secrets}, p.Known, p.Intake, s.metrics.Delivery, log); err != nil {
		return nil, err
	}
	return s, s.routes()
}

// Guard is who knows the people; serve asks it for the first administrator.
func (s *Server) Guard() *auth.Guard { return s.guard }

// Routes lists all routes, in the order they were added.
func (s *Server) Routes() []Route { return s.table.routes }

// OpenAPI is the description of the API, as JSON.
func (s *Server) OpenAPI() []byte { return s.openAPI }

// ServeHTTP is the one way in.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	route, known := s.table.match(r)
	seen := &watched{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		if cause := recover(); cause != nil {
			s.broke(seen, route, cause)
		}
		s.metrics.Request(route.Pattern, r.Method, seen.status, time.Since(start), route.Pattern == streamRoute)
	}()
	s.secure(seen.Header())
	s.admit(seen, r, route, known)
}

// broke answers for a handler that panicked. http.ErrAbortHandler is meant.
func (s *Server) broke(w *watched, route Route, cause any) {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	s.log.Error("web", "act", "handle", "route", route.Pattern, "panic", fmt.Sprint(cause))
	if !w.wrote {
		w.status = http.StatusInternalServerError
		problem.Write(w, w.status, "something broke here; it has been logged", "")
	}
}

// Run serves l until ctx ends, then lets requests finish for a moment.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	group, ctx := errgroup.WithContext(ctx)
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	group.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", l.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
		defer cancel()
		if err := server.Shutdown(stop); err != nil {
			return server.Close()
		}
		return nil
	})
	group.Go(func() error { return s.hub.Run(ctx) })
	group.Go(func() error { return s.sweep(ctx) })
	return group.Wait()
}

// sweep forgets what has ended: sessions and answers kept for repeated requests.
func (s *Server) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := errors.Join(s.guard.Sweep(ctx), s.once.Sweep(ctx, time.Now())); err != nil && ctx.Err() == nil {
			s.log.Warn("web", "act", "sweep", "error", err)
		}
	}
}

// secure sets what every answer carries. There is no inline script or style anywhere.
func (s *Server) secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; "+
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store") // what may be kept says so itself
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	if strings.HasPrefix(s.config.External, "https:") {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// watched remembers the status. It unwraps, so deadlines and flushes pass through.
type watched struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// Unwrap is for http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader remembers the first status.
func (w *watched) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write may be the first thing that is written.
func (w *watched) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}
