package shelf_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

func waiting(id, channel string, due time.Time) notify.Message {
	e := release.Event{ID: id}
	return notify.Message{ID: id + "@" + channel, Channel: channel, Event: e, State: notify.Pending, Due: due}
}

func TestThousandsThatWaitHideNobodyElse(t *testing.T) {
	outbox := shelf.Outbox{KV: open(t)}
	now := time.Unix(1_000_000, 0)
	for i := range 140 { // of people who sleep, and of a channel that does not answer
		var some []notify.Message
		for j := range 15 {
			id := fmt.Sprintf("%03d-%02d", i, j)
			some = append(some, waiting(id, "asleep", now.Add(time.Hour)), waiting(id, "broken", time.Time{}))
		}
		if err := outbox.Plan(t.Context(), release.Event{ID: "none"}, some); err != nil {
			t.Fatal(err)
		}
	}
	late := waiting("z", "ops", time.Time{})
	if err := outbox.Plan(t.Context(), late.Event, []notify.Message{late}); err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	count := func(now time.Time) {
		clear(of)
		pending, err := outbox.Pending(t.Context(), now, 200)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pending {
			of[m.Channel]++
		}
	}
	if count(now); of["ops"] != 1 || of["asleep"] != 0 || of["broken"] != 200 {
		t.Errorf("pending by channel %v", of)
	}
	if count(now.Add(time.Hour)); of["ops"] != 1 || of["asleep"] != 200 {
		t.Errorf("an hour later, pending by channel %v", of)
	}
}

func TestWhatIsHeldIsPlannedOnce(t *testing.T) {
	outbox := shelf.Outbox{KV: open(t)}
	now := time.Unix(1_000_000, 0)
	m := waiting("e", "ops", now)
	for range 2 {
		if err := outbox.Plan(t.Context(), m.Event, []notify.Message{m}); err != nil {
			t.Fatal(err)
		}
		m.Due = now.Add(time.Minute) // planned again, it would be told later
	}
	if pending, err := outbox.Pending(t.Context(), now.Add(-1), 10); err != nil || len(pending) != 0 {
		t.Errorf("before it is due: %+v, %v", pending, err)
	}
	if pending, err := outbox.Pending(t.Context(), now, 10); err != nil || len(pending) != 1 || !pending[0].Due.Equal(now) {
		t.Errorf("when it is due: %+v, %v", pending, err)
	}
}

func TestAGroupThatChangedMeanwhileIsReadAgain(t *testing.T) {
	outbox := shelf.Outbox{KV: open(t)}
	g, err := outbox.Group(t.Context(), "k")
	if err != nil || g.Version != 0 {
		t.Fatalf("group %+v, %v", g, err)
	}
	g.Last = time.Unix(5, 0).UTC()
	if err := outbox.Plan(t.Context(), release.Event{ID: "a"}, nil, g); err != nil {
		t.Fatal(err)
	}
	m := waiting("b", "ops", time.Time{})
	if err := outbox.Plan(t.Context(), m.Event, []notify.Message{m}, g); !errors.Is(err, store.ErrStale) {
		t.Errorf("planned over a stale group: %v", err)
	}
	if pending, err := outbox.Pending(t.Context(), time.Unix(9, 0), 10); err != nil || len(pending) != 0 {
		t.Errorf("half of a transaction: %+v, %v", pending, err)
	}
	if again, err := outbox.Group(t.Context(), "k"); err != nil || !again.Last.Equal(g.Last) || again.Version == 0 {
		t.Errorf("group %+v, %v", again, err)
	}
}
