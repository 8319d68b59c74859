package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/lab/layout"
)

const (
	requestTimeout = time.Second
	rereadEvery    = 500 * time.Millisecond
	resolveEvery   = time.Second

	// A gateway that cannot connect asks again, and lands on another pod. What was sent
	// is never sent twice.
	connects       = 3
	connectTimeout = 250 * time.Millisecond
)

// Generator serves the wishes of one lab until it is told to stop.
type Generator struct {
	Root    layout.Root
	Metrics *Metrics

	workers map[string]context.CancelFunc // by Target.key; only Run's loop touches it
	group   sync.WaitGroup
}

// Run sends load and serves its counters at addr until ctx ends.
func (g *Generator) Run(ctx context.Context, addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		g.Metrics.Write(w)
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	eg, ctx := errgroup.WithContext(ctx)
	eg.Go(func() error {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	eg.Go(func() error {
		<-ctx.Done()
		return srv.Close()
	})
	eg.Go(func() error {
		g.follow(ctx)
		g.group.Wait()
		return nil
	})
	return eg.Wait()
}

// follow keeps one worker for each target that is wished for now.
func (g *Generator) follow(ctx context.Context) {
	g.workers = map[string]context.CancelFunc{}
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	lastErr := ""
	for {
		targets, err := g.targets()
		if err == nil {
			g.adjust(ctx, targets)
			lastErr = ""
		} else if err.Error() != lastErr { // once, not twice a second
			lastErr = err.Error()
			slog.Info("keep the load as it is", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (g *Generator) targets() ([]Target, error) {
	wishes, err := Read(g.Root)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(g.Root.EnvFile())
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	env, err := layout.ParseEnv(b)
	if err != nil {
		return nil, err
	}
	return Targets(wishes, env.Clusters), nil
}

func (g *Generator) adjust(ctx context.Context, targets []Target) {
	wanted := map[string]bool{}
	for _, t := range targets {
		wanted[t.key()] = true
		if _, ok := g.workers[t.key()]; ok {
			continue
		}
		wctx, cancel := context.WithCancel(ctx)
		g.workers[t.key()] = cancel
		slog.Info("send load", "service", t.Service, "cluster", t.Cluster, "rps", t.RPS)
		g.group.Go(func() { (&worker{target: t, metrics: g.Metrics}).run(wctx) })
	}
	for key, cancel := range g.workers {
		if !wanted[key] {
			cancel()
			delete(g.workers, key)
		}
	}
}

// worker sends to one target.
type worker struct {
	target  Target
	metrics *Metrics

	address  atomic.Pointer[string] // of the service now; nil while it has none
	answered atomic.Bool            // it has existed for a user
}

func (w *worker) run(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { w.resolve(ctx) })
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: w.dial},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	// In flight is bounded: a service that hangs takes a second for each.
	slots := make(chan struct{}, int(2*w.target.RPS)+2)
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.target.RPS))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if w.address.Load() == nil {
			continue
		}
		select {
		case slots <- struct{}{}:
			tasks.Go(func() {
				w.request(ctx, client)
				<-slots
			})
		default:
			w.metrics.Skip()
		}
	}
}

// resolve follows the service's address. A name that is gone is a service that
// is gone; a DNS that does not answer says nothing, so the last address stays.
func (w *worker) resolve(ctx context.Context) {
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		d := net.Dialer{Timeout: requestTimeout}
		return d.DialContext(ctx, network, w.target.DNS)
	}}
	name := fmt.Sprintf("%s.%s.svc.cluster.local.", w.target.Name, w.target.Namespace)
	tick := time.NewTicker(resolveEvery)
	defer tick.Stop()
	for {
		lctx, cancel := context.WithTimeout(ctx, 2*requestTimeout)
		ips, err := r.LookupNetIP(lctx, "ip4", name)
		cancel()
		if len(ips) > 0 {
			ip := ips[0].String()
			w.address.Store(&ip)
		} else if d, ok := errors.AsType[*net.DNSError](err); ok && d.IsNotFound {
			w.address.Store(nil)
			w.answered.Store(false)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *worker) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	ip := w.address.Load()
	if ip == nil {
		return nil, errors.New("the service has no address")
	}
	return connect(ctx, network, net.JoinHostPort(*ip, strconv.Itoa(w.target.Port)))
}

func connect(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	d := net.Dialer{Timeout: connectTimeout}
	for range connects {
		if conn, err = d.DialContext(ctx, network, addr); err == nil || ctx.Err() != nil {
			return conn, err
		}
	}
	return nil, err
}

func (w *worker) request(ctx context.Context, client *http.Client) {
	rctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	t := w.target
	url := fmt.Sprintf("http://%s.%s.svc.cluster.local:%d%s", t.Name, t.Namespace, t.Port, t.Path)
	req, err := http.NewRequestWithContext(rctx, http.MethodGet, url, nil)
	if err != nil {
		return // Validate has seen every part of it
	}
	if t.Host != "" {
		req.Host = t.Host
	}
	// One that was sent before the first answer may time out after it.
	counts := w.answered.Load()
	start := time.Now()
	code := 0
	resp, err := client.Do(req)
	if err == nil {
		code = resp.StatusCode
		if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 4<<20)); err != nil {
			code = 0
		}
		resp.Body.Close()
	}
	if ctx.Err() != nil {
		return // we were told to stop, not the service
	}
	if code != 0 {
		w.answered.Store(true)
	}
	if counts || code != 0 {
		w.metrics.Count(t.Service, t.Cluster, code, time.Since(start))
	}
}
