package shelf_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/notify"
	"github.com/seatrial/seatrial/notify/jira"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web/vault"
	"github.com/seatrial/seatrial/web/vault/vaulttest"
)

func open(t *testing.T) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestTheVaultKeepsTheContractOfWeb(t *testing.T) {
	vaulttest.Run(t, func(t *testing.T) vault.Vault { return shelf.Vault{KV: open(t)} })
}

func TestRunsAreListedNewestFirstPageByPage(t *testing.T) {
	runs := shelf.Runs{KV: open(t)}
	start := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	for i, name := range []string{"a", "b", "c"} {
		r := schedule.Run{ID: name, Experiment: "kill", State: schedule.Planned, Started: start.Add(time.Duration(i) * time.Hour)}
		for _, state := range []string{schedule.Planned, schedule.Passed} {
			r.State = state
			was := r
			var err error
			if r.Revision, err = runs.Save(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if _, err := runs.Save(t.Context(), was); !errors.Is(err, release.ErrStale) {
				t.Errorf("a run that was saved meanwhile: %v", err)
			}
		}
	}
	first, err := runs.List(t.Context(), "kill", "", 2)
	if err != nil || len(first) != 2 || first[0].ID != "c" || first[1].ID != "b" || first[0].State != schedule.Passed {
		t.Fatalf("first page %+v, %v; want c, b", first, err)
	}
	rest, err := runs.List(t.Context(), "", "b", 2)
	if err != nil || len(rest) != 1 || rest[0].ID != "a" {
		t.Errorf("second page %+v, %v; want a", rest, err)
	}
}

func TestEveryActiveRunIsFoundAlsoOneFromBeforeThereWasAnIndex(t *testing.T) {
	db := open(t)
	runs, start := shelf.Runs{KV: db}, time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	save := func(r schedule.Run) schedule.Run {
		t.Helper()
		var err error
		if r.Revision, err = runs.Save(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	save(schedule.Run{ID: "before", Experiment: "kill", State: schedule.Measuring, Started: start})
	if _, err := db.Commit(t.Context(), store.Txn{Delete: []string{"runs/active/before"}}); err != nil {
		t.Fatal(err)
	}
	for i := range 250 {
		save(schedule.Run{ID: fmt.Sprintf("over-%03d", i), Experiment: "kill", State: schedule.Passed, Started: start.Add(time.Duration(i+1) * time.Minute)})
	}
	expect := func(want ...string) {
		t.Helper()
		active, err := runs.Active(t.Context())
		var got []string
		for _, r := range active {
			got = append(got, r.ID)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("active %v, %v; want %v", got, err, want)
		}
	}
	expect("before")
	now := save(schedule.Run{ID: "now", Experiment: "kill", State: schedule.Planned, Started: start.Add(time.Hour)})
	expect("before", "now")
	now.State = schedule.Aborted
	save(now)
	expect("before")
	if err := runs.Drop(t.Context(), now); !errors.Is(err, release.ErrStale) {
		t.Errorf("a run that was saved meanwhile is dropped: %v", err)
	}
}

func TestABreachAndItsEndAreEachToldOnce(t *testing.T) {
	db := open(t)
	breaches, outbox := shelf.Breaches{KV: db}, shelf.Outbox{KV: db}
	b := slo.Breach{SLO: "availability", Service: "shop/web", Cluster: "staging", Since: time.Unix(1, 0).UTC()}
	for range 2 {
		if err := breaches.Change(t.Context(), b, release.Event{ID: "breach"}); err != nil {
			t.Fatal(err)
		}
	}
	if open, err := breaches.Load(t.Context()); err != nil || len(open) != 1 {
		t.Errorf("open breaches %+v, %v; want one", open, err)
	}
	b.Ended = time.Unix(2, 0).UTC()
	if err := breaches.Change(t.Context(), b, release.Event{ID: "end"}); err != nil {
		t.Fatal(err)
	}
	if open, err := breaches.Load(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("open breaches %+v, %v; want none", open, err)
	}
	if events, err := outbox.Events(t.Context(), 10); err != nil || len(events) != 2 {
		t.Errorf("events %+v, %v; want the breach and its end", events, err)
	}
}

func TestAnEventIsPlannedOnceHoweverOftenItIsTold(t *testing.T) {
	db := open(t)
	book, outbox := store.NewBook(db), shelf.Outbox{KV: db}
	e := release.Event{ID: "e"}
	m := notify.Message{ID: "e@ops", Channel: "ops", Event: e, State: notify.Pending}
	for range 2 {
		if err := book.Tell(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if err := outbox.Plan(t.Context(), e, []notify.Message{m}); err != nil {
			t.Fatal(err)
		}
	}
	pending, err := outbox.Pending(t.Context(), time.Now(), 10)
	if err != nil || len(pending) != 1 {
		t.Fatalf("pending %+v, %v; want one", pending, err)
	}
	pending[0].State = notify.Sent
	if err := outbox.Save(t.Context(), pending...); err != nil {
		t.Fatal(err)
	}
	if err := outbox.Plan(t.Context(), e, []notify.Message{m}); err != nil {
		t.Fatal(err)
	}
	if pending, err = outbox.Pending(t.Context(), time.Now(), 10); err != nil || len(pending) != 0 {
		t.Errorf("told again: %+v, %v", pending, err)
	}
}

func TestATicketIsRememberedUntilItIsForgotten(t *testing.T) {
	tickets := shelf.Tickets{KV: open(t)}
	intent := jira.Note{Message: "e@jira", At: time.Unix(1, 0).UTC()}
	for _, want := range []jira.Note{{}, intent, {Message: "e@jira", Issue: "OPS-1"}, {}} {
		if err := tickets.Keep(t.Context(), "k", want); err != nil {
			t.Fatal(err)
		}
		if got, err := tickets.Recall(t.Context(), "k"); err != nil || got != want {
			t.Errorf("recalled %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestAPlaceIsSavedWithItsEventOrNotAtAll(t *testing.T) {
	db := open(t)
	book, outbox := store.NewBook(db), shelf.Outbox{KV: db}
	slot := release.Slot{Service: "shop/web", Env: "prod", Targets: map[string]release.Commit{"main": "3f2a"}}
	if err := book.Place(t.Context(), slot, release.Event{ID: "first"}); err != nil {
		t.Fatal(err)
	}
	if err := book.Place(t.Context(), slot, release.Event{ID: "stale"}); !errors.Is(err, release.ErrStale) {
		t.Errorf("a slot that has changed since: %v", err)
	}
	saved, err := book.Slot(t.Context(), "shop/web", "prod")
	if err != nil || saved.Targets["main"] != "3f2a" {
		t.Fatalf("%+v, %v", saved, err)
	}
	if err := book.Place(t.Context(), saved); err != nil {
		t.Error(err)
	}
	if events, err := outbox.Events(t.Context(), 10); err != nil || len(events) != 1 || events[0].ID != "first" {
		t.Errorf("events %+v, %v", events, err)
	}
}
