package notify_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

func TestRoutesDecideAndWhatNoneMatchesGoesToTheProject(t *testing.T) {
	every := []release.EventKind{release.EventVerified, release.EventHeld, release.EventPhase}
	d := newTown(channel("wecom", "ops", "en", every...), channel("status", "forge", "en", release.EventPhase, release.EventHeld))
	for _, name := range []string{"pager", "chat"} {
		d.channels[name] = channel("slack", name, "en", release.EventHeld)
	}
	d.project.Spec.Team = "shop"
	d.routes = []release.Route{{Matchers: []string{"severity=critical", "team=shop"}, Channels: []string{"pager", "chat", "gone"}}}
	for kind, want := range map[release.EventKind]string{release.EventHeld: "pager chat forge", release.EventVerified: "ops", release.EventPhase: "ops forge"} {
		e := verified(1)
		e.Kind = kind
		var got []string
		for _, m := range notify.Plan(e, d.project, d.channels, d.routes...) {
			got = append(got, m.Channel)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s goes to %v, want %s", kind, got, want)
		}
	}
}

func TestAnEventThatNamesItsChannelsGoesThere(t *testing.T) {
	breach := []release.EventKind{release.EventBreach, release.EventRecovered}
	for name, c := range map[string]struct {
		named  []string
		routes []release.Route
		want   string
	}{
		"nobody is named":                      {nil, nil, "ops"},
		"instead of the project's":             {[]string{"pager", "chat"}, nil, "pager chat"},
		"instead of the routes'":               {[]string{"pager"}, []release.Route{{Channels: []string{"chat"}}}, "pager"},
		"some of them are gone":                {[]string{"gone", "pager"}, nil, "pager"},
		"all of them are gone":                 {[]string{"gone"}, nil, "ops"},
		"it does not tell of this any more":    {[]string{"mail"}, nil, "ops"},
		"gone, and there are routes":           {[]string{"gone"}, []release.Route{{Channels: []string{"chat"}}}, "chat"},
		"how often is still said by the route": {[]string{"pager"}, []release.Route{{Channels: []string{"chat"}, GroupBy: []string{"service"}}}, "pager together"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newTown(channel("wecom", "ops", "en", breach...))
			for _, n := range []string{"pager", "chat"} {
				d.channels[n] = channel("slack", n, "en", breach...)
			}
			d.channels["mail"] = channel("slack", "mail", "en", release.EventHeld)
			e := verified(1)
			e.Kind, e.ID, e.Channels = release.EventBreach, "slo/web/a/1/breach", c.named
			var got []string
			for _, m := range notify.Plan(e, d.project, d.channels, c.routes...) {
				got = append(got, m.Channel)
				if m.Group != "" {
					got = append(got, "together")
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("told %v, want %s", got, c.want)
			}
		})
	}
}

func grouped() town {
	d := newTown(channel("wecom", "ops", "en", release.EventVerified))
	d.routes = []release.Route{{Channels: []string{"ops"}, GroupBy: []string{"service"},
		GroupWait: release.Duration(30 * time.Second), GroupInterval: release.Duration(5 * time.Minute)}}
	return d
}

func TestAGroupIsOneMessageAfterItsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox(verified(1), verified(2))
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: grouped(), Client: &http.Client{Transport: direct{"chat.example": robot}}})
		pass(20 * time.Second)
		b.tell(verified(3))
		if n := len(robot.texts()); n != 0 {
			t.Fatalf("%d messages before the wait is over", n)
		}
		pass(15 * time.Second)
		if got := robot.texts(); len(got) != 1 || !strings.HasPrefix(got[0], "## 3 events") {
			t.Fatalf("told %q, want one message of three", got)
		}
		b.tell(verified(4))
		pass(4 * time.Minute)
		if n := len(robot.texts()); n != 1 {
			t.Fatalf("%d messages within the interval", n)
		}
		pass(2 * time.Minute)
		if got := robot.texts(); len(got) != 2 || !strings.Contains(got[1], "number 4") {
			t.Errorf("told %q", got)
		}
	})
}

// A server that is killed again and again loses nothing and tells nothing twice.
func TestGroupsSurviveRestarts(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			robot, b := &weComRobot{t: t}, newBox()
			for i := range 40 {
				e := verified(i)
				e.Service = release.Service(fmt.Sprintf("shop/s%d", i%3))
				b.tell(e)
				if i%4 == 0 {
					b.tell(e) // the same again
				}
				once(t, b, robot, time.Duration(random.Int64N(int64(40*time.Second))))
			}
			once(t, b, robot, 20*time.Minute)
			all := strings.Join(robot.texts(), "\n")
			for i := range 40 {
				if n := strings.Count(all, fmt.Sprintf("number %d\n", i)) + strings.Count(all, fmt.Sprintf("number %d<", i)); n != 1 {
					t.Errorf("seed %d: number %d was told %d times", seed, i, n)
				}
			}
			if n := len(robot.texts()); n >= 40 {
				t.Errorf("seed %d: %d messages, want groups", seed, n)
			}
		})
	}
}

// once runs a Notifier for a while and stops it.
func once(t *testing.T, b *box, robot *weComRobot, d time.Duration) {
	n, err := notify.New(notify.Config{Inbox: b, Outbox: b, Directory: grouped(), Secret: secrets, Client: &http.Client{Transport: direct{"chat.example": robot}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := n.Run(ctx); err != nil {
		t.Error(err)
	}
}
