package shelf_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/deployer/autoscale"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
)

func TestAnEpisodeIsKeptWithItsEventAndOnlyOnce(t *testing.T) {
	db := open(t)
	episodes, outbox := shelf.Episodes{KV: db}, shelf.Outbox{KV: db}
	noon := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	e := autoscale.Episode{Cluster: "prod-1", Namespace: "shop-prod", Name: "web", Service: "shop/web", Since: noon, Steps: []autoscale.Step{{At: noon, From: 2, To: 4}}}
	if err := episodes.Change(t.Context(), e, release.Event{ID: "autoscaler/prod-1/shop-prod/web/1/hot"}); err != nil {
		t.Fatal(err)
	}
	if err := episodes.Change(t.Context(), e, release.Event{ID: "twice"}); !errors.Is(err, store.ErrStale) {
		t.Errorf("begun twice: %v", err)
	}
	list, err := episodes.Load(t.Context())
	if err != nil || len(list) != 1 || list[0].Version == 0 || !list[0].Since.Equal(noon) || list[0].Steps[0] != e.Steps[0] {
		t.Fatalf("%+v %v", list, err)
	}
	ended := list[0]
	ended.Ended = noon.Add(time.Hour)
	for i, want := range []error{nil, store.ErrStale} {
		if err := episodes.Change(t.Context(), ended, release.Event{ID: []string{"calm", "late"}[i]}); !errors.Is(err, want) {
			t.Errorf("end: %v, want %v", err, want)
		}
	}
	if list, err := episodes.Load(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("after its end: %+v %v", list, err)
	}
	events, err := outbox.Events(t.Context(), 10)
	if err != nil || len(events) != 2 || events[0].ID != "autoscaler/prod-1/shop-prod/web/1/hot" || events[1].ID != "calm" {
		t.Errorf("%+v %v", events, err)
	}
}
