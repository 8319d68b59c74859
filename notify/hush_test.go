package notify_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

// hushed is a box with silences.
type hushed struct {
	*box
	silences []release.Silence
}

func (h *hushed) Active(_ context.Context, now time.Time) ([]release.Silence, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []release.Silence
	for _, s := range h.silences {
		if s.Active(now) {
			out = append(out, s)
		}
	}
	return out, nil
}

func (h *hushed) silence(all ...release.Silence) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silences = all
}

func (h *hushed) Hold(_ context.Context, s release.Silence, messages ...notify.Message) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range messages {
		m.Due = s.Until
		h.messages[m.ID], _ = json.Marshal(m)
	}
	return nil
}

func availability(kind release.EventKind, what string) release.Event {
	e := verified(1)
	e.ID, e.Kind, e.At, e.Env, e.Subject = "breach/shop-web/prod/1/"+what, kind, time.Now(), "prod", "availability "+what
	return e
}

func TestASilenceHoldsBackAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot := &weComRobot{t: t}
		h := &hushed{box: newBox(), silences: []release.Silence{{ID: "s", Matchers: []string{"service=shop/web", "environment=prod"},
			From: time.Now().Add(time.Minute), Until: time.Now().Add(time.Hour), By: "ann", Reason: "the database moves"}}}
		run(t, notify.Config{Inbox: h, Outbox: h, Silences: h, Client: &http.Client{Transport: direct{"chat.example": robot}},
			Directory: newTown(channel("wecom", "ops", "en", release.EventBreach, release.EventRecovered, release.EventHeld, release.EventVerified))})
		h.tell(availability(release.EventBreach, "before"))
		pass(2 * time.Minute)
		h.tell(verified(7)) // of staging, which nobody silenced
		held := verified(8)
		held.Env, held.Kind, held.At = "prod", release.EventHeld, time.Now()
		h.tell(held)
		pass(30 * time.Minute)
		if got := strings.Join(robot.texts(), "\n"); len(robot.texts()) != 2 || !strings.Contains(got, "before") || !strings.Contains(got, "number 7") {
			t.Fatalf("told in the silence: %q", got)
		}
		for _, m := range h.all() {
			if m.State == notify.Pending && m.Reason != "silenced by ann: the database moves" {
				t.Errorf("held without saying why: %+v", m)
			}
		}
		pass(40 * time.Minute)
		if got := robot.texts(); len(got) != 3 || !strings.Contains(got[2], "number 8") {
			t.Errorf("told after the silence: %q", got)
		}
	})
}

func TestWhatWasOverBeforeItsSilenceIsNotTold(t *testing.T) {
	for name, before := range map[string]time.Duration{"all of it in the silence": 0, "its beginning before": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				robot := &weComRobot{t: t}
				h := &hushed{box: newBox()}
				run(t, notify.Config{Inbox: h, Outbox: h, Silences: h, Client: &http.Client{Transport: direct{"chat.example": robot}},
					Directory: newTown(channel("wecom", "ops", "en", release.EventBreach, release.EventRecovered))})
				h.silence(release.Silence{ID: "s", Matchers: []string{"service=shop/web"}, From: time.Now().Add(before), Until: time.Now().Add(2 * time.Hour)})
				h.tell(availability(release.EventBreach, "began"))
				pass(before + time.Minute)
				h.tell(availability(release.EventRecovered, "ended"))
				pass(3 * time.Hour)
				want := 0
				if before > 0 {
					want = 2
				}
				if got := robot.texts(); len(got) != want || h.count(notify.Silenced) != 2-want || h.count(notify.Pending) != 0 {
					t.Errorf("told %q, %d silenced; want %d told", got, h.count(notify.Silenced), want)
				}
			})
		})
	}
}
