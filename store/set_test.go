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

func TestASetIsTheNewestOfEachOtherService(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	book := store.NewBook(db)
	at := time.Unix(1, 0)
	add := func(project string, s release.Service, c release.Commit, set string) release.Release {
		at = at.Add(time.Second)
		r := release.Release{ID: release.NewID(s, c), Service: s, Project: project, Commit: c, Set: set, Phase: release.Building, Created: at}
		saved, err := book.Save(t.Context(), release.Change{Release: r})
		if err != nil {
			t.Fatal(err)
		}
		return saved
	}
	web := add("shop", "shop/web", "1111111111111111", "pay")
	add("shop", "shop/db", "1111111111111111", "pay")
	db2 := add("shop", "shop/db", "2222222222222222", "pay")
	dbs := add("shop", "shop/db-s", "1111111111111111", "pay")
	add("shop", "shop/web", "3333333333333333", "pay")
	add("shop", "shop/mail", "1111111111111111", "pay-2")
	add("else", "else/web", "1111111111111111", "pay")
	alone := add("shop", "shop/cart", "1111111111111111", "")
	with, err := book.With(t.Context(), web)
	var got []release.ID
	for _, r := range with {
		got = append(got, r.ID)
	}
	slices.Sort(got)
	if want := []release.ID{dbs.ID, db2.ID}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if with, err := book.With(t.Context(), alone); err != nil || len(with) != 0 {
		t.Errorf("a release without a set: %v, %v", with, err)
	}
}
