package route_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seatrial/seatrial/notify/route"
	"github.com/seatrial/seatrial/release"
)

func TestTheFirstRouteThatMatchesHasTheEvent(t *testing.T) {
	routes := []release.Route{
		{Matchers: []string{"severity=critical", "environment=prod"}, Channels: []string{"pager"}, Continue: true},
		{Matchers: []string{"severity=~critical|error"}, Channels: []string{"chat"}},
		{Matchers: []string{"severity!=info"}, Channels: []string{"tickets"}},
	}
	for _, c := range []struct {
		severity, env string
		want          []string
	}{
		{"critical", "prod", []string{"pager", "chat"}}, {"critical", "dev", []string{"chat"}},
		{"warning", "prod", []string{"tickets"}}, {"info", "prod", nil},
	} {
		var got []string
		for _, r := range route.Choose(routes, map[string]string{"severity": c.severity, "environment": c.env}) {
			got = append(got, r.Channels...)
		}
		if len(got) != len(c.want) || len(got) > 0 && got[len(got)-1] != c.want[len(c.want)-1] {
			t.Errorf("%s in %s goes to %v, want %v", c.severity, c.env, got, c.want)
		}
	}
}

func TestAGroupIsToldAfterItsWaitAndNotBeforeItsInterval(t *testing.T) {
	r := release.Route{GroupWait: release.Duration(30 * time.Second), GroupInterval: release.Duration(5 * time.Minute)}
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		now, last := time.Unix(1_000_000, 0), time.Time{}
		for range 300 {
			now = now.Add(time.Duration(random.Int64N(int64(4 * time.Minute))))
			next := route.Join(r, last, now)
			if next.Before(now) || next.Sub(now) > r.GroupInterval.Std() {
				t.Fatalf("seed %d: what comes at %v is told at %v", seed, now, next)
			}
			if !next.Equal(last) && !last.IsZero() && next.Sub(last) < r.GroupInterval.Std() {
				t.Fatalf("seed %d: told %v after the time before", seed, next.Sub(last))
			}
			last = next
		}
	}
}

func TestAClockThatWasSetBackDelaysNoGroup(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, r := range []release.Route{{GroupWait: release.Duration(30 * time.Second), GroupInterval: release.Duration(5 * time.Minute)}, {GroupWait: release.Duration(10 * time.Minute), GroupInterval: release.Duration(time.Minute)}} {
		if next := route.Join(r, now.Add(24*time.Hour), now); !next.Equal(now.Add(r.GroupWait.Std())) {
			t.Errorf("told %v from now", next.Sub(now))
		}
		if last := now.Add(max(r.GroupWait, r.GroupInterval).Std()); !route.Join(r, last, now).Equal(last) {
			t.Error("what is gathering is not joined")
		}
	}
}

func TestGroupsAreOfOneRouteOneChannelAndTheLabelsNamed(t *testing.T) {
	r := release.Route{Matchers: []string{"severity=error"}, GroupBy: []string{"service"}}
	web := map[string]string{"service": "shop/web", "environment": "prod"}
	one := route.Group(r, "chat", web)
	if got := route.Group(r, "chat", map[string]string{"service": "shop/web", "environment": "dev"}); got != one {
		t.Error("a label that is not named splits a group")
	}
	other := r
	other.Matchers = nil
	for name, got := range map[string]string{"channel": route.Group(r, "mail", web), "route": route.Group(other, "chat", web),
		"service": route.Group(r, "chat", map[string]string{"service": "shop/api"})} {
		if got == one || got == "" {
			t.Errorf("another %s has the same group", name)
		}
	}
	if route.Group(release.Route{}, "chat", web) != "" {
		t.Error("a route without groupBy makes a group")
	}
}
