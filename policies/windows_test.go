package policies_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/policies"
	"github.com/seatrial/seatrial/release"
)

func TestOpen(t *testing.T) {
	const (
		office   = "Mon-Fri 09:00-18:00"
		shanghai = "Asia/Shanghai"
		berlin   = "Europe/Berlin" // summer time 2026: 29 March 02:00 to 03:00, 25 October 03:00 to 02:00
	)
	for _, c := range []struct {
		name    string
		windows []release.Window
		now     string // RFC 3339
		open    bool
		next    string // RFC 3339; empty: none
	}{
		{name: "without windows it is always open", now: "2026-10-05T03:00:00Z", open: true},
		{name: "inside the window it is open until it closes", windows: one(office, shanghai), now: "2026-10-06T09:00:00+08:00", open: true, next: "2026-10-06T18:00:00+08:00"},
		{name: "the last second is inside, the end is not", windows: one(office, shanghai), now: "2026-10-06T17:59:59+08:00", open: true, next: "2026-10-06T18:00:00+08:00"},
		{name: "at the end it is shut until the next day", windows: one(office, shanghai), now: "2026-10-06T18:00:00+08:00", next: "2026-10-07T09:00:00+08:00"},
		{name: "on Friday evening it is shut until Monday", windows: one(office, shanghai), now: "2026-10-09T20:00:00+08:00", next: "2026-10-12T09:00:00+08:00"},
		{name: "the day is the zone's, not the server's", windows: one(office, shanghai), now: "2026-10-11T23:30:00Z", next: "2026-10-12T09:00:00+08:00"},
		{name: "without a zone it is UTC", windows: one(office, ""), now: "2026-10-06T08:00:00Z", next: "2026-10-06T09:00:00Z"},
		{name: "a night belongs to the day it begins on", windows: one("Fri 22:00-06:00", ""), now: "2026-10-10T05:00:00Z", open: true, next: "2026-10-10T06:00:00Z"},
		{name: "and to no other day", windows: one("Fri 22:00-06:00", ""), now: "2026-10-09T05:00:00Z", next: "2026-10-09T22:00:00Z"},
		{name: "a weekly window that just closed opens in a week", windows: one("Tue 09:00-10:00", ""), now: "2026-10-06T10:00:00Z", next: "2026-10-13T09:00:00Z"},
		{name: "days may be listed and may run over the week's end", windows: one("Sat-Mon,Wed 10:00-12:00", ""), now: "2026-10-06T00:00:00Z", next: "2026-10-07T10:00:00Z"},
		{name: "without days it is every day", windows: one("22:00-24:00", ""), now: "2026-10-10T23:00:00Z", open: true, next: "2026-10-11T00:00:00Z"},
		{name: "the whole day, every day, never closes", windows: one("00:00-24:00", ""), now: "2026-10-10T23:00:00Z", open: true},
		{name: "of several windows the first to open counts", windows: append(one("Mon 09:00-10:00", ""), one("Thu 09:00-10:00", "")...), now: "2026-10-06T12:00:00Z", next: "2026-10-08T09:00:00Z"},
		{name: "windows that touch are one", windows: append(one("Mon 22:00-24:00", ""), one("Tue 00:00-06:00", "")...), now: "2026-10-05T23:00:00Z", open: true, next: "2026-10-06T06:00:00Z"},
		{name: "windows of several zones add up", windows: append(one("Mon 09:00-18:00", shanghai), one("Mon 09:00-18:00", berlin)...), now: "2026-10-05T09:30:00Z", open: true, next: "2026-10-05T16:00:00Z"},

		{name: "after the change to summer time it opens at the same clock time", windows: one(office, berlin), now: "2026-03-30T06:59:59Z", next: "2026-03-30T07:00:00Z"},
		{name: "before it, an hour later by UTC", windows: one(office, berlin), now: "2026-03-27T07:30:00Z", next: "2026-03-27T08:00:00Z"},
		{name: "a begin that is left out is the moment of the change", windows: one("02:30-05:00", berlin), now: "2026-03-29T00:30:00Z", next: "2026-03-29T01:00:00Z"},
		{name: "an end that is left out is the moment of the change", windows: one("01:00-02:30", berlin), now: "2026-03-29T00:30:00Z", open: true, next: "2026-03-29T01:00:00Z"},
		{name: "a begin that comes twice is the first", windows: one("02:30-05:00", berlin), now: "2026-10-25T00:00:00Z", next: "2026-10-25T00:30:00Z"},
		{name: "an end that comes twice is the first", windows: one("01:00-02:30", berlin), now: "2026-10-25T00:15:00Z", open: true, next: "2026-10-25T00:30:00Z"},
		{name: "a window around the change is an hour longer", windows: one("01:00-04:00", berlin), now: "2026-10-25T02:30:00Z", open: true, next: "2026-10-25T03:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now, err := time.Parse(time.RFC3339, c.now)
			if err != nil {
				t.Fatal(err)
			}
			open, next, err := policies.Open(c.windows, now)
			if err != nil || open != c.open {
				t.Fatalf("open = %v, err = %v", open, err)
			}
			got := ""
			if !next.IsZero() {
				got = next.UTC().Format(time.RFC3339)
			}
			want := ""
			if c.next != "" {
				w, err := time.Parse(time.RFC3339, c.next)
				if err != nil {
					t.Fatal(err)
				}
				want = w.UTC().Format(time.RFC3339)
			}
			if got != want {
				t.Errorf("next = %s, want %s", got, want)
			}
		})
	}
}

