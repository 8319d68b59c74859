package views_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/views"
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
