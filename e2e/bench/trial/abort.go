package trial

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seatrial/seatrial/chaos"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
)

const (
	breaches = 30                     // each of a service of its own, at once
	requests = 50                     // of each service in a second
	interval = time.Second            // between two samples, as in the lab
	lasts    = 45 * time.Second       // that a fault is measured
	lead     = 15 * time.Second       // of requests before the first fault
	patience = 90 * time.Second       // for all of it
	beforeIt = 6 * time.Second        // of good requests under the fault, and up to as much more
	spread   = 230 * time.Millisecond // more for each service, so that breaches come at any moment
)

// harm is a cluster whose faults begin to hurt a while after they were injected.
type harm struct {
	still

	mu       sync.Mutex // guards the fields below
	injected map[release.Service]time.Time
	seen     map[release.Service]time.Time // when Prometheus had the first failed requests
	aborted  map[release.Service]time.Time // when the fault's removal was first asked for
}

// of is one service's view of it: a provider that knows whose fault it is.
type of struct {
	*harm
	service release.Service
}

func (o of) Inject(ctx context.Context, order chaos.Order) error {
	err := o.still.Inject(ctx, order)
	o.note(o.injected, time.Now())
	return err
}

func (o of) Revert(ctx context.Context, f release.FaultRecord, force chaos.Force) error {
	o.note(o.aborted, time.Now())
	return o.still.Revert(ctx, f, force)
}

func (o of) note(in map[release.Service]time.Time, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if in[o.service].IsZero() {
		in[o.service] = at
	}
}

func (h *harm) failing(i int, service release.Service, at time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	began := h.injected[service]
	return !began.IsZero() && at.After(began.Add(beforeIt+time.Duration(i)*spread))
}

// traffic writes a sample of every service each interval until ctx ends, and notes when the
// first failed requests of each are there for anybody to see.
func (h *harm) traffic(ctx context.Context, s *server, slos []openslo.SLO) error {
	good, bad := make([]float64, len(slos)), make([]float64, len(slos))
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		now, hurt := time.Now(), []release.Service(nil)
		var body []byte
		for i, o := range slos {
			if h.failing(i, o.Service, now) {
				bad[i] += requests
				hurt = append(hurt, o.Service)
			} else {
				good[i] += requests
			}
			body = counter(counter(body, i, "200", point{now, good[i]}), i, "500", point{now, bad[i]})
		}
		if err := s.write(ctx, body); err != nil {
			return err
		}
		for _, service := range hurt {
			of{h, service}.note(h.seen, time.Now())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// trialOf carries one experiment on until its fault is asked to go.
func (h *harm) trialOf(ctx context.Context, g *slo.Gate, o openslo.SLO) error {
	p := of{h, o.Service}
	engine := &chaos.Engine{Provider: p, Finder: p, Measure: g.Measure, Now: time.Now}
	subject := chaos.Subject{
		Service: o.Service, Env: "prod", Cluster: "eu-1", Namespaces: []string{"shop"}, Observe: lasts,
		Baseline: []release.Evidence{{Gate: "slo", Claim: "without the fault", Holds: true, Facts: map[string]string{"slo": o.Name, "outcome": release.Passed.String()}}},
		Experiment: release.Experiment{Meta: release.Meta{Name: "fail"}, Spec: release.ExperimentSpec{
			Fault: release.Fault{Kind: "PodChaos", Action: "pod-failure", Namespace: "shop", Duration: release.Duration(2 * lasts),
				Selector: release.Selector{MatchLabels: map[string]string{"app": "web"}}},
		}},
	}
	var t release.Trial
	for {
		next, v, err := engine.Step(ctx, subject, t)
		if err != nil {
			return err
		}
		t = next
		h.mu.Lock()
		over := !h.aborted[o.Service].IsZero()
		h.mu.Unlock()
		switch {
		case over:
			return nil
		case v.Outcome() != release.Waiting:
			return fmt.Errorf("%s was never aborted: %s", o.Service, v.Reason())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(v.After()):
		}
	}
}

// aborts measures how soon a breach that Prometheus shows ends the fault.
func aborts(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := begin(ctx, c)
	if err != nil {
		return figure.Report{}, err
	}
	defer s.end()
	p, err := source.New(s.url)
	if err != nil {
		return figure.Report{}, err
	}
	var slos []openslo.SLO
	for i := range breaches {
		slos = append(slos, availability(i))
	}
	g := &slo.Gate{
		SLOs:        func(context.Context) ([]openslo.SLO, error) { return slos, nil },
		Environment: func(context.Context, release.Env) (release.Environment, error) { return release.Environment{}, nil },
		Prometheus:  p, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	h := &harm{still: still{faults: map[string]time.Time{}},
		injected: map[release.Service]time.Time{}, seen: map[release.Service]time.Time{}, aborted: map[release.Service]time.Time{}}
	flowing, stop := context.WithCancel(ctx)
	defer stop()
	var all, writing errgroup.Group
	writing.Go(func() error { return h.traffic(flowing, s, slos) })
	select {
	case <-ctx.Done():
	case <-time.After(lead):
	}
	for _, o := range slos {
		all.Go(func() error { return h.trialOf(ctx, g, o) })
	}
	if err := all.Wait(); err != nil {
		return figure.Report{}, err
	}
	stop()
	if err := writing.Wait(); flowing.Err() == nil {
		return figure.Report{}, err
	}
	return h.told(say)
}

func (h *harm) told(say io.Writer) (figure.Report, error) {
	var took []float64
	for service, aborted := range h.aborted {
		seen := h.seen[service]
		if seen.IsZero() || aborted.Before(seen) {
			return figure.Report{}, fmt.Errorf("%s was aborted at %s, and its breach seen at %s", service, aborted, seen)
		}
		took = append(took, aborted.Sub(seen).Seconds())
	}
	fmt.Fprintf(say, "%d breaches: %.2f\n", len(took), took)
	const name = "SLO breach visible in Prometheus to fault abort issued, "
	return figure.Report{
		Notes: []string{fmt.Sprintf("%d breaches under a fault, with the server's gate and engine and a sample each %s; from when Prometheus has the first failed requests until the fault's removal is asked for; the faults are nothing real", len(took), interval)},
		Figures: []figure.Figure{
			figure.Of(name+"median", figure.Median(took), "s"),
			figure.Of(name+"p95", figure.Percentile(took, 0.95), "s").AtMost(2 + interval.Seconds()),
			figure.Of(name+"the longest", slices.Max(took), "s").AtMost(2 + interval.Seconds()),
		},
	}, nil
}
