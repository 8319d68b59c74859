package slo

import (
	"context"
	"math"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/burn"
)

// Budgets is how much of its error budget each SLO of a service has left on a cluster, over
// its window, of a calendar's so far: 1 when nothing was bad, negative when it is overspent, NaN where
// Prometheus has no numbers. An error means that it could not be asked.
func (g *Gate) Budgets(ctx context.Context, service release.Service, env release.Env, cluster string) (map[string]float64, error) {
	slos, s, err := g.about(ctx, service, env)
	if err != nil {
		return nil, err
	}
	at, ask, left := step(g.Now()), newAsker(g.Prometheus), map[string]float64{}
	for _, o := range slos {
		w := window{slo: o, cluster: cluster, from: o.Begin(at), to: at}
		queries, err := ask.queries(ctx, w)
		if err != nil {
			return nil, err
		}
		m := read(queries, w.from, w.to, s)
		if left[o.Name] = math.NaN(); m.Problem == "" && m.Ratio.Total > 0 && finite(m.Ratio.Good) && finite(m.Ratio.Total) {
			left[o.Name] = burn.Remaining(spent(m.Ratio), burn.Target(o.Objective))
		}
	}
	return left, nil
}
