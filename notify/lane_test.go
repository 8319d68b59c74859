package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/internal/secret"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/notify/jira"
	"github.com/seatrial/seatrial/release"
)

// notes remember tickets.
type notes map[string]jira.Note

func (n notes) Recall(_ context.Context, key string) (jira.Note, error) { return n[key], nil }
func (n notes) Keep(_ context.Context, key string, note jira.Note) error {
	n[key] = note
	return nil
}

// Two channels of one address with a key each: a message goes with its own channel's key,
// and a key that is missing is trouble of that channel alone.
func TestEachChannelUsesItsOwnKey(t *testing.T) {
	for _, kind := range []string{"webhook", "alertmanager", "jira"} {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var wrong []string
				h := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					body, _ := io.ReadAll(req.Body)
					for _, name := range []string{"one", "two"} {
						ours := strings.HasSuffix(req.Header.Get(notify.HeaderID), "@"+name) || strings.Contains(string(body), `"receiver":"`+name+`"`) || strings.Contains(string(body), strings.ToUpper(name))
						signed := notify.Sign(secret.Text("key-of-"+name), req.Header.Get(notify.HeaderID), req.Header.Get(notify.HeaderTimestamp), body)
						if ours && req.Header.Get("Authorization") != "Bearer key-of-"+name && req.Header.Get(notify.HeaderSignature) != signed {
							wrong = append(wrong, name)
						}
					}
					if strings.HasSuffix(req.URL.Path, "/issue") {
						fmt.Fprint(w, `{"key":"OPS-1"}`)
					} else {
						fmt.Fprint(w, `{"issues":[]}`)
					}
				})
				d := newTown(channel(kind, "one", "en", release.EventHeld), channel(kind, "two", "en", release.EventHeld), channel(kind, "keyless", "en", release.EventHeld))
				for name, c := range d.channels {
					c.Spec.Jira = release.JiraSpec{Project: strings.ToUpper(name), IssueType: "Task", API: 2}
					d.channels[name] = c
				}
				e := verified(1)
				e.Kind = release.EventHeld
				b := newBox(e)
				run(t, notify.Config{Inbox: b, Outbox: b, Directory: d, Tickets: notes{}, Client: &http.Client{Transport: direct{"hooks.example": h}}, Secret: func(name string) secret.Text {
					if of, ok := strings.CutSuffix(name, "-key"); ok && of != "keyless" {
						return secret.Text("key-of-" + of)
					} else if ok {
						return ""
					}
					return hookURL
				}})
				pass(10 * time.Second)
				for _, m := range b.all() {
					if m.Channel != "keyless" && m.State != notify.Sent {
						t.Errorf("%s: %s %s", m.Channel, m.State, m.Reason)
					}
				}
				if len(wrong) > 0 {
					t.Errorf("messages of %v came with another channel's key", wrong)
				}
			})
		})
	}
}

func TestATooBusyAddressIsAskedLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox(verified(1))
		h := &troubled{next: robot, status: 429}
		h.times.Store(1 << 30)
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)), Client: &http.Client{Transport: direct{"chat.example": h}}})
		pass(time.Hour)
		if n := h.asked.Load(); n > 20 || b.count(notify.Pending) != 1 {
			t.Errorf("asked %d times in an hour, message %+v", n, b.all()[0])
		}
		h.times.Store(0)
		pass(10 * time.Minute)
		if n := len(robot.texts()); n != 1 {
			t.Errorf("told %d times once there was room", n)
		}
	})
}

// What waited long before its first try, in an outage of ours or in a silence that was
// ended, is not given up at the first trouble.
func TestAnOldMessageIsTriedAsOftenAsANewOne(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		times  int32
		dead   bool
	}{
		"an address that is away for a moment": {503, 3, false},
		"one that has no room for a day":       {429, 1 << 30, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old := verified(1)
				old.At = time.Now().Add(-72 * time.Hour)
				robot, b := &weComRobot{t: t}, newBox(old)
				h := &troubled{next: robot, status: c.status}
				h.times.Store(c.times)
				run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)), Client: &http.Client{Transport: direct{"chat.example": h}}})
				pass(23 * time.Hour)
				if m := b.all()[0]; m.State == notify.Dead || len(robot.texts()) == 1 == c.dead {
					t.Errorf("after 23h: %+v", m)
				}
				pass(2 * time.Hour)
				if m := b.all()[0]; (m.State == notify.Dead) != c.dead {
					t.Errorf("after 25h: %+v", m)
				}
			})
		})
	}
}

// full is a box on a full disk: it can be read.
type full struct {
	*box
	until time.Time
	asked int
}

func (f *full) Save(ctx context.Context, messages ...notify.Message) error {
	if f.asked++; f.asked < 1000 && time.Now().Before(f.until) {
		return errors.New("no space left on device")
	}
	return f.box.Save(ctx, messages...)
}

func TestAFullDiskIsWaitedOutAndNothingIsSentTwice(t *testing.T) {
	for name, c := range map[string]struct {
		times int32 // that the address refuses
		state notify.State
	}{"sent": {0, notify.Sent}, "refused": {100, notify.Dead}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				robot, f := &weComRobot{t: t}, &full{box: newBox(verified(1)), until: time.Now().Add(time.Minute)}
				h := &troubled{next: robot, status: 403}
				h.times.Store(c.times)
				run(t, notify.Config{Inbox: f, Outbox: f, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)), Client: &http.Client{Transport: direct{"chat.example": h}}})
				pass(2 * time.Minute)
				if n := h.asked.Load(); n != 1 || f.asked > 20 || f.count(c.state) != 1 {
					t.Errorf("sent %d times, saved %d times: %+v", n, f.asked, f.all())
				}
			})
		})
	}
}

// counted counts how often all that waits is read.
type counted struct {
	*box
	looks int
}

func (c *counted) Pending(ctx context.Context, now time.Time, limit int) ([]notify.Message, error) {
	c.looks++
	return c.box.Pending(ctx, now, limit)
}

func TestAddressesThatFinishTogetherAreOneLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counted{box: newBox()}
		for i := range 150 {
			e := verified(i)
			e.Commit = release.Commit(fmt.Sprintf("%040d", i))
			c.tell(e)
		}
		set := func(context.Context, release.Event) error { <-time.After(time.Second); return nil }
		run(t, notify.Config{Inbox: c, Outbox: c, Directory: newTown(channel("status", "forge", "", release.EventVerified)), Status: set, Poll: time.Hour})
		pass(10 * time.Second)
		if c.count(notify.Sent) != 150 || c.looks > 75 {
			t.Errorf("%d sent in %d looks", c.count(notify.Sent), c.looks)
		}
	})
}

// A digest that may have been taken is sent again with what came meanwhile: whoever drops
// the second of two letters of one ID would never see that.
func TestADigestWithMoreInItIsAnotherLetter(t *testing.T) {
	var messages []notify.Message
	seen := map[string]bool{}
	for i := range 5 {
		messages = append(messages, notify.Message{ID: fmt.Sprintf("e%d@mail", i), Event: verified(i)})
		if id := notify.LetterID(messages); seen[id] || id != notify.LetterID(messages) {
			t.Errorf("%d messages have the ID %q", i+1, id)
		} else {
			seen[id] = true
		}
	}
	if !seen["e0@mail"] {
		t.Error("one message has another ID than its own")
	}
}