func one(allow, zone string) []release.Window {
	return []release.Window{{Allow: allow, TimeZone: zone}}
}

func TestWindowsThatCannotBeRead(t *testing.T) {
	for name, w := range map[string]release.Window{
		"an empty window":           {},
		"a day that is none":        {Allow: "Mon-Fry 09:00-18:00"},
		"an open range of days":     {Allow: "Mon- 09:00-18:00"},
		"an hour that is none":      {Allow: "Mon 09:00-25:00"},
		"a minute that is none":     {Allow: "Mon 09:60-18:00"},
		"a signed hour":             {Allow: "Mon +9:00-18:00"},
		"a begin at 24:00":          {Allow: "Mon 24:00-18:00"},
		"no end":                    {Allow: "Mon 09:00"},
		"no time at all":            {Allow: "09:00-09:00"},
		"too many words":            {Allow: "Mon Tue 09:00-18:00"},
		"a zone that nobody has":    {Allow: "09:00-18:00", TimeZone: "Mars/Olympus"},
		"the server's own zone":     {Allow: "09:00-18:00", TimeZone: "Local"},
		"a zone outside the tables": {Allow: "09:00-18:00", TimeZone: "../etc/passwd"},
	} {
		t.Run(name+" is an error with a hint", func(t *testing.T) {
			open, _, err := policies.Open([]release.Window{w}, time.Date(2026, 10, 6, 12, 0, 0, 0, time.UTC))
			if err == nil || open || hint.Of(err) == "" {
				t.Errorf("open = %v, err = %v, hint = %q", open, err, hint.Of(err))
			}
		})
	}
}

// Whatever the window, its answer about next is true: just before it nothing has
// changed, and then it has.
func FuzzOpen(f *testing.F) {
	f.Add("Mon-Fri 09:00-18:00", "Asia/Shanghai", int64(1791000000))
	f.Add("Sat 02:30-02:45", "Europe/Berlin", int64(1774746000))
	f.Add("22:00-06:00", "America/St_Johns", int64(1793500000))
	f.Fuzz(func(t *testing.T, allow, zone string, unix int64) {
		if unix < 0 || unix > 4e9 {
			return
		}
		w, now := one(allow, zone), time.Unix(unix, 0)
		open, next, err := policies.Open(w, now)
		if err != nil || next.IsZero() {
			return
		}
		if !next.After(now) {
			t.Fatalf("%q %s: next %s is not after %s", allow, zone, next, now)
		}
		if before, _, err := policies.Open(w, next.Add(-time.Second)); err == nil && next.Add(-time.Second).After(now) && before != open {
			t.Errorf("%q %s at %s: changed before %s", allow, zone, now, next)
		}
		if after, _, err := policies.Open(w, next); err == nil && after == open {
			t.Errorf("%q %s at %s: open = %v, and still so at %s", allow, zone, now, open, next)
		}
		if strings.TrimSpace(allow) == "" {
			t.Error("an empty window was read")
		}
	})
}
