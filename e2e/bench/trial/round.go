package trial

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
)

// rounds after the first that are measured: the five minutes after which the watch remembers
// another piece, and one more.
const rounds = 21

// none is a book without breaches, that refuses any: the history has none.
type none struct{}

func (none) Load(context.Context) ([]slo.Breach, error) { return nil, nil }
func (none) Change(_ context.Context, b slo.Breach, _ release.Event) error {
	return fmt.Errorf("%s is breached, though one request in a thousand fails: %+v", b.SLO, b)
}

// availability is the SLO of one service of the history.
func availability(i int) openslo.SLO {
	of := fmt.Sprintf(`cluster="{{.Cluster}}",service="%d"`, i)
	return openslo.SLO{Name: fmt.Sprintf("slo-%d", i), Title: "availability", Service: release.Service(fmt.Sprintf("shop/web-%d", i)), Objective: 0.99, Window: 30 * 24 * time.Hour,
		Bad:   openslo.Query(`sum(increase(requests_total{` + of + `,code=~"5.."}[{{.Window}}]))`),
		Total: openslo.Query(`sum(increase(requests_total{` + of + `}[{{.Window}}]))`)}
}

// watching is the server's own watch of n SLOs with different queries.
func watching(c Config, p *source.Prometheus, now func() time.Time) *slo.Watch {
	var slos []openslo.SLO
	var places []slo.Place
	for i := range c.SLOs {
		o := availability(i)
		slos = append(slos, o)
		places = append(places, slo.Place{Service: o.Service, Env: "prod", Cluster: "eu-1", Project: "shop"})
	}
	return &slo.Watch{
		SLOs:       func(context.Context) ([]openslo.SLO, error) { return slos, nil },
		Places:     func(context.Context) ([]slo.Place, error) { return places, nil },
		Prometheus: p, Breaches: none{}, Now: now, Log: slog.New(slog.DiscardHandler),
	}
}

// alone asks for every window of every SLO that a round looks at, as it is. Those of days, of
// which a round looks at an eighth, are left out: they would flatter the round.
func alone(ctx context.Context, p *source.Prometheus, slos []openslo.SLO, at time.Time) error {
	for _, o := range slos {
		for _, pair := range o.Pairs() {
			if pair.Severity == burn.Ticket {
				continue
			}
			for _, length := range []time.Duration{pair.Long, pair.Short} {
				for _, q := range []openslo.Query{o.Bad, o.Total} {
					if _, err := p.Ask(ctx, "alone", q.Fill("eu-1", length), at); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// whole reports whether the watch has measured every SLO, and right.
func whole(w *slo.Watch, n int) error {
	states := w.States()
	if len(states) != n {
		return fmt.Errorf("%d of %d SLOs were measured", len(states), n)
	}
	for _, s := range states {
		if len(s.Clusters) != 1 || s.Clusters[0].Measured == nil || *s.Clusters[0].Measured < 0.9985 || *s.Clusters[0].Measured > 0.9995 {
			return fmt.Errorf("%s was measured as %+v, and one request in a thousand fails", s.Name, s.Clusters)
		}
	}
	return nil
}

// evaluate measures rounds of the watch against a Prometheus of its own.
func evaluate(ctx context.Context, c Config, say io.Writer) (figure.Report, error) {
	s, err := begin(ctx, c)
	if err != nil {
		return figure.Report{}, err
	}
	defer s.end()
	end := time.Now().Truncate(scrape)
	if err := s.fill(ctx, c.SLOs, end); err != nil {
		return figure.Report{}, fmt.Errorf("write the history: %w", err)
	}
	p, err := source.New(s.url)
	if err != nil {
		return figure.Report{}, err
	}
	now := end.Add(-(rounds + 1) * scrape)
	w := watching(c, p, func() time.Time { return now })
	slos, _ := w.SLOs(ctx) // never fails
	each, err := s.cost(ctx, func() error { return alone(ctx, p, slos, now.Add(-time.Second)) })
	if err != nil {
		return figure.Report{}, err
	}
	fmt.Fprintf(say, "each of %d SLOs alone: %.2f s, %.0f samples\n", c.SLOs, each.seconds, each.samples)
	var all []cost
	for i := range rounds + 1 {
		one, err := s.cost(ctx, func() error { return w.Round(ctx) })
		if err == nil {
			err = whole(w, c.SLOs)
		}
		if err != nil {
			return figure.Report{}, fmt.Errorf("round %d: %w", i, err)
		}
		fmt.Fprintf(say, "round %d: %.2f s, %.0f samples\n", i, one.seconds, one.samples)
		all, now = append(all, one), now.Add(scrape)
	}
	return figure.Report{
		Notes:   []string{fmt.Sprintf("rounds of the server's watch of %d SLOs with different queries, two series each, scraped each %s for %s, one after the other; the samples are those that Prometheus's own counter tells", c.SLOs, scrape, history)},
		Figures: told(c.SLOs, each, all[0], all[1:]),
	}, nil
}

func told(n int, each, first cost, later []cost) []figure.Figure {
	var seconds, samples []float64
	for _, l := range later {
		seconds, samples = append(seconds, l.seconds), append(samples, l.samples)
	}
	name := func(what string) string { return fmt.Sprintf("%d SLOs, four windows, %s", n, what) }
	const alone = "each SLO alone"
	return []figure.Figure{
		figure.Of(name("the first round after a start"), first.seconds, "s").To(alone, each.seconds).AtMost(10),
		figure.Of(name("a later round, median"), figure.Median(seconds), "s").To(alone, each.seconds).AtMost(10),
		figure.Of(name("the slowest of the later rounds"), slices.Max(seconds), "s").To(alone, each.seconds).AtMost(10),
		figure.Of(name("the first round after a start"), first.samples, "samples").To(alone, each.samples).AtMostTimes(0.1),
		figure.Of(name("a later round, median"), figure.Median(samples), "samples").To(alone, each.samples).AtMostTimes(0.1),
		figure.Of(name("the most of a later round"), slices.Max(samples), "samples").To(alone, each.samples).AtMostTimes(0.1),
	}
}

// cost is what one act took, and what it made Prometheus read.
type cost struct{ seconds, samples float64 }

func (s *server) cost(ctx context.Context, act func() error) (cost, error) {
	before, err := s.read(ctx)
	if err != nil {
		return cost{}, err
	}
	start := time.Now()
	if err := act(); err != nil {
		return cost{}, err
	}
	took := time.Since(start).Seconds()
	after, err := s.read(ctx)
	return cost{took, after - before}, err
}
