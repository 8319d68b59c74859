package trial

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
)

const (
	// rounds after the first that are measured: the five minutes after which the watch remembers
	// another piece, and one more.
	rounds = 21
	// away is how long a restart takes.
	away = 2 * time.Minute
	// burning rounds are measured: those in which the windows of days are looked at once, and
	// what is left of them.
	burning = 10
)

// none is a book without breaches, that refuses any: the history has none.
type none struct{}

func (none) Load(context.Context) ([]slo.Breach, error) { return nil, nil }
func (none) Change(_ context.Context, b slo.Breach, _ release.Event) error {
	return fmt.Errorf("%s is breached, though one request in a thousand fails: %+v", b.SLO, b)
}

// open is a book of breaches that are told once, each.
type open map[string]slo.Breach

func (o open) Load(context.Context) ([]slo.Breach, error) {
	return slices.Collect(maps.Values(o)), nil
}

func (o open) Change(_ context.Context, b slo.Breach, _ release.Event) error {
	o[b.Key()] = b
	return nil
}

// availability is the SLO of one service of the history.
func availability(i int) openslo.SLO {
	of := fmt.Sprintf(`cluster="{{.Cluster}}",service="%d"`, i)
	return openslo.SLO{Name: fmt.Sprintf("slo-%d", i), Title: "availability", Service: release.Service(fmt.Sprintf("shop/web-%d", i)), Objective: 0.99, Window: 30 * 24 * time.Hour,
		Bad:   openslo.Query(`sum(increase(requests_total{` + of + `,code=~"5.."}[{{.Window}}]))`),
		Total: openslo.Query(`sum(increase(requests_total{` + of + `}[{{.Window}}]))`)}
}

// watching is the server's own watch of n SLOs with different queries and one objective.
func watching(c Config, p *source.Prometheus, objective float64, now func() time.Time) *slo.Watch {
	var slos []openslo.SLO
	var places []slo.Place
	for i := range c.SLOs {
		o := availability(i)
		o.Objective = objective
		slos = append(slos, o)
		places = append(places, slo.Place{Service: o.Service, Env: "prod", Cluster: "eu-1", Project: "shop"})
	}
	return &slo.Watch{
		SLOs:       func(context.Context) ([]openslo.SLO, error) { return slos, nil },
		Places:     func(context.Context) ([]slo.Place, error) { return places, nil },
		Prometheus: p, Breaches: none{}, Now: now, Log: slog.New(slog.DiscardHandler), Memory: filepath.Join(c.Dir, "slo-pieces"),
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
	now := end.Add(-away - (rounds+1)*scrape)
	m := measuring{server: s, config: c, say: say, now: &now}
	if err := os.RemoveAll(filepath.Join(c.Dir, "slo-pieces")); err != nil {
		return figure.Report{}, err
	}
	w := watching(c, p, 0.99, func() time.Time { return now })
	slos, _ := w.SLOs(ctx) // never fails
	each, err := s.cost(ctx, func() error { return alone(ctx, p, slos, now.Add(-time.Second)) })
	if err != nil {
		return figure.Report{}, err
	}
	fmt.Fprintf(say, "each of %d SLOs alone: %.2f s, %.0f samples\n", c.SLOs, each.seconds, each.samples)
	all, err := m.rounds(ctx, "round", w, rounds+1)
	if err != nil {
		return figure.Report{}, err
	}
	now = now.Add(away)
	again, err := m.rounds(ctx, "after a restart, round", watching(c, p, 0.99, func() time.Time { return now }), 1)
	if err != nil {
		return figure.Report{}, err
	}
	now = end.Add(-burning * scrape)
	fire := watching(c, p, 0.9999, func() time.Time { return now }) // ten times as fast as allowed: only the windows of hours tell
	fire.Breaches, fire.Memory = open{}, ""
	worst, err := m.rounds(ctx, "everything burns, round", fire, burning)
	if err != nil {
		return figure.Report{}, err
	}
	return figure.Report{
		Notes: []string{fmt.Sprintf("rounds of the server's watch of %d SLOs with different queries, two series each, scraped each %s for %s, one after the other; the samples are those that Prometheus's own counter tells", c.SLOs, scrape, history),
			fmt.Sprintf("a restart takes %s; where everything burns, every window of every SLO is needed, and nothing is remembered at first", away)},
		Figures: told(c.SLOs, each, all[0], again[0], all[1:], worst),
	}, nil
}

// measuring is what rounds are measured with.
type measuring struct {
	server *server
	config Config
	say    io.Writer
	now    *time.Time
}

// rounds are n of a watch, one a scrape.
func (m measuring) rounds(ctx context.Context, what string, w *slo.Watch, n int) ([]cost, error) {
	var all []cost
	for i := range n {
		one, err := m.server.cost(ctx, func() error { return w.Round(ctx) })
		if err == nil {
			err = whole(w, m.config.SLOs)
		}
		if err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, i, err)
		}
		fmt.Fprintf(m.say, "%s %d: %.2f s, %.0f samples\n", what, i, one.seconds, one.samples)
		all, *m.now = append(all, one), m.now.Add(scrape)
	}
	return all, nil
}

func told(n int, each, first, again cost, later, worst []cost) []figure.Figure {
	seconds, samples := apart(later)
	burns, read := apart(worst)
	name := func(what string) string { return fmt.Sprintf("%d SLOs, four windows, %s", n, what) }
	const alone = "each SLO alone"
	return []figure.Figure{
		figure.Of(name("the very first round"), first.seconds, "s").To(alone, each.seconds).AtMost(10),
		figure.Of(name("the first round after a restart"), again.seconds, "s").To(alone, each.seconds).AtMost(10),
		figure.Of(name("a later round, median"), figure.Median(seconds), "s").To(alone, each.seconds).AtMost(10),
		figure.Of(name("the slowest of the later rounds"), slices.Max(seconds), "s").To(alone, each.seconds).AtMost(10),
		figure.Of(name("the slowest of the very first rounds when everything burns"), slices.Max(burns), "s").To(alone, each.seconds).AtMost(10),
		figure.Of(name("the very first round"), first.samples, "samples").To(alone, each.samples),
		figure.Of(name("the first round after a restart"), again.samples, "samples").To(alone, each.samples).AtMostTimes(0.1),
		figure.Of(name("a later round, median"), figure.Median(samples), "samples").To(alone, each.samples).AtMostTimes(0.1),
		figure.Of(name("the most of a later round"), slices.Max(samples), "samples").To(alone, each.samples),
		figure.Of(name("the most of the very first rounds when everything burns"), slices.Max(read), "samples").To(alone, each.samples),
	}
}

func apart(all []cost) (seconds, samples []float64) {
	for _, c := range all {
		seconds, samples = append(seconds, c.seconds), append(samples, c.samples)
	}
	return seconds, samples
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
