package course

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/openslo"
)

// The way of a measurement: a quarter of it slides through it, in so many steps.
const (
	wayPart     = 4
	waySteps    = 20
	shortestWay = 4 * time.Second // part of a measurement: room for some scrapes
)

// Way asks for an SLO's events in a quarter of a measurement, as it slides from its
// beginning to its end: how its one share came about. Its answers are called "way good" or
// "way bad", and "way total"; there are none where time is counted and not events, or the
// measurement is too short.
func Way(ctx context.Context, ask Asks, o openslo.SLO, cluster string, from, to time.Time) ([]release.Query, error) {
	part := to.Sub(from) / wayPart
	if o.Every != 0 || part < shortestWay {
		return nil, nil
	}
	step := (to.Sub(from) - part) / waySteps
	first, numerator := o.Counted()
	var all []release.Query
	for _, q := range []struct {
		name  string
		query openslo.Query
	}{{first, numerator}, {"total", o.Total}} {
		got, err := ask.AskRange(ctx, "way "+q.name, q.query.Fill(cluster, part), to.Add(-waySteps*step), to, step)
		if err != nil {
			return nil, fmt.Errorf("slo %s on %s: %w", o.Name, cluster, err)
		}
		all = append(all, got)
	}
	return all, nil
}
