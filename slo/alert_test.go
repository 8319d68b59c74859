package slo_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
)

func TestNoPeriodIsSoShortThatAKeptObjectiveIsABreach(t *testing.T) {
	const objective = 0.99
	for _, period := range []time.Duration{time.Hour, 6 * time.Hour, 24 * time.Hour, 49 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour} {
		now := time.Unix(1_000_000, 0)
		// 0.8 % of many events are bad: the objective is kept, whatever the period.
		kept := release.Ratio{Good: 99_200, Total: 100_000}
		for _, p := range burn.Pairs(period) {
			if (slo.Burning{Pair: p, Long: kept, Short: kept}).Breached(objective) {
				t.Errorf("%s: a breach at %v", period, p)
			}
		}
		m := slo.Measurement{Ratio: kept, From: now.Add(-time.Minute), To: now}
		if r := slo.Judge(m, objective, slo.Settings{Page: burn.Paging(period)}); r.Outcome != release.Passed {
			t.Errorf("%s: the gate says %s: %s", period, r.Outcome, r.Reason)
		}
	}
}

func TestABreachOfWhatIsNotWatchedAnyMoreEnds(t *testing.T) {
	for name, leave := range map[string]func(slos *[]openslo.SLO, places *[]slo.Place){
		"the SLO is taken away":    func(slos *[]openslo.SLO, _ *[]slo.Place) { *slos = nil },
		"the service has left":     func(_ *[]openslo.SLO, places *[]slo.Place) { *places = nil },
		"nothing, and it goes on":  func(*[]openslo.SLO, *[]slo.Place) {},
		"another place is watched": func(_ *[]openslo.SLO, places *[]slo.Place) { (*places)[0].Cluster = "b" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPrometheus(t, map[string]string{"good": "500", "total": "1000"})
			client, err := source.New(p.URL)
			if err != nil {
				t.Fatal(err)
			}
			b, now := newBook(), begin
			slos, places := []openslo.SLO{availability()}, []slo.Place{{Service: "shop/web", Env: "prod", Cluster: "a", Project: "shop"}}
			w := &slo.Watch{
				SLOs:       func(context.Context) ([]openslo.SLO, error) { return slos, nil },
				Places:     func(context.Context) ([]slo.Place, error) { return places, nil },
				Prometheus: client, Breaches: b, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
			}
			for round := range 3 {
				if err := w.Round(t.Context()); err != nil {
					t.Fatal(err)
				}
				if now = now.Add(15 * time.Second); round == 0 {
					leave(&slos, &places)
				}
			}
			told, lasts := strings.Join(b.order, " "), strings.HasPrefix(name, "nothing")
			if strings.Contains(told, "slo.recovered") == lasts || len(b.order) > 3 {
				t.Errorf("told %s", told)
			}
			for _, x := range b.open {
				if x.Cluster != places[0].Cluster {
					t.Errorf("open on %s", x.Cluster)
				}
			}
		})
	}
}

func TestABreachEndsOnlyWhenEveryPairIsKnown(t *testing.T) {
	pairs := burn.Pairs(30 * 24 * time.Hour)
	fine, bad := release.Ratio{Good: 1000, Total: 1000}, release.Ratio{Good: 500, Total: 1000}
	hour, hours := slo.Burning{Pair: pairs[0], Long: fine, Short: fine}, slo.Burning{Pair: pairs[1], Long: fine, Short: fine}
	gone, burning := hours, hours
	gone.NoData, burning.Long, burning.Short = true, bad, bad
	open, now := &slo.Breach{SLO: "web", Cluster: "a", Since: begin}, begin.Add(time.Hour)
	for name, c := range map[string]struct {
		pairs []slo.Burning
		ends  bool
	}{
		"all are known":                      {[]slo.Burning{hour, hours}, true},
		"what calls goes on":                 {[]slo.Burning{hour, burning}, false},
		"what called may be what is missing": {[]slo.Burning{hour, gone}, false},
		"nothing is known":                   {[]slo.Burning{gone}, false},
		"nothing was asked":                  {nil, false},
	} {
		if got := slo.Alarm(open, *open, c.pairs, 0.99, now); (got != nil) != c.ends {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
