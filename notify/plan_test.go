package notify_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

func TestTheEndGoesWhereTheTroubleWent(t *testing.T) {
	critical := release.Route{Matchers: []string{"severity=critical"}, Channels: []string{"pager", "chat"}}
	errors := release.Route{Matchers: []string{"severity=error"}, Channels: []string{"pager", "chat"}}
	info := release.Route{Matchers: []string{"severity=info"}, Channels: []string{"news"}}
	breach := release.Route{Matchers: []string{"kind=slo.breach"}, Channels: []string{"chat"}}
	for name, c := range map[string]struct {
		kind     release.EventKind
		severity string
		routes   []release.Route
		want     string
	}{
		"a breach":                             {release.EventBreach, "", []release.Route{critical}, "pager chat"},
		"its end":                              {release.EventRecovered, "", []release.Route{critical}, "pager chat"},
		"the end of one that nobody was woken": {release.EventRecovered, "warning", []release.Route{critical}, "ops"},
		"by kind":                              {release.EventRecovered, "", []release.Route{breach}, "chat"},
		"and its own way":                      {release.EventRecovered, "", []release.Route{critical, info}, "pager chat news"},
		"the trouble went to the project":      {release.EventRecovered, "", []release.Route{info}, "news ops"},
		"CPU that was bad":                     {release.EventCalm, "", []release.Route{errors}, "pager chat ops"},
		"a release closes what may be open":    {release.EventVerified, "", []release.Route{critical}, "pager ops"},
		"or was open in the project's":         {release.EventVerified, "", []release.Route{info}, "news"},
		"an alert":                             {release.EventAlertEnded, "critical", []release.Route{critical}, "pager chat"},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := []release.EventKind{release.EventBreach, release.EventRecovered, release.EventCalm, release.EventVerified, release.EventAlertEnded}
			d := newTown(channel("wecom", "ops", "en", kinds...))
			for n, kind := range map[string]string{"pager": "pagerduty", "chat": "slack", "news": "slack"} {
				d.channels[n] = channel(kind, n, "en", kinds...)
			}
			var got []string
			for _, m := range notify.Plan(release.Event{ID: "slo/web/a/1/x", Kind: c.kind, Severity: c.severity}, d.project, d.channels, c.routes...) {
				got = append(got, m.Channel)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("told %v, want %s", got, c.want)
			}
		})
	}
}

// Each kind is a group, and the one of the trouble was told just now: it waits.
func TestAGroupNeverTellsTheEndBeforeTheTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox()
		d := newTown(channel("wecom", "ops", "en", release.EventBreach, release.EventRecovered))
		d.routes = []release.Route{{Channels: []string{"ops"}, GroupBy: []string{"kind"}, GroupWait: release.Duration(30 * time.Second), GroupInterval: release.Duration(5 * time.Minute)}}
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: d, Client: &http.Client{Transport: direct{"chat.example": robot}}})
		other := availability(release.EventBreach, "began")
		other.ID, other.Subject = "breach/shop-other/prod/1/began", "another one"
		b.tell(other)
		pass(time.Minute)
		b.tell(availability(release.EventBreach, "began"))
		pass(time.Minute)
		b.tell(availability(release.EventRecovered, "ended"))
		pass(20 * time.Minute)
		all := strings.Join(robot.texts(), "\n")
		began, ended := strings.Index(all, "availability began"), strings.Index(all, "availability ended")
		if began < 0 || ended < 0 || len(robot.texts()) > 2 || ended < began && !strings.Contains(all, "## 2 events") {
			t.Errorf("told %q", robot.texts())
		}
	})
}

func TestASilenceOfTroubleHoldsItsEndAsWell(t *testing.T) {
	for _, matcher := range []string{"severity=critical", "kind=slo.breach"} {
		t.Run(matcher, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				robot := &weComRobot{t: t}
				h := &hushed{box: newBox(), silences: []release.Silence{{ID: "s", Matchers: []string{matcher}, From: time.Now(), Until: time.Now().Add(time.Hour)}}}
				run(t, notify.Config{Inbox: h, Outbox: h, Silences: h, Client: &http.Client{Transport: direct{"chat.example": robot}},
					Directory: newTown(channel("wecom", "ops", "en", release.EventBreach, release.EventRecovered))})
				h.tell(availability(release.EventBreach, "began"))
				pass(time.Minute)
				h.tell(availability(release.EventRecovered, "ended"))
				pass(3 * time.Hour)
				if got := robot.texts(); len(got) != 0 || h.count(notify.Silenced) != 2 {
					t.Errorf("told %q of trouble that began and ended in its silence", got)
				}
			})
		})
	}
}
