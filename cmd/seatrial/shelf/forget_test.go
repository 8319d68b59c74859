package shelf_test

import (
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/notify/escalation"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

func TestWhatWasToldLongAgoIsForgottenAndNothingElse(t *testing.T) {
	db := open(t)
	outbox, matters := shelf.Outbox{KV: db}, shelf.Matters{KV: db}
	now := time.Unix(100_000_000, 0).UTC()
	old, young := now.Add(-100*24*time.Hour), now.Add(-time.Hour)
	message := func(id string, state notify.State, at, told time.Time) {
		m := notify.Message{ID: id + "@ops", Channel: "ops", Event: release.Event{ID: id, At: at}, State: notify.Pending}
		if err := outbox.Plan(t.Context(), m.Event, []notify.Message{m}); err != nil {
			t.Fatal(err)
		}
		if m.State, m.Told = state, told; state == notify.Pending {
			return
		}
		if err := outbox.Save(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	message("old-sent", notify.Sent, old, old)
	message("old-dead", notify.Dead, old, time.Time{})
	message("old-waits", notify.Pending, old, time.Time{})
	message("told-lately", notify.Sent, old, young)
	if err := outbox.Plan(t.Context(), release.Event{ID: "none"}, nil, notify.Group{Key: "old", Last: old}, notify.Group{Key: "young", Last: young}); err != nil {
		t.Fatal(err)
	}
	for _, m := range []escalation.Matter{{ID: "lasts"}, {ID: "over", Over: old}, {ID: "just-over", Over: young}} {
		m.Event.At = old
		if err := matters.Step(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := outbox.ForgetBefore(t.Context(), now.Add(-90*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	var left []string
	for _, prefix := range []string{"message/", "group/", "matter/"} {
		for e, err := range store.Scan(t.Context(), db, prefix) {
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, e.Key)
		}
	}
	want := []string{"message/done/told-lately@ops", "message/pending/old-waits@ops", "group/young", "matter/just-over", "matter/lasts"}
	if !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}
