package tally_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/seatrial/seatrial/slo/tally"
)

func TestOnlyTheSumOfOneIncreaseIsAdditive(t *testing.T) {
	for query, want := range map[string]bool{
		`sum(increase(requests_total{cluster="{{.Cluster}}",code=~"5.."}[{{.Window}}]))`: true,
		`sum(increase(requests_total[{{ .Window }}]))`:                                   true,
		" sum ( increase ( a:b{path=\"/{id}\\\"\"} [{{.Window}}] ) ) ":                   true,
		`sum(rate(requests_total[{{.Window}}]))`:                                         false,
		`sum by (code) (increase(requests_total[{{.Window}}]))`:                          false,
		`sum(increase(a[{{.Window}}])) / sum(increase(b[{{.Window}}]))`:                  false,
		`sum(increase(a[{{.Window}}])) or vector(0)`:                                     false,
		`sum(increase(a[{{.Window}}] offset 5m))`:                                        false,
		`sum(increase(a[5m:{{.Window}}]))`:                                               false,
		`max(increase(a[{{.Window}}]))`:                                                  false,
		`sum(increase(a{b="}[{{.Window}}]))`:                                             false,
	} {
		if got := tally.Additive(query); got != want {
			t.Errorf("%s: additive %v, want %v", query, got, want)
		}
	}
}

// counter grows by one event a second, and remembers how much of it was read.
type counter struct {
	now   time.Time
	began time.Time // of its data
	read  time.Duration
	err   error
	value float64 // of every second
}

func (c *counter) ask() tally.Ask {
	return tally.Ask{
		Head: func(_ context.Context, length time.Duration) (tally.Count, error) {
			c.read += length
			return tally.Count{Events: c.value * length.Seconds(), Seen: c.value != 0}, c.err
		},
		Pieces: func(_ context.Context, first, last time.Time) (map[time.Time]float64, error) {
			found := map[time.Time]float64{}
			for at := first; !at.After(last); at = at.Add(tally.Piece) {
				c.read += tally.Piece
				if at.After(c.began) {
					found[at] = c.value * tally.Piece.Seconds()
				}
			}
			return found, c.err
		},
	}
}

func TestALongWindowIsReadOnceAndThenItsLastMinutesOnly(t *testing.T) {
	c := &counter{now: time.Date(2026, 11, 27, 2, 3, 10, 0, time.UTC), value: 1}
	var all tally.Tally
	for round := range 100 {
		c.read = 0
		for _, window := range []time.Duration{6 * time.Hour, time.Hour} {
			got, ok, err := all.Events(t.Context(), "a", window, c.now, c.ask())
			if err != nil || !ok || !got.Seen {
				t.Fatalf("round %d: %+v %v %v", round, got, ok, err)
			}
			if want := window.Seconds(); got.Events < want || got.Events >= want+tally.Piece.Seconds() {
				t.Fatalf("round %d: %v events in %s", round, got.Events, window)
			}
		}
		if round > 0 && c.read > 5*tally.Piece {
			t.Fatalf("round %d reads %s", round, c.read)
		}
		c.now = c.now.Add(15 * time.Second)
	}
}

func TestWhatCouldNotBeAskedIsAskedForAgain(t *testing.T) {
	c := &counter{now: time.Date(2026, 11, 27, 2, 0, 0, 0, time.UTC), value: 1}
	var all tally.Tally
	events := func() float64 {
		got, _, _ := all.Events(t.Context(), "a", 6*time.Hour, c.now, c.ask())
		return got.Events
	}
	whole := events()
	c.now, c.err = c.now.Add(time.Hour), errors.New("away")
	if _, _, err := all.Events(t.Context(), "a", 6*time.Hour, c.now, c.ask()); err == nil {
		t.Error("nobody was told that it is away")
	}
	c.err = nil
	if got := events(); got != whole {
		t.Errorf("%v events after it was away, want %v", got, whole)
	}
	c.now = c.now.Add(24 * time.Hour) // nobody looked for a day
	if got := events(); got != whole {
		t.Errorf("%v events after a day, want %v", got, whole)
	}
}

func TestPiecesWithoutDataAreNoEventsAndNoNumberIsTold(t *testing.T) {
	now := time.Date(2026, 11, 27, 2, 0, 0, 0, time.UTC)
	c := &counter{now: now, value: 1, began: now.Add(-time.Hour)}
	var all tally.Tally
	if got, ok, err := all.Events(t.Context(), "young", 6*time.Hour, now, c.ask()); err != nil || !ok || got.Events != 3600 {
		t.Errorf("a counter of one hour: %+v %v %v", got, ok, err)
	}
	c.value, c.began = 0, now
	if got, _, err := all.Events(t.Context(), "nothing", 6*time.Hour, now, c.ask()); err != nil || got.Seen {
		t.Errorf("no data: %+v %v", got, err)
	}
	c.value, c.began = math.NaN(), time.Time{}
	if _, ok, err := all.Events(t.Context(), "nan", 6*time.Hour, now, c.ask()); err != nil || ok {
		t.Errorf("what is no number was counted: %v %v", ok, err)
	}
}

