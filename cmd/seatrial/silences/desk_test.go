package silences_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/cmd/seatrial/silences"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web"
)

func TestWhatAnEndedSilenceHeldIsDueAtOnce(t *testing.T) {
	db, err := bolt.Open(t.TempDir() + "/db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	now := time.Unix(1_000_000, 0).UTC()
	kept, outbox := shelf.Silences{KV: db}, shelf.Outbox{KV: db}
	desk := silences.Desk{Shelf: kept, Now: func() time.Time { return now }}
	for _, matcher := range []string{"service=shop/web", "service=shop/api"} {
		if _, err := desk.Add(t.Context(), []string{matcher}, 2*time.Hour, "ann", "moving"); err != nil {
			t.Fatal(err)
		}
	}
	active, err := kept.Active(t.Context(), now)
	if err != nil || len(active) != 2 {
		t.Fatalf("active %+v, %v", active, err)
	}
	for i := range 100 { // half of them by each, all until the same time
		m := notify.Message{ID: fmt.Sprintf("e%03d@ops", i), Channel: "ops", Event: release.Event{ID: fmt.Sprint(i)}, State: notify.Pending}
		if err := outbox.Plan(t.Context(), m.Event, []notify.Message{m}); err != nil {
			t.Fatal(err)
		}
		m.Silence = active[i%2].ID
		if err := kept.Hold(t.Context(), active[i%2], m); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func(want int) {
		t.Helper()
		pending, err := outbox.Pending(t.Context(), now, 200)
		if err != nil || len(pending) != want {
			t.Fatalf("%d are due, %v; want %d", len(pending), err, want)
		}
	}
	waiting(0)
	now = now.Add(time.Minute)
	ended, err := desk.End(t.Context(), active[0].ID, "bob", "done")
	if err != nil || ended.EndedBy != "bob" || ended.EndedFor != "done" {
		t.Fatalf("ended %+v, %v", ended, err)
	}
	waiting(50)
	if err := kept.Hold(t.Context(), active[0], notify.Message{ID: "late@ops"}); !errors.Is(err, release.ErrStale) {
		t.Errorf("held by a silence that was ended meanwhile: %v", err)
	}
	if _, err := desk.End(t.Context(), active[0].ID, "bob", "again"); !errors.Is(err, web.ErrRefused) {
		t.Errorf("ended twice: %v", err)
	}
	if _, err := desk.End(t.Context(), "none", "bob", "r"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("ended nothing: %v", err)
	}
	now = now.Add(3 * time.Hour)
	waiting(100)
	if all, err := desk.List(t.Context()); err != nil || len(all) != 2 || all[0].ID != active[1].ID {
		t.Errorf("listed %+v, %v", all, err)
	}
	now = now.Add(40 * 24 * time.Hour)
	if _, err := desk.Add(t.Context(), []string{"service=shop/web"}, time.Hour, "ann", "moving again"); err != nil {
		t.Fatal(err)
	}
	if all, err := desk.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("old ones are kept: %+v, %v", all, err)
	}
}

func TestASilenceOfEverythingIsRefused(t *testing.T) {
	desk := silences.Desk{Now: time.Now}
	if _, err := desk.Add(t.Context(), []string{"severity!=info"}, time.Hour, "ann", "r"); !errors.Is(err, web.ErrInvalid) {
		t.Errorf("silenced everything: %v", err)
	}
}
