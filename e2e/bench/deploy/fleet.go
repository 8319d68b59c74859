package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/e2e/bench/deploy/subject"
	"github.com/seatrial/seatrial/e2e/bench/figure"
	"github.com/seatrial/seatrial/release"
)

const dead = 2 // control planes of the largest fleet that do not answer

// fleetWaves take ten control planes at a time; a wave goes on without the dead ones.
var fleetWaves = []release.WaveSpec{{Name: "all", Clusters: release.Selector{MatchLabels: map[string]string{"bench": "yes"}}, PartitionBy: "wave", FailureBudget: dead}}

// fleets measures growing numbers of control planes with the same services on each.
func (b *bench) fleets(ctx context.Context) ([]figure.Figure, error) {
	if len(b.Fleets) == 0 {
		return nil, nil
	}
	if err := b.planes.down(ctx); err != nil {
		return nil, err
	}
	var all []figure.Figure
	var xs, ys []float64
	for i, n := range b.Fleets {
		gone := 0
		if i == len(b.Fleets)-1 {
			gone = dead
		}
		t, a, err := b.fleet(ctx, n, gone)
		if err != nil {
			return nil, err
		}
		xs, ys = append(xs, float64(n-gone)), append(ys, t)
		all = append(all, figure.Of(fmt.Sprintf("%d control planes x %d services, waves of %d, %d dead", n, perFleet, waveSize, gone), t, "s"))
		if gone > 0 {
			var away, waited time.Duration
			for cluster, after := range a.Lacking {
				away, waited = max(away, after), max(waited, a.Waited[cluster])
			}
			all = append(all, figure.Of("  a dead one in quarantine, from when a release first found it away, at most", waited.Seconds(), "s").AtMost(wantAway),
				figure.Of("  the last of them, from the push", away.Seconds(), "s"),
				figure.Of("  dead ones in quarantine", float64(len(a.Lacking)), "control planes").AtLeast(dead))
		}
	}
	if slope, fit, ok := line(xs, ys); ok {
		all = append(all, figure.Of("  more time per live control plane", slope, "s"), figure.Of("  how linear that is (R squared)", fit, "of 1"))
	}
	return all, nil
}

// fleet brings all services to n control planes, of which the last ones of some waves are
// dead by then, and times it.
func (b *bench) fleet(ctx context.Context, n, gone int) (seconds float64, a subject.Answer, err error) {
	for i := len(b.planes.names); i < n; i++ {
		if err := b.planes.up(ctx, fmt.Sprintf("bench-%02d", i)); err != nil {
			return 0, a, err
		}
	}
	if err := b.anew(ctx); err != nil {
		return 0, a, err
	}
	defer func() { err = errors.Join(err, b.repo.close()) }()
	s, err := b.start(ctx, fleetWaves)
	if err != nil {
		return 0, a, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for i := range gone {
		if err := b.planes.do(ctx, "stop", b.planes.names[(i+1)*n/(gone+1)], "apiserver", "--kill"); err != nil {
			return 0, a, err
		}
	}
	b.gen++
	if err := b.repo.commit(ctx, upTo(perFleet), b.gen); err != nil {
		return 0, a, err
	}
	began := time.Now()
	if err := b.repo.push(ctx); err != nil {
		return 0, a, err
	}
	a, err = s.do(subject.Follow)
	seconds = time.Since(began).Seconds()
	b.tell("%d control planes, %d dead: %.2f s, %.2f s of a processor", n, gone, seconds, a.CPU.Seconds())
	return seconds, a, err
}

// line fits a line and says how much a step costs and how well it fits.
func line(xs, ys []float64) (slope, fit float64, ok bool) {
	if len(xs) < 3 {
		return 0, 0, false
	}
	n := float64(len(xs))
	var sx, sy, sxx, sxy, syy float64
	for i, x := range xs {
		y := ys[i]
		sx, sy, sxx, sxy, syy = sx+x, sy+y, sxx+x*x, sxy+x*y, syy+y*y
	}
	dx, dy, dxy := n*sxx-sx*sx, n*syy-sy*sy, n*sxy-sx*sy
	if dx == 0 || dy == 0 {
		return 0, 0, false
	}
	return dxy / dx, dxy * dxy / (dx * dy), true
}