func TestAClockThatWasAheadHidesNothing(t *testing.T) {
	truth := time.Date(2026, 11, 27, 2, 3, 10, 0, time.UTC)
	shown := truth
	ask := tally.Ask{ // one event a second until the truth, whatever is asked for
		Head: func(_ context.Context, length time.Duration) (tally.Count, error) {
			if n := length.Seconds() - max(0, shown.Sub(truth).Seconds()); n > 0 {
				return tally.Count{Events: n, Seen: true}, nil
			}
			return tally.Count{}, nil
		},
		Pieces: func(_ context.Context, first, last time.Time) (map[time.Time]float64, error) {
			found := map[time.Time]float64{}
			for at := first; !at.After(last); at = at.Add(tally.Piece) {
				if !at.After(truth) {
					found[at] = tally.Piece.Seconds()
				}
			}
			return found, nil
		},
	}
	var all tally.Tally
	for _, step := range []struct{ truth, ahead time.Duration }{{0, 0}, {15 * time.Second, 30 * time.Minute}, {10 * time.Minute, 0}, {40 * time.Minute, 0}} {
		truth = time.Date(2026, 11, 27, 2, 3, 10, 0, time.UTC).Add(step.truth)
		shown = truth.Add(step.ahead)
		got, ok, err := all.Events(t.Context(), "a", time.Hour, shown, ask)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		if step.ahead == 0 && got.Events < 3600 {
			t.Errorf("after %s there are %v events in an hour", step.truth, got.Events)
		}
	}
}

func TestAnOlderWindowIsReadInPartsAndOnlyWhatIsMissing(t *testing.T) {
	c := &counter{now: time.Date(2026, 11, 27, 2, 3, 10, 0, time.UTC), value: 1}
	var all tally.Tally
	ask := c.ask()
	if got, _, err := all.Events(t.Context(), "a", time.Hour, c.now, ask); err != nil || !got.Seen {
		t.Fatal(got, err)
	}
	ask.Most = 3 * time.Hour
	for look := 1; ; look++ {
		c.read = 0
		got, ok, err := all.Events(t.Context(), "a", 12*time.Hour, c.now, ask)
		if c.read > 3*time.Hour+2*tally.Piece {
			t.Fatalf("look %d reads %s", look, c.read)
		}
		if known := all.Knows("a", 12*time.Hour, c.now); known == errors.Is(err, tally.ErrNotYet) {
			t.Errorf("look %d: known %v, %v", look, known, err)
		}
		if errors.Is(err, tally.ErrNotYet) && look < 4 {
			continue
		}
		if err != nil || !ok || look != 4 || got.Events < (12*time.Hour).Seconds() || got.Events >= (12*time.Hour+tally.Piece).Seconds() {
			t.Fatalf("look %d: %+v %v %v", look, got, ok, err)
		}
		break
	}
	if all.Knows("b", time.Hour, c.now) || all.Knows("a", 24*time.Hour, c.now) || all.Knows("a", time.Hour, c.now.Add(-time.Minute)) || all.Knows("a", time.Hour, c.now.Add(3*time.Hour)) {
		t.Error("what was never counted is known")
	}
}

func TestWhatIsKeptOverARestart(t *testing.T) {
	begin := time.Date(2026, 11, 27, 2, 3, 10, 0, time.UTC)
	save := func(at time.Time, value float64) []byte {
		c := &counter{now: at, value: value}
		var all tally.Tally
		if _, _, err := all.Events(t.Context(), "a", 24*time.Hour, at, c.ask()); err != nil {
			t.Fatal(err)
		}
		data, err := all.Save(at)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	whole := save(begin, 1)
	for name, c := range map[string]struct {
		data []byte
		key  string
		at   time.Time
		want bool // it is known
		err  bool
	}{
		"soon after":           {whole, "a", begin.Add(time.Minute), true, false},
		"of another query":     {whole, "b", begin.Add(time.Minute), false, false},
		"too old":              {whole, "a", begin.Add(2 * time.Hour), false, false},
		"by a clock ahead":     {whole, "a", begin.Add(-time.Minute), false, false},
		"what is no number":    {save(begin, math.NaN()), "a", begin.Add(time.Minute), false, false},
		"what is no file":      {[]byte("oops"), "a", begin, false, true},
		"a file that is short": {whole[:len(whole)/2], "a", begin, false, true},
	} {
		var all tally.Tally
		if err := all.Load(c.data, c.at); (err != nil) != c.err {
			t.Errorf("%s: %v", name, err)
		}
		if got := all.Knows(c.key, 6*time.Hour, c.at); got != c.want {
			t.Errorf("%s: known %v", name, got)
		}
		count := &counter{now: c.at, value: 1}
		got, ok, err := all.Events(t.Context(), c.key, 6*time.Hour, c.at, count.ask())
		if err != nil || !ok || got.Events < (6*time.Hour).Seconds() || got.Events >= (6*time.Hour+tally.Piece).Seconds() {
			t.Errorf("%s: %+v %v %v", name, got, ok, err)
		}
		if c.want && count.read > 4*tally.Piece {
			t.Errorf("%s: it reads %s", name, count.read)
		}
	}
	if n := len(whole); n > 2048 {
		t.Errorf("one query takes %d bytes", n)
	}
}
