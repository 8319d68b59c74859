package views_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/views"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web"
)

func TestAPullRequestIsListedAndIsNeverTheLatestOfItsService(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	book := store.NewBook(db)
	for i, r := range []release.Release{
		{ID: "shop.web.aaaaaaaaaaaa", Origin: release.FromPush},
		{ID: "shop.web.pr7.bbbbbbbbbbbb", Origin: release.FromPull, Pull: &release.Pull{Number: 7, Author: "eve"}},
		{ID: "shop.web.pr7.cccccccccccc", Origin: release.FromPull, Pull: &release.Pull{Number: 7, Author: "eve"}},
	} {
		r.Service, r.Phase, r.Created = "shop/web", release.Building, time.Unix(int64(i), 0)
		if _, err := book.Save(t.Context(), release.Change{Release: r}); err != nil {
			t.Fatal(err)
		}
	}
	board, err := views.Fleet{Book: book, Tree: func() platform.Tree { return platform.Tree{} }}.Board(t.Context())
	if err != nil || len(board.Services) != 1 || board.Services[0].Latest == nil || board.Services[0].Latest.ID != "shop.web.aaaaaaaaaaaa" {
		t.Errorf("the board is %+v, %v", board, err)
	}
	list, err := views.Releases{Book: book}.Releases(t.Context(), web.Filter{})
	if err != nil || len(list.Items) != 3 || web.Summary(list.Items[0]).Pull.Number != 7 || web.Summary(list.Items[0]).Origin != release.FromPull {
		t.Errorf("the list is %+v, %v", list, err)
	}
}

func TestATargetThatCannotBeComparedDoesNotHideTheOthers(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	book := store.NewBook(db)
	slot := release.Slot{Service: "shop/web", Env: "prod", Targets: map[string]release.Commit{"a": "1", "b": "2"}}
	if _, err := book.Save(t.Context(), release.Change{Release: release.Release{ID: "shop.web.aaaaaaaaaaaa", Service: "shop/web"}, Slots: []release.Slot{slot}}); err != nil {
		t.Fatal(err)
	}
	fleet := views.Fleet{Book: book, Diff: func(_ context.Context, s release.Slot, cluster string) ([]live.ObjectDiff, error) {
		if cluster == "a" {
			return nil, hint.Add(errors.New("cluster a does not answer"), "start it")
		}
		return []live.ObjectDiff{{Kind: "Deployment", Name: "web", Act: live.Changes, Text: "-a\n+b\n"}}, nil
	}}
	got, err := fleet.Drift(t.Context(), "shop/web", "prod", "")
	if err != nil || len(got) != 2 || got[0].Problem != "cluster a does not answer" || got[0].Hint != "start it" || len(got[1].Objects) != 1 || got[1].Objects[0].Act != "change" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = fleet.Drift(t.Context(), "shop/web", "prod", "b"); err != nil || len(got) != 1 || got[0].Cluster != "b" {
		t.Errorf("one cluster: %+v, %v", got, err)
	}
	if _, err = fleet.Drift(t.Context(), "shop/web", "staging", ""); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("no target: %v", err)
	}
}
