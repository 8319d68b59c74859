package silence_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/notify/silence"
	"github.com/seatrial/seatrial/release"
)

var now = time.Unix(1_000_000, 0)

func TestWhatASilenceHasToSay(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		conditions   []string
		length       time.Duration
		want         string
	}{
		{"nothing to match", "r", nil, time.Hour, "want 1 to 20 matchers"},
		{"everything", "r", []string{"service=~.*"}, time.Hour, "no labels at all"},
		{"a label nobody has", "r", []string{"servce=a"}, time.Hour, `did you mean "service"`},
		{"no time", "r", []string{"service=shop/web"}, 0, "want at most"},
		{"for ever", "r", []string{"service=shop/web"}, 31 * 24 * time.Hour, "want at most"},
		{"no reason", "", []string{"service=shop/web"}, time.Hour, "want a reason"},
		{"a long reason", strings.Repeat("升", 401), []string{"service=shop/web"}, time.Hour, "at most 400 characters"},
		{"as long as it may be", strings.Repeat("升", 400), []string{"service=shop/web"}, time.Hour, ""},
		{"all that it needs", "r", []string{"service=shop/web", "severity!=critical"}, time.Hour, ""},
	} {
		s, err := silence.New("s", c.conditions, c.length, "ann", c.reason, now)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if err == nil && (!s.Active(now) || s.Active(now.Add(c.length)) || s.Active(now.Add(-1))) {
			t.Errorf("%s: %+v is active at the wrong times", c.name, s)
		}
	}
}

func TestTheLastToEndCountsAndOneEndsOnce(t *testing.T) {
	short := release.Silence{ID: "short", Matchers: []string{"service=shop/web"}, From: now, Until: now.Add(time.Hour)}
	long := short
	long.ID, long.Until = "long", now.Add(2*time.Hour)
	web := map[string]string{"service": "shop/web"}
	all := []release.Silence{short, long}
	if s, ok := silence.Read(all, now).Of(web); !ok || s.ID != "long" {
		t.Errorf("silenced by %+v", s)
	}
	if _, ok := silence.Read(all, now).Of(map[string]string{"service": "shop/api"}); ok {
		t.Error("another service is silenced")
	}
	ended, ok := silence.End(long, "bob", "done", now.Add(time.Minute))
	if !ok || ended.Active(now.Add(time.Minute)) || ended.EndedBy != "bob" {
		t.Errorf("ended %+v, %v", ended, ok)
	}
	if _, ok := silence.End(ended, "bob", "done", now.Add(2*time.Minute)); ok {
		t.Error("ended twice")
	}
}

// It is asked for every waiting message at every look: it must not read the matchers again.
func TestAskingReadsNothing(t *testing.T) {
	s := release.Silence{ID: "s", Matchers: []string{`service=~"shop/.*"`, "severity=~critical|error"}, From: now, Until: now.Add(time.Hour)}
	read, labels := silence.Read([]release.Silence{s, s, s}, now), map[string]string{"service": "shop/web", "severity": "error"}
	if n := testing.AllocsPerRun(100, func() { read.Of(labels) }); n > 1 {
		t.Errorf("%v allocations a message", n)
	}
}
