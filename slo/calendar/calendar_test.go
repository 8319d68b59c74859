package calendar_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seatrial/seatrial/slo/calendar"
)

func window(t *testing.T, start, zone, length string) calendar.Window {
	t.Helper()
	at, err := calendar.Parse(start, zone)
	if err != nil {
		t.Fatal(err)
	}
	l, err := calendar.ParseLength(length)
	if err != nil {
		t.Fatal(err)
	}
	return calendar.Window{Start: at, Length: l}
}

func TestPeriods(t *testing.T) {
	for name, c := range map[string]struct{ start, zone, length, at, begin, end string }{
		"a month":                               {"2026-01-01 00:00:00", "UTC", "1M", "2026-02-14T12:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		"its first moment":                      {"2026-01-01 00:00:00", "UTC", "1M", "2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		"from the 31st, in a February":          {"2026-01-31 00:00:00", "UTC", "1M", "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z"},
		"from the 31st, in a leap year":         {"2026-01-31 00:00:00", "UTC", "1M", "2028-03-01T00:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"},
		"a year from the 29th of February":      {"2024-02-29 06:00:00", "UTC", "1Y", "2026-01-01T00:00:00Z", "2025-02-28T06:00:00Z", "2026-02-28T06:00:00Z"},
		"a quarter":                             {"2026-01-01 00:00:00", "UTC", "1Q", "2026-11-27T00:00:00Z", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		"two months":                            {"2026-01-01 00:00:00", "UTC", "2M", "2026-04-30T23:59:59Z", "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z"},
		"before the start":                      {"2026-01-31 00:00:00", "UTC", "1M", "2025-12-31T00:00:00Z", "2025-12-31T00:00:00Z", "2026-01-31T00:00:00Z"},
		"a month of another zone":               {"2026-01-01 00:00:00", "Asia/Shanghai", "1M", "2026-01-31T17:00:00Z", "2026-01-31T16:00:00Z", "2026-02-28T16:00:00Z"},
		"a day of 23 hours":                     {"2026-01-01 00:00:00", "Europe/Berlin", "1d", "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		"a day of 25 hours":                     {"2026-01-01 00:00:00", "Europe/Berlin", "1d", "2026-10-25T10:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		"a day that begins in the missing hour": {"2026-01-01 02:30:00", "Europe/Berlin", "1d", "2026-03-29T12:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"},
		"a month across the change":             {"2026-01-01 00:00:00", "America/New_York", "1M", "2026-03-20T00:00:00Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"},
		"a week":                                {"2026-01-05 00:00:00", "Europe/Berlin", "1w", "2026-11-27T00:00:00Z", "2026-11-22T23:00:00Z", "2026-11-29T23:00:00Z"},
		"hours are hours":                       {"2026-03-28 00:00:00", "Europe/Berlin", "24h", "2026-03-29T22:30:00Z", "2026-03-28T23:00:00Z", "2026-03-29T23:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		w := window(t, c.start, c.zone, c.length)
		begin, end := w.Begin(at).UTC().Format(time.RFC3339), w.End(at).UTC().Format(time.RFC3339)
		if begin != c.begin || end != c.end {
			t.Errorf("%s: from %s to %s, want from %s to %s", name, begin, end, c.begin, c.end)
		}
	}
}

// TestEveryMomentIsInOnePeriod: periods follow each other without a gap and without overlap.
func TestEveryMomentIsInOnePeriod(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"}
	lengths := []string{"1d", "7d", "1w", "1M", "2M", "1Q", "1Y", "36h", "90m"}
	for range 3000 {
		start := time.Unix(random.Int64N(2e9), 0).UTC().Format(time.DateTime)
		w := window(t, start, zones[random.IntN(len(zones))], lengths[random.IntN(len(lengths))])
		at := time.Unix(random.Int64N(4e9), 0)
		begin, end := w.Begin(at), w.End(at)
		if begin.After(at) || !end.After(at) {
			t.Fatalf("%v: %v is not in %v to %v", w, at, begin, end)
		}
		if !w.Begin(end).Equal(end) || !w.End(begin.Add(-time.Second)).Equal(begin) {
			t.Fatalf("%v: the periods beside %v to %v do not touch it", w, begin, end)
		}
		if l, n := end.Sub(begin), w.Length.Nominal(); l < n*9/10-time.Hour || l > n*11/10+25*time.Hour {
			t.Fatalf("%v: %v long", w, l)
		}
	}
}

func TestWhatIsNoCalendar(t *testing.T) {
	for _, s := range []string{"", "d", "0d", "-1d", "+1d", "1", "1s", "1.5d", "11Y", "99999999999d"} {
		if l, err := calendar.ParseLength(s); err == nil {
			t.Errorf("%q is %v", s, l)
		}
	}
	for _, c := range [][2]string{{"2026-01-01 00:00:00", "Mars/Olympus"}, {"2026-01-01 00:00:00", ""}, {"2026-01-01 00:00:00", "Local"}, {"2026-02-30 00:00:00", "UTC"}, {"2026-01-01T00:00:00Z", "UTC"}, {"0001-01-01 00:00:00", "UTC"}} {
		if at, err := calendar.Parse(c[0], c[1]); err == nil {
			t.Errorf("%v is %v", c, at)
		}
	}
}
