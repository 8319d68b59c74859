package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
)

// run starts a Notifier inside a bubble and stops it at the end.
func run(t *testing.T, c notify.Config) *notify.Notifier {
	t.Helper()
	if c.Secret == nil {
		c.Secret = secrets
	}
	n, err := notify.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return n
}

func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

func TestEveryEventIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox(verified(1), verified(2))
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)),
			Client: &http.Client{Transport: direct{"chat.example": robot}}})
		pass(2 * time.Second)
		b.tell(verified(1)) // the same event told again
		pass(10 * time.Second)
		if got := robot.texts(); len(got) != 2 || !strings.Contains(got[0], "number 1") || !strings.Contains(got[1], "number 2") {
			t.Errorf("told %q", got)
		}
	})
}

func TestABurstBecomesADigestWithinTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox()
		for i := range 130 {
			b.tell(verified(i))
		}
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)),
			Client: &http.Client{Transport: direct{"chat.example": robot}}})
		pass(5 * time.Minute)
		texts := robot.texts()
		if b.count(notify.Sent) != 130 || robot.limited != 0 || len(texts) > 30 {
			t.Errorf("%d sent in %d messages, %d over the limit", b.count(notify.Sent), len(texts), robot.limited)
		}
		if !strings.HasPrefix(texts[0], "## 50 events") || !strings.Contains(texts[0], "number 49") {
			t.Errorf("first message %.200q", texts[0])
		}
	})
}

func TestASteadyFlowNeverPassesTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox()
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)),
			Client: &http.Client{Transport: direct{"chat.example": robot}}})
		for i := range 120 {
			b.tell(verified(i))
			pass(time.Second)
		}
		pass(2 * time.Minute)
		if b.count(notify.Sent) != 120 || robot.limited != 0 {
			t.Errorf("%d sent, %d over the limit", b.count(notify.Sent), robot.limited)
		}
	})
}

func TestTwoChannelsOfOneAddressShareItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox()
		for i := range 15 {
			b.tell(verified(i))
		}
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified), channel("wecom", "ops-zh", "zh", release.EventVerified)),
			Client: &http.Client{Transport: direct{"chat.example": robot}}})
		pass(3 * time.Minute)
		if b.count(notify.Sent) != 30 || robot.limited != 0 {
			t.Errorf("%d sent, %d over the limit", b.count(notify.Sent), robot.limited)
		}
	})
}

// troubled answers with status for a while.
type troubled struct {
	next   http.Handler
	status int
	header http.Header
	times  atomic.Int32 // how often still
	asked  atomic.Int32
}

func (h *troubled) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h.asked.Add(1)
	if h.times.Add(-1) < 0 {
		h.next.ServeHTTP(w, req)
		return
	}
	for k, v := range h.header {
		w.Header()[k] = v
	}
	w.WriteHeader(h.status)
	fmt.Fprintf(w, "upstream said no to %s", req.URL)
}

func TestTroubleIsWaitedOut(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		times  int32
		after  time.Duration // told by then
		before time.Duration // not told by then
		asked  int32
	}{
		{name: "a server error backs off", status: 503, times: 4, before: 14 * time.Second, after: 20 * time.Second, asked: 5},
		{name: "Retry-After is honoured", status: 429, header: http.Header{"Retry-After": {"90"}}, times: 1, before: 89 * time.Second, after: 93 * time.Second, asked: 2},
		{name: "Retry-After with an error", status: 503, header: http.Header{"Retry-After": {"30"}}, times: 1, before: 29 * time.Second, after: 33 * time.Second, asked: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				robot, b := &weComRobot{t: t}, newBox(verified(1))
				h := &troubled{next: robot, status: c.status, header: c.header}
				h.times.Store(c.times)
				run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)),
					Client: &http.Client{Transport: direct{"chat.example": h}}})
				pass(c.before)
				if n := len(robot.texts()); n != 0 {
					t.Fatalf("told before %v", c.before)
				}
				if m := b.all()[0]; m.State != notify.Pending || m.Reason == "" || strings.Contains(m.Reason, robotKey) {
					t.Errorf("waiting message %+v", m)
				}
				pass(c.after - c.before)
				if n := len(robot.texts()); n != 1 || h.asked.Load() != c.asked {
					t.Errorf("told %d times after %d questions", n, h.asked.Load())
				}
			})
		})
	}
}

func TestWhatCannotBeToldBecomesADeadLetter(t *testing.T) {
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for _, c := range []struct {
		name    string
		channel release.Channel
		web     direct
		after   time.Duration
		want    string
	}{
		{"a removed robot", channel("wecom", "lost", "en", release.EventVerified), direct{"chat.example": &weComRobot{t: t}}, 3 * time.Second, "errcode 93000: invalid webhook url, key ***"},
		{"a refusal", channel("webhook", "hook", "en", release.EventVerified), direct{"hooks.example": refuse}, 3 * time.Second, "answered 403 Forbidden"},
		{"nobody there for half an hour", channel("wecom", "ops", "en", release.EventVerified), direct{}, time.Hour, "connection refused"},
		{"a secret that is not set", channel("wecom", "unset", "en", release.EventVerified), direct{}, time.Hour, "secret unset is not set"},
		{"a webhook without a key", release.Channel{Meta: release.Meta{Name: "ops"}, Spec: release.ChannelSpec{Type: "webhook", URLSecret: "ops", Events: []release.EventKind{release.EventVerified}}}, direct{}, time.Hour, "secret ops-key is not set"},
		{"no forge", channel("status", "forge", "en", release.EventVerified), direct{}, 3 * time.Second, "no forge is configured for commit statuses"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBox(verified(1))
				run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(c.channel), Client: &http.Client{Transport: c.web}})
				pass(c.after)
				m := b.all()[0]
				if m.State != notify.Dead || !strings.HasPrefix(m.Reason, c.want) {
					t.Errorf("message %+v, want dead: %s", m, c.want)
				}
				for _, part := range []string{robotKey, "removed-key-0000", "long-secret-step", hookKey} {
					if strings.Contains(m.Reason, part) {
						t.Errorf("the reason shows the secret: %s", m.Reason)
					}
				}
			})
		})
	}
}

func TestAChannelThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox()
		e := verified(1)
		if err := b.Save(t.Context(), notify.Message{ID: "x@old", Channel: "old", Event: e, State: notify.Pending}); err != nil {
			t.Fatal(err)
		}
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown()})
		pass(2 * time.Second)
		if m := b.all()[0]; m.State != notify.Dead || m.Reason != "the channel no longer exists" {
			t.Errorf("message %+v", m)
		}
	})
}

func TestASlowAddressDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox(verified(1))
		slow := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("webhook", "hook", "en", release.EventVerified), channel("wecom", "ops", "en", release.EventVerified)),
			Client: &http.Client{Transport: direct{"chat.example": robot, "hooks.example": slow}}})
		pass(2 * time.Second)
		b.tell(verified(2))
		pass(2 * time.Second)
		if n := len(robot.texts()); n != 2 {
			t.Errorf("told %d of 2", n)
		}
	})
}

func TestAStoreThatIsDownCausesNoRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(verified(1))
		robot := &weComRobot{t: t}
		breaks := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { b.setDown(true); robot.ServeHTTP(w, req) })
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)),
			Client: &http.Client{Transport: direct{"chat.example": breaks}}})
		pass(30 * time.Second)
		b.setDown(false)
		pass(5 * time.Second)
		if n := len(robot.texts()); n != 1 || b.count(notify.Sent) != 1 {
			t.Errorf("told %d times, %d saved as sent", n, b.count(notify.Sent))
		}
	})
}

func TestStoppingKeepsWhatIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(verified(1))
		slow := http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
		n, err := notify.New(notify.Config{Inbox: b, Outbox: b, Secret: secrets, Directory: newTown(channel("webhook", "hook", "en", release.EventVerified)),
			Client: &http.Client{Transport: direct{"hooks.example": slow}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := n.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if m := b.all()[0]; m.State != notify.Pending || m.Attempts != 0 {
			t.Errorf("message %+v", m)
		}
	})
}

func TestStatusesAreSetInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBox(verified(2), verified(1), verified(3))
		var told []string
		failed := false
		set := func(_ context.Context, e release.Event) error {
			if !failed && e.ID == "e002" {
				failed = true
				return errors.New("forge is away")
			}
			told = append(told, e.ID)
			return nil
		}
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("status", "forge", "", release.EventVerified)), Status: set})
		pass(10 * time.Second)
		if got := strings.Join(told, " "); got != "e001 e002 e003" {
			t.Errorf("set %s", got)
		}
	})
}

func TestACommitThatTheForgeDoesNotKnowHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, good := verified(1), verified(2)
		gone.Commit = release.Commit(strings.Repeat("a", 40))
		good.Commit = release.Commit(strings.Repeat("b", 40))
		b := newBox(gone, good)
		var told []string
		set := func(_ context.Context, e release.Event) error {
			if e.Commit == gone.Commit {
				return errors.New("no such commit")
			}
			told = append(told, e.ID)
			return nil
		}
		run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("status", "forge", "", release.EventVerified)), Status: set})
		pass(5 * time.Second)
		if len(told) != 1 || told[0] != good.ID {
			t.Errorf("set %v, want %s", told, good.ID)
		}
	})
}

func TestWakeLooksAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox()
		n := run(t, notify.Config{Inbox: b, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)), Poll: time.Hour,
			Client: &http.Client{Transport: direct{"chat.example": robot}}})
		pass(time.Minute)
		b.tell(verified(1))
		n.Wake()
		n.Wake()
		synctest.Wait()
		if len(robot.texts()) != 1 {
			t.Error("not told")
		}
	})
}

// narrow has no room for one event's messages.
type narrow struct {
	*box
	id string
}

func (n narrow) Plan(ctx context.Context, e release.Event, messages []notify.Message, groups ...notify.Group) error {
	if e.ID == n.id {
		return fmt.Errorf("commit: 200 operations: %w", release.ErrTooBig)
	}
	return n.box.Plan(ctx, e, messages, groups...)
}

func TestAnEventThatDoesNotFitHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		robot, b := &weComRobot{t: t}, newBox(verified(1), verified(2), verified(3))
		run(t, notify.Config{Inbox: narrow{b, verified(2).ID}, Outbox: b, Directory: newTown(channel("wecom", "ops", "en", release.EventVerified)),
			Client: &http.Client{Transport: direct{"chat.example": robot}}})
		pass(10 * time.Second)
		if got := robot.texts(); len(got) != 2 {
			t.Errorf("told %q", got)
		}
	})
}

func TestNewWantsItsParts(t *testing.T) {
	if _, err := notify.New(notify.Config{}); err == nil {
		t.Error("a Notifier without an outbox was made")
	}
}
