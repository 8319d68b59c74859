package views_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/views"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
)

func TestWhatReturnsWithAReleaseIsWhatItsPlaceHas(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	book := store.NewBook(db)
	add := func(s release.Service, phase release.Phase, current bool) release.ID {
		r := release.Release{ID: release.NewID(s, "1111111111111111"), Service: s, Project: "shop", Set: "pay", Phase: phase, Created: time.Unix(1, 0),
			Stages: []release.Stage{{Env: "prod", Live: true}}}
		c := release.Change{Release: r, Slots: []release.Slot{{Service: s, Env: "prod", Current: &release.Placed{Release: "another"}}}}
		if current {
			c.Slots[0].Current.Release = r.ID
		}
		if _, err := book.Save(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	web, db2 := add("shop/web", release.Done, true), add("shop/db", release.Done, true)
	add("shop/replaced", release.Done, false)
	add("shop/returned", release.RolledBack, true)
	got, err := views.Releases{Book: book}.Returning(t.Context(), web, "prod")
	if err != nil || len(got) != 1 || got[0].ID != db2 {
		t.Errorf("%v, %v; want %s alone", got, err, db2)
	}
	if got, err := (views.Releases{Book: book}).Returning(t.Context(), web, "staging"); err != nil || len(got) != 0 {
		t.Errorf("where nothing is live: %v, %v", got, err)
	}
	if _, err := (views.Releases{Book: book}).Returning(t.Context(), "none", "prod"); err == nil {
		t.Error("a release that is not there was found")
	}
}
