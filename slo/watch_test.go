package slo_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/openslo"
)

// book keeps breaches and events as the store does: one transaction, events by ID.
type book struct {
	open   map[string]slo.Breach
	events map[string]release.Event
	order  []string
}

func newBook() *book { return &book{open: map[string]slo.Breach{}, events: map[string]release.Event{}} }

func (b *book) Load(context.Context) ([]slo.Breach, error) {
	var all []slo.Breach
	for _, x := range b.open {
		all = append(all, x)
	}
	return all, nil
}

func (b *book) Change(_ context.Context, x slo.Breach, e release.Event) error {
	b.open[x.Key()] = x
	if !x.Ended.IsZero() {
		delete(b.open, x.Key())
	}
	if _, twice := b.events[e.ID]; !twice {
		b.events[e.ID] = e
		b.order = append(b.order, string(e.Kind))
	}
	return nil
}

func TestWatchTellsABreachOnceAndItsEndOnce(t *testing.T) {
	p := newPrometheus(t, nil)
	client, err := slo.NewPrometheus(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	b := newBook()
	o := availability()
	o.Alerts = []openslo.Alert{{Long: time.Minute, Short: 15 * time.Second, Burn: 2}}
	now := begin
	place := slo.Place{Service: "shop/web", Env: "prod", Cluster: "a", Project: "shop"}
	watch := func() *slo.Watch { // a new one is a restart
		return &slo.Watch{
			SLOs:       func(context.Context) ([]openslo.SLO, error) { return []openslo.SLO{o}, nil },
			Places:     func(context.Context) ([]slo.Place, error) { return []slo.Place{place}, nil },
			Prometheus: client, Breaches: b, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		}
	}
	w := watch()
	round := func(state string, answers map[string]string) {
		t.Helper()
		p.set(answers)
		now = now.Add(15 * time.Second)
		if err := w.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.States()[0].Clusters[0].State; got != state {
			t.Errorf("state %s, want %s", got, state)
		}
	}
	good, bad := map[string]string{"good": "1000", "total": "1000"}, map[string]string{"good": "500", "total": "1000"}

	round("nodata", nil)
	round("ok", good)
	place.Busy = true
	round("ok", bad) // its gates look after that
	place.Busy, place.Since, o.NoPage = false, now, true
	round("ok", bad) // nobody wants to be woken
	o.NoPage = false
	round("breach", bad)
	round("breach", bad)
	w = watch()
	round("breach", bad)
	round("breach", nil) // no data ends nothing
	round("ok", good)
	w = watch()
	round("ok", good)
	round("breach", bad)

	if got := strings.Join(b.order, " "); got != "slo.breach slo.recovered slo.breach" {
		t.Errorf("told %s", got)
	}
	for _, e := range b.events {
		if e.Service != "shop/web" || e.Project != "shop" || e.Subject == "" || e.Reason == "" {
			t.Errorf("event %+v", e)
		}
	}
}

func TestUsualPairsFollowThePeriod(t *testing.T) {
	o := availability()
	o.Window = 30 * 24 * time.Hour
	if p := slo.Pairs(o); len(p) != 2 || p[0].Burn < 14.39 || p[0].Burn > 14.41 || p[1].Burn < 5.99 || p[1].Burn > 6.01 {
		t.Errorf("30 days: %+v", p)
	}
	o.Window = 7 * 24 * time.Hour
	if p := slo.Pairs(o); p[0].Burn < 3.35 || p[0].Burn > 3.37 {
		t.Errorf("7 days: %+v", p)
	}
}
