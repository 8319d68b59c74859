package store_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
)

func TestTheActiveReleasesOfAServiceAreItsOwn(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	book := store.NewBook(db)
	add := func(s release.Service, c release.Commit, phase release.Phase) release.ID {
		r := release.Release{ID: release.NewID(s, c), Service: s, Commit: c, Phase: phase, Created: time.Unix(1, 0)}
		if _, err := book.Save(t.Context(), release.Change{Release: r}); err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	want := []release.ID{add("shop/web", "1111111111111111", release.Checking), add("shop/web", "2222222222222222", release.Deploying)}
	add("shop/web", "3333333333333333", release.Done)
	add("shop/web-2", "1111111111111111", release.Checking)
	add("shop/we", "1111111111111111", release.Checking)
	got, err := book.ActiveOf(t.Context(), "shop/web")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if all, err := book.Active(t.Context()); err != nil || len(all) != 4 {
		t.Errorf("%v, %v", all, err)
	}
}
