package shelf_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/notify/escalation"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

func TestAStepIsTakenWithItsMessagesAndOnlyOnce(t *testing.T) {
	db := open(t)
	matters, outbox := shelf.Matters{KV: db}, shelf.Outbox{KV: db}
	now := time.Unix(1_000_000, 0).UTC()
	if err := matters.Step(t.Context(), escalation.Matter{ID: "m", Event: release.Event{ID: "e", At: now}}); err != nil {
		t.Fatal(err)
	}
	list, err := matters.Open(t.Context())
	if err != nil || len(list) != 1 || list[0].Version == 0 {
		t.Fatalf("open %+v, %v", list, err)
	}
	m := list[0]
	m.Steps = 1
	for i, want := range []error{nil, store.ErrStale} {
		if err := matters.Step(t.Context(), m, waiting([]string{"a", "b"}[i], "ops", time.Time{})); !errors.Is(err, want) {
			t.Errorf("step: %v, want %v", err, want)
		}
	}
	if pending, err := outbox.Pending(t.Context(), now, 10); err != nil || len(pending) != 1 || pending[0].ID != "a@ops" {
		t.Errorf("pending %+v, %v", pending, err)
	}
	if m, err = matters.Matter(t.Context(), "m"); err != nil || m.Steps != 1 {
		t.Fatalf("matter %+v, %v", m, err)
	}
	m.Over = now
	if err := matters.Step(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if list, err = matters.Open(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("open after its end %+v, %v", list, err)
	}
	if m, err = matters.Matter(t.Context(), "m"); err != nil || !m.Over.Equal(now) {
		t.Errorf("after its end %+v, %v", m, err)
	}
}
