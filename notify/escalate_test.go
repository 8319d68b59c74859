package notify_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/notify/escalation"
	"github.com/seatrial/seatrial/release"
)

// book is a box that remembers matters.
type book struct {
	*box
	matters map[string]escalation.Matter
}

func (b *book) Matter(_ context.Context, id string) (escalation.Matter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.matters[id], nil
}

func (b *book) Open(context.Context) ([]escalation.Matter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []escalation.Matter
	for _, m := range b.matters {
		if m.Open() {
			out = append(out, m)
		}
	}
	return out, nil
}

func (b *book) Step(_ context.Context, m escalation.Matter, messages ...notify.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.matters[m.ID].Version != m.Version {
		return release.ErrStale
	}
	m.Version++
	b.matters[m.ID] = m
	for _, one := range messages {
		b.messages[one.ID], _ = json.Marshal(one)
	}
	return nil
}

func escalating(b *book, h *hushed, robot *weComRobot) notify.Config {
	d := newTown(channel("wecom", "ops", "en", release.EventBreach, release.EventRecovered), channel("wecom", "ops-zh", "zh", release.EventBreach, release.EventRecovered))
	d.routes = []release.Route{{Channels: []string{"ops"}, Escalate: []release.Escalation{{After: release.Duration(15 * time.Minute), Channels: []string{"ops-zh"}}}}}
	c := notify.Config{Inbox: b, Outbox: b, Matters: b, Directory: d, Secret: secrets, Client: &http.Client{Transport: direct{"chat.example": robot}}}
	if h != nil {
		c.Silences = h
	}
	return c
}

// A server that is killed again and again escalates once.
func TestTroubleThatLastsGoesToTheNextChannelOnce(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 5))
			robot, b := &weComRobot{t: t}, &book{newBox(availability(release.EventBreach, "began")), map[string]escalation.Matter{}}
			live := func(until time.Time) {
				for time.Now().Before(until) {
					n, err := notify.New(escalating(b, nil, robot))
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), min(time.Until(until), time.Duration(random.Int64N(int64(5*time.Minute)))))
					if err := n.Run(ctx); err != nil {
						t.Error(err)
					}
					cancel()
				}
			}
			start := time.Now()
			live(start.Add(14 * time.Minute))
			if n := len(robot.texts()); n != 1 {
				t.Fatalf("seed %d: %d messages before the escalation", seed, n)
			}
			b.tell(availability(release.EventBreach, "began")) // told again
			live(start.Add(2 * time.Hour))
			if got := robot.texts(); len(got) != 2 || !strings.Contains(got[1], "it has not ended for 15m") {
				t.Fatalf("seed %d: told %q", seed, got)
			}
		})
	}
}

func TestNothingEscalatesThatIsOverOrSilenced(t *testing.T) {
	for name, want := range map[string]int{"over": 2, "silenced": 1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				robot, b := &weComRobot{t: t}, &book{newBox(availability(release.EventBreach, "began")), map[string]escalation.Matter{}}
				h := &hushed{box: b.box}
				run(t, escalating(b, h, robot))
				pass(time.Minute)
				if name == "over" {
					b.tell(availability(release.EventRecovered, "ended"))
				} else {
					h.silence(release.Silence{ID: "s", Matchers: []string{"kind=slo.breach"}, From: time.Now(), Until: time.Now().Add(3 * time.Hour)})
				}
				pass(2 * time.Hour)
				if got := robot.texts(); len(got) != want {
					t.Fatalf("told %q, want %d messages", got, want)
				}
				if name == "silenced" {
					if pass(2 * time.Hour); len(robot.texts()) != 2 {
						t.Errorf("after the silence, told %q", robot.texts())
					}
				}
			})
		})
	}
}

func TestWhoItEscalatedToHearsOfItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, &book{newBox(availability(release.EventBreach, "began")), map[string]escalation.Matter{}}
		run(t, escalating(b, nil, robot))
		pass(20 * time.Minute)
		b.tell(availability(release.EventRecovered, "ended"))
		pass(time.Minute)
		b.tell(availability(release.EventRecovered, "ended")) // told again
		pass(time.Hour)
		got := map[string]int{}
		for _, m := range b.all() {
			if m.Event.Kind == release.EventRecovered && m.State == notify.Sent {
				got[m.Channel]++
			}
		}
		if len(got) != 2 || len(robot.texts()) != 4 {
			t.Errorf("told of the end: %v, %d messages in all: %q", got, len(robot.texts()), robot.texts())
		}
	})
}
