package slo_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
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
	client, err := source.New(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	b := newBook()
	o := availability()
	o.Alerts = []openslo.Alert{{Long: time.Minute, Short: 15 * time.Second, Burn: 2, Channels: []string{"on-call"}}}
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
		if e.Service != "shop/web" || e.Project != "shop" || e.Subject == "" || e.Reason == "" || strings.Join(e.Channels, " ") != "on-call" {
			t.Errorf("event %+v", e)
		}
	}
}

func TestASlowLossOfTheBudgetIsATicketAndNeverBesideAPage(t *testing.T) {
	p := newPrometheus(t, nil)
	client, err := source.New(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	b, o, now := newBook(), availability(), begin
	o.Window = 30 * 24 * time.Hour
	w := &slo.Watch{
		SLOs: func(context.Context) ([]openslo.SLO, error) { return []openslo.SLO{o}, nil },
		Places: func(context.Context) ([]slo.Place, error) {
			return []slo.Place{{Service: "shop/web", Env: "prod", Cluster: "a", Project: "shop"}}, nil
		},
		Prometheus: client, Breaches: b, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}
	for _, step := range []struct {
		good  string // of 10,000; the objective is 99 %
		state string
		told  string
	}{
		{"10000", "ok", ""},
		{"9850", "ticket", "slo.breach"}, // 1.5 times as fast as allowed
		{"9850", "ticket", ""},
		{"5000", "breach", "slo.breach"},
		{"9850", "ticket", "slo.recovered"},
		{"10000", "ok", "slo.recovered"},
		{"5000", "breach", "slo.breach"}, // and no ticket for the same
		{"10000", "ok", "slo.recovered"},
	} {
		p.set(map[string]string{"good": step.good, "total": "10000"})
		before := len(b.order)
		for range 8 { // windows of days have been looked at then
			now = now.Add(15 * time.Second)
			if err := w.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if c := w.States()[0].Clusters[0]; c.State != step.state {
			t.Errorf("%s of 10000 good: %s (%s), want %s", step.good, c.State, c.Code, step.state)
		}
		if told := strings.Join(b.order[before:], " "); told != step.told {
			t.Errorf("%s of 10000 good: told %q, want %q", step.good, told, step.told)
		}
	}
	for id, e := range b.events { // its end goes where its beginning went
		if e.Channels != nil {
			t.Errorf("%s names %v", id, e.Channels)
		}
		if (e.Severity == "warning") != strings.Contains(id, "/ticket/") {
			t.Errorf("%s has severity %q", id, e.Severity)
		}
	}
	o.NoTicket, o.Window = true, 29*24*time.Hour
	p.set(map[string]string{"good": "9850", "total": "10000"})
	for range 8 {
		now = now.Add(15 * time.Second)
		if err := w.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if c := w.States()[0].Clusters[0]; c.State != "ok" {
		t.Errorf("where nobody wants a ticket: %+v", c)
	}
}

func TestWatchAsksForALongWindowOnceAndThenForItsLastMinutes(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "990", "total": "1000"})
	client, err := source.New(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	o, now := availability(), begin
	o.Good, o.Total = `sum(increase(good{cluster="{{.Cluster}}"}[{{.Window}}]))`, `sum(increase(total{cluster="{{.Cluster}}"}[{{.Window}}]))`
	place := slo.Place{Service: "shop/web", Env: "prod", Cluster: "a", Project: "shop"}
	w := &slo.Watch{
		SLOs:       func(context.Context) ([]openslo.SLO, error) { return []openslo.SLO{o}, nil },
		Places:     func(context.Context) ([]slo.Place, error) { return []slo.Place{place}, nil },
		Prometheus: client, Breaches: newBook(), Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}
	for round := range 3 {
		p.asked = nil
		if err := w.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		// A piece counts 1 of each, the last minutes 990 of 1,000.
		c := w.States()[0].Clusters[0]
		if c.State != "ok" || c.Measured == nil || *c.Measured < 0.98 || *c.Measured >= 1 {
			t.Errorf("round %d: %+v", round, c)
		}
		for _, expr := range p.asked {
			if strings.Contains(expr, "[3600s]") || strings.Contains(expr, "[21600s]") {
				t.Errorf("round %d asks for a whole window: %s", round, expr)
			}
		}
		if !strings.Contains(strings.Join(p.asked, " "), "[300s]") || !strings.Contains(strings.Join(p.asked, " "), "[1800s]") {
			t.Errorf("round %d: short windows are asked for as they are, not by %v", round, p.asked)
		}
		now = now.Add(15 * time.Second)
	}
}

func TestALongWindowIsReadOnlyWhileItsShortOneBurns(t *testing.T) {
	p := newPrometheus(t, nil)
	client, err := source.New(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	o, b, now := availability(), newBook(), begin
	o.Good, o.Total = `0 + sum(increase(good{cluster="{{.Cluster}}"}[{{.Window}}]))`, `0 + sum(increase(total{cluster="{{.Cluster}}"}[{{.Window}}]))` // no pieces of these
	w := &slo.Watch{
		SLOs: func(context.Context) ([]openslo.SLO, error) { return []openslo.SLO{o}, nil },
		Places: func(context.Context) ([]slo.Place, error) {
			return []slo.Place{{Service: "shop/web", Env: "prod", Cluster: "a", Project: "shop"}}, nil
		},
		Prometheus: client, Breaches: b, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}
	for _, c := range []struct {
		name    string
		badIn   []string // windows
		want    []string // of the long ones are read
		breach  bool
		because string
	}{
		{"all is well", nil, []string{"[3600s]"}, false, "the first says how the SLO is doing"},
		{"half an hour burns", []string{"[1800s]"}, []string{"[3600s]", "[21600s]"}, false, "six hours do not"},
		{"and six hours do", []string{"[1800s]", "[21600s]"}, []string{"[3600s]", "[21600s]"}, true, ""},
		{"only six hours do any more", []string{"[21600s]"}, []string{"[3600s]", "[21600s]"}, false, "an open breach is looked at whole"},
		{"all is well again", nil, []string{"[3600s]"}, false, ""},
	} {
		answers := map[string]string{"total": "100000"}
		for _, window := range []string{"[300s]", "[1800s]", "[3600s]", "[7200s]", "[21600s]", "[86400s]", "[259200s]"} {
			answers["good{cluster=\"a\"}"+window] = map[bool]string{true: "80000", false: "100000"}[slices.Contains(c.badIn, window)]
		}
		p.set(answers)
		p.asked, now = nil, now.Add(15*time.Second)
		if err := w.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
		var read []string
		for _, window := range []string{"[3600s]", "[21600s]"} {
			if strings.Contains(strings.Join(p.asked, " "), "good{cluster=\"a\"}"+window) {
				read = append(read, window)
			}
		}
		if !slices.Equal(read, c.want) || (len(b.open) > 0) != c.breach {
			t.Errorf("%s: read %v, want %v; breaches %+v", c.name, read, c.want, b.open)
		}
	}
}

func TestWhatCouldNotBeAskedIsToldAsSuch(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "1000", "total": "1000"})
	for name, c := range map[string]struct {
		address string
		answers map[string]string
		state   string
		code    slo.Code
	}{
		"kept":       {p.URL, map[string]string{"good": "1000", "total": "1000"}, slo.StateOK, slo.CodeKept},
		"no numbers": {p.URL, map[string]string{}, slo.StateNoData, slo.CodeNoData},
		"NaN":        {p.URL, map[string]string{"good": "NaN", "total": "1000"}, slo.StateNoData, slo.CodeNaN},
		"away":       {"http://127.0.0.1:1", nil, slo.StateUnasked, slo.CodeUnasked},
	} {
		client, err := source.New(c.address)
		if err != nil {
			t.Fatal(err)
		}
		p.set(c.answers)
		w := &slo.Watch{
			SLOs: func(context.Context) ([]openslo.SLO, error) { return []openslo.SLO{availability()}, nil },
			Places: func(context.Context) ([]slo.Place, error) {
				return []slo.Place{{Service: "shop/web", Env: "prod", Cluster: "a"}}, nil
			},
			Prometheus: client, Breaches: newBook(), Now: func() time.Time { return begin }, Log: slog.New(slog.DiscardHandler),
		}
		err = w.Round(t.Context())
		if got := w.States()[0].Clusters[0]; got.State != c.state || got.Code != c.code || (got.Problem == "") != (err == nil) {
			t.Errorf("%s: %s, %s, %q, %v", name, got.State, got.Code, got.Problem, err)
		}
	}
}
