package tally_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/util/teststorage"

	"github.com/seatrial/seatrial/slo/tally"
)

// TestPiecesAreWhatPrometheusCountsInTheWholeWindow has counters that are born, reset and not
// scraped for a while, at every usual interval. Of two scrapes in a piece one is lost where a
// counter is reset.
func TestPiecesAreWhatPrometheusCountsInTheWholeWindow(t *testing.T) {
	begin := time.Date(2026, 11, 27, 0, 0, 7, 0, time.UTC)
	for scrape, tolerance := range map[time.Duration]float64{5 * time.Second: 0.02, 15 * time.Second: 0.02, time.Minute: 0.03, 2 * time.Minute: 0.08} {
		t.Run(scrape.String(), func(t *testing.T) {
			random := rand.New(rand.NewPCG(11, uint64(scrape)))
			storage := teststorage.New(t)
			app := storage.Appender(context.WithoutCancel(t.Context()))
			const length = 10 * time.Hour
			for pod := range 6 {
				born, dies := time.Duration(random.Int64N(int64(length/2))), length
				if pod%2 == 0 {
					born, dies = 0, length-time.Duration(random.Int64N(int64(length/2)))
				}
				away := time.Duration(random.Int64N(int64(length)))
				value, rate := 0.0, 1+10*random.Float64() // a second
				for at := time.Duration(0); at < length; at += scrape {
					if at < born || at > dies || at > away && at < away+20*time.Minute {
						continue
					}
					value += math.Floor(rate * scrape.Seconds() * (0.5 + random.Float64()))
					if random.IntN(int(4*time.Hour/scrape)) == 0 {
						value = 0
					}
					if _, err := app.Append(0, labels.FromStrings("__name__", "requests_total", "pod", fmt.Sprint(pod)), begin.Add(at).UnixMilli(), value); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := app.Commit(); err != nil {
				t.Fatal(err)
			}
			e := asked{t, promqltest.NewTestEngine(t, false, 5*time.Minute, 50_000_000), storage}
			var all tally.Tally
			for now := begin.Add(7 * time.Hour); now.Before(begin.Add(length)); now = now.Add(17*time.Minute + 15*time.Second) {
				for _, window := range []time.Duration{time.Hour, 2 * time.Hour, 6 * time.Hour} {
					got, ok, err := all.Events(t.Context(), "a", window, now, e.ask(now))
					if err != nil || !ok || !got.Seen {
						t.Fatal(got, ok, err)
					}
					least, most := e.count(now, window), e.count(now, window+tally.Piece)
					if got.Events < least*(1-tolerance) || got.Events > most*(1+tolerance) {
						t.Errorf("%v, %v: %.0f events, Prometheus counts %.0f, and %.0f in a piece more", now.Format(time.TimeOnly), window, got.Events, least, most)
					}
				}
			}
		})
	}
}

// asked is Prometheus's own engine over what a test has written.
type asked struct {
	t       *testing.T
	engine  *promql.Engine
	storage *teststorage.TestStorage
}

func (a asked) count(at time.Time, length time.Duration) float64 {
	a.t.Helper()
	q, err := a.engine.NewInstantQuery(a.t.Context(), a.storage, nil, fmt.Sprintf("sum(increase(requests_total[%ds]))", int(length.Seconds())), at)
	if err != nil {
		a.t.Fatal(err)
	}
	v, err := q.Exec(a.t.Context()).Vector()
	if err != nil || len(v) != 1 {
		a.t.Fatal(v, err)
	}
	return v[0].F
}

func (a asked) ask(now time.Time) tally.Ask {
	return tally.Ask{
		Head: func(_ context.Context, length time.Duration) (tally.Count, error) {
			return tally.Count{Events: a.count(now, length), Seen: true}, nil
		},
		Pieces: func(ctx context.Context, first, last time.Time) (map[time.Time]float64, error) {
			q, err := a.engine.NewRangeQuery(ctx, a.storage, nil, "sum(increase(requests_total[300s]))", first, last, tally.Piece)
			if err != nil {
				return nil, err
			}
			m, err := q.Exec(ctx).Matrix()
			found := map[time.Time]float64{}
			for _, s := range m {
				for _, p := range s.Floats {
					found[time.UnixMilli(p.T).UTC()] += p.F
				}
			}
			return found, err
		},
	}
}
