package slo_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/slo/openslo"
	"github.com/seatrial/seatrial/slo/source"
)

// watched is a watch of one SLO whose windows are counted from pieces.
type watched struct {
	*slo.Watch
	t   *testing.T
	p   *prometheus
	o   *openslo.SLO
	now *time.Time
}

func watchingPieces(t *testing.T, p *prometheus, b slo.Breaches, memory string, at time.Time) watched {
	t.Helper()
	client, err := source.New(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	o, now := availability(), at
	o.Window = 30 * 24 * time.Hour
	o.Good, o.Total = `sum(increase(good{cluster="{{.Cluster}}"}[{{.Window}}]))`, `sum(increase(total{cluster="{{.Cluster}}"}[{{.Window}}]))`
	return watched{&slo.Watch{
		SLOs: func(context.Context) ([]openslo.SLO, error) { return []openslo.SLO{o}, nil },
		Places: func(context.Context) ([]slo.Place, error) {
			return []slo.Place{{Service: "shop/web", Env: "prod", Cluster: "a", Project: "shop"}}, nil
		},
		Prometheus: client, Breaches: b, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Memory: memory,
	}, t, p, &o, &now}
}

// round is one round, and what it asked: the instants, and how much of ranges.
func (w watched) round() (asked string, read time.Duration) {
	w.t.Helper()
	w.p.mu.Lock()
	w.p.asked, w.p.read = nil, 0
	w.p.mu.Unlock()
	*w.now = w.now.Add(15 * time.Second)
	if err := w.Round(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return strings.Join(w.p.asked, " "), w.p.read
}

func TestALongWindowIsReadOnlyWhenItsShortOneBurns(t *testing.T) {
	p := newPrometheus(t, map[string]string{"good": "1000", "total": "1000"})
	w := watchingPieces(t, p, newBook(), "", begin)
	for i := range 3 {
		asked, read := w.round()
		if !strings.Contains(asked, "[1800s]") {
			t.Errorf("round %d decides no page of six hours: %s", i, asked)
		}
		if most := []time.Duration{2 * time.Hour, 0, 0}[i]; read > most { // good and total, an hour each
			t.Errorf("round %d reads %s of pieces", i, read)
		}
	}
	for range 8 {
		w.round()
	}
	if asked, read := w.round(); strings.Contains(asked, "[1800s]") || read > 2*5*time.Minute {
		t.Errorf("what is remembered is cheaper: asked %s and %s of pieces", asked, read)
	}
}

func TestAFastLossIsToldInTheFirstRoundAndASlowerOneInTheSecond(t *testing.T) {
	for _, c := range []struct {
		name string
		good string // of 1,000 in the last minutes; in each piece of five minutes one event is good
		want []string
	}{
		{"thirty times as fast as allowed", "700", []string{"breach", "breach"}},
		{"ten times", "900", []string{"ok", "breach"}},
		{"kept", "1000", []string{"ok", "ok"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPrometheus(t, map[string]string{"good": c.good, "total": "1000"})
			w := watchingPieces(t, p, newBook(), "", begin)
			for i, want := range c.want {
				if _, _ = w.round(); w.States()[0].Clusters[0].State != want {
					t.Errorf("round %d: %+v, want %s", i, w.States()[0].Clusters[0], want)
				}
			}
		})
	}
}

func TestARestartGoesOnWithWhatWasCounted(t *testing.T) {
	counted := func(t *testing.T, p *prometheus, file string) watched {
		w := watchingPieces(t, p, newBook(), file, begin)
		for range 30 { // seven minutes
			w.round()
		}
		return w
	}
	healthy := map[string]string{"good": "1000", "total": "1000"}
	const anew = 110 * time.Minute // of good and of total, without the last minutes
	for _, c := range []struct {
		name string
		away time.Duration
		with func(*watched, string)
		want time.Duration // read of pieces, at most; all of them if the hour is counted anew
	}{
		{"after a minute", time.Minute, func(*watched, string) {}, 4 * 5 * time.Minute},
		{"after half an hour", 30 * time.Minute, func(*watched, string) {}, 2 * 45 * time.Minute},
		{"after two hours it is too old", 2 * time.Hour, func(*watched, string) {}, anew},
		{"another query", time.Minute, func(w *watched, _ string) {
			w.o.Good, w.o.Total = `sum(increase(good{cluster="{{.Cluster}}",code="2"}[{{.Window}}]))`, `sum(increase(total{cluster="{{.Cluster}}",code!=""}[{{.Window}}]))`
		}, anew},
		{"another Prometheus", time.Minute, func(w *watched, _ string) {
			w.p = newPrometheus(w.t, healthy)
			client, err := source.New(w.p.URL)
			if err != nil {
				w.t.Fatal(err)
			}
			w.Prometheus = client
		}, anew},
		{"a file that is none", time.Minute, func(w *watched, file string) {
			if err := os.WriteFile(file, []byte("oops"), 0o600); err != nil {
				w.t.Fatal(err)
			}
		}, anew},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, file := newPrometheus(t, healthy), filepath.Join(t.TempDir(), "slo-pieces")
			before := counted(t, p, file)
			w := watchingPieces(t, p, newBook(), file, before.now.Add(c.away))
			c.with(&w, file)
			if asked, read := w.round(); read > c.want || c.want == anew && read != anew {
				t.Errorf("it reads %s of pieces, want %s: %s", read, c.want, asked)
			}
			if s := w.States()[0].Clusters[0]; s.State != slo.StateOK || s.Measured == nil {
				t.Errorf("%+v", s)
			}
		})
	}
}

// noted is a book that fails: nothing is to be told.
type noted struct{ t *testing.T }

func (noted) Load(context.Context) ([]slo.Breach, error) { return nil, nil }
func (n noted) Change(_ context.Context, b slo.Breach, _ release.Event) error {
	return fmt.Errorf("told of %+v", b)
}

// TestReadingLessDecidesTheSame: a pair calls when both windows burn, so either that does not
// is enough to say no.
func TestReadingLessDecidesTheSame(t *testing.T) {
	window := regexp.MustCompile(`\[(\d+)s\]`)
	for _, c := range []struct{ short, long string }{{"0.5", "1"}, {"1", "0.5"}} {
		p := newPrometheus(t, nil)
		p.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			expr, good := r.FormValue("query"), "1"
			if length := window.FindStringSubmatch(expr)[1]; strings.Contains(expr, "good") {
				good = map[bool]string{true: c.short, false: c.long}[length == "300" && r.FormValue("start") == "" || length == "1800"]
			}
			if r.FormValue("start") != "" {
				var from, to float64
				_, _ = fmt.Sscan(r.FormValue("start")+" "+r.FormValue("end"), &from, &to)
				var values []string
				for at := from; at <= to; at += 300 {
					values = append(values, fmt.Sprintf(`[%f,"%s000"]`, at, good))
				}
				fmt.Fprint(w, data("matrix", `[{"metric":{},"values":[`+strings.Join(values, ",")+`]}]`))
				return
			}
			fmt.Fprint(w, data("vector", fmt.Sprintf(`[{"metric":{},"value":[%s,"%s000"]}]`, r.FormValue("time"), good)))
		})
		w := watchingPieces(t, p, noted{t}, "", begin)
		for range 20 {
			w.round()
		}
	}
}

func data(kind, result string) string {
	return fmt.Sprintf(`{"status":"success","data":{"resultType":%q,"result":%s}}`, kind, result)
}
