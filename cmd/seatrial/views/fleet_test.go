package views_test

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/views"
	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/deployer/live/details"
	"github.com/seatrial/seatrial/deployer/live/tree"
	"github.com/seatrial/seatrial/internal/hint"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/web"
	"github.com/seatrial/seatrial/web/drift"
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

// shelved is a fleet of one service on clusters a and b, with two releases to return to.
func shelved(t *testing.T) views.Fleet {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	book := store.NewBook(db)
	now := release.Placed{Release: "shop.web.bbbbbbbbbbbb", Desired: "2", Trial: &release.Trial{}}
	slot := release.Slot{Service: "shop/web", Env: "prod", Targets: map[string]release.Commit{"a": "1", "b": "2"}, Current: &now,
		Verified: []release.Placed{now, {Release: "shop.web.aaaaaaaaaaaa", Desired: "1"}}}
	if err := book.Place(t.Context(), slot); err != nil {
		t.Fatal(err)
	}
	return views.Fleet{
		Book: book,
		Diff: func(_ context.Context, s release.Slot, cluster string, to release.Commit) ([]live.ObjectDiff, error) {
			if cluster == "a" {
				return nil, hint.Add(errors.New("cluster a does not answer"), "start it")
			}
			return []live.ObjectDiff{{Kind: "Deployment", Name: "web", Act: live.Changes, Text: "-a\n+b\n"}}, nil
		},
		Grown: func(_ context.Context, s release.Slot, cluster string, to release.Commit) (tree.Tree, error) {
			return tree.Tree{Left: 4, Nodes: []tree.Node{{Kind: "Deployment", Name: cluster + string(to), State: tree.Drifted}, {Depth: 1, Kind: "Pod", Created: time.Unix(7, 0)}}}, nil
		},
		Variant: func(_ context.Context, _ release.Slot, cluster string, at release.Commit) string {
			return cluster + string(at)
		},
		Detail: func(_ context.Context, s release.Slot, cluster string, to release.Commit, at details.Ref) (details.Details, error) {
			switch at.Name {
			case "gone":
				return details.Details{Missing: true}, nil
			case "old":
				return details.Details{}, hint.Add(errors.New("the agent is older than the server"), "bring it up to date")
			}
			exit := int32(0)
			return details.Details{Phase: cluster + string(to), Left: 4, Conditions: []details.Condition{{Type: "Ready", Status: "False"}},
				Containers: []details.Container{{Role: details.Main, Name: at.Group + at.Kind + at.Namespace + at.Name, Exit: &exit, Last: &details.Ending{Exit: 137, At: time.Unix(7, 0)}}},
				Events:     []details.Event{{Reason: "BackOff", Count: 3, Last: time.Unix(8, 0)}}}, nil
		},
		Look: func(_ context.Context, s release.Slot) []release.Target {
			return []release.Target{{Cluster: "a", State: "Left", Revision: "1"}, {Cluster: "b", State: "Healthy", Revision: "2"}}
		},
		Tree: func() platform.Tree {
			prod := release.Environment{Meta: release.Meta{Name: "prod"}, Spec: release.EnvironmentSpec{Waves: []release.WaveSpec{{Name: "all", Clusters: release.Selector{MatchLabels: map[string]string{"env": "prod"}}}}}}
			clusters := map[string]release.Cluster{}
			for name, env := range map[string]string{"a": "dev", "b": "prod", "c": "prod"} {
				clusters[name] = release.Cluster{Meta: release.Meta{Name: name, Labels: map[string]string{"env": env}}}
			}
			return platform.Tree{Environments: []release.Environment{prod}, Clusters: clusters}
		},
	}
}

func TestATargetThatCannotBeComparedDoesNotHideTheOthers(t *testing.T) {
	fleet := shelved(t)
	ask := drift.Question{Service: "shop/web", Env: "prod"}
	got, err := fleet.Drift(t.Context(), ask)
	if err != nil || len(got) != 2 || got[0].Problem != "cluster a does not answer" || got[0].Hint != "start it" || len(got[1].Objects) != 1 || got[1].Objects[0].Act != "change" {
		t.Errorf("%+v, %v", got, err)
	}
	ask.Cluster = "b"
	if got, err = fleet.Drift(t.Context(), ask); err != nil || len(got) != 1 || got[0].Cluster != "b" || got[0].Revision != "2" {
		t.Errorf("one cluster: %+v, %v", got, err)
	}
	ask.To = "shop.web.aaaaaaaaaaaa"
	if got, err = fleet.Drift(t.Context(), ask); err != nil || len(got) != 1 || got[0].Revision != "1" {
		t.Errorf("what a roll back would do: %+v, %v", got, err)
	}
	ask.To = "shop.web.cccccccccccc"
	if _, err = fleet.Drift(t.Context(), ask); !errors.Is(err, web.ErrNotFound) || !strings.Contains(hint.Of(err), "shop.web.aaaaaaaaaaaa") {
		t.Errorf("a release that is not kept: %v, %q", err, hint.Of(err))
	}
	if _, err = fleet.Drift(t.Context(), drift.Question{Service: "shop/web", Env: "staging"}); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("no target: %v", err)
	}
}

func TestAPlaceShowsTargetsByWaveAndWhatIsKept(t *testing.T) {
	fleet := shelved(t)
	got, err := fleet.Place(t.Context(), "shop/web", "prod")
	want := []drift.PlaceWave{{Name: "all", Targets: []drift.PlaceTarget{{Cluster: "b", State: "Healthy", Revision: "2", Variant: "b2"}, {Cluster: "c", State: "Pending"}}}}
	if err != nil || !reflect.DeepEqual(got.Waves, want) || len(got.Left) != 1 || got.Left[0].Cluster != "a" || len(got.Kept) != 2 || got.Current.Trial != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := fleet.Place(t.Context(), "shop/web", "none"); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("no such environment: %v", err)
	}
}

func TestATreeIsOfTheRevisionThatTheClusterIsOn(t *testing.T) {
	fleet := shelved(t)
	at := drift.Spot{Service: "shop/web", Env: "prod", Cluster: "b"}
	got, err := fleet.Resources(t.Context(), at)
	if err != nil || got.Revision != "2" || got.Left != 4 || len(got.Items) != 2 || got.Items[0].Name != "b2" || got.Items[0].State != "Drifted" ||
		got.Items[0].Created != nil || got.Items[1].Depth != 1 || !got.Items[1].Created.Equal(time.Unix(7, 0)) {
		t.Errorf("%+v, %v", got, err)
	}
	fleet.Grown = func(context.Context, release.Slot, string, release.Commit) (tree.Tree, error) {
		return tree.Tree{}, hint.Add(errors.New("cluster b does not answer"), "start it")
	}
	if got, err := fleet.Resources(t.Context(), at); err != nil || got.Problem != "cluster b does not answer" || got.Hint != "start it" || got.Items == nil || got.Revision != "2" {
		t.Errorf("a cluster that is away: %+v, %v", got, err)
	}
	at.Cluster = "c"
	if _, err = fleet.Resources(t.Context(), at); !errors.Is(err, web.ErrNotFound) || hint.Of(err) == "" {
		t.Errorf("a cluster that it is not on: %v", err)
	}
}

func TestAnObjectIsOfTheRevisionThatTheClusterIsOn(t *testing.T) {
	fleet := shelved(t)
	q := drift.ObjectQuestion{Spot: drift.Spot{Service: "shop/web", Env: "prod", Cluster: "b"}, Group: "g", Kind: "k", Namespace: "n", Name: "web"}
	got, err := fleet.Object(t.Context(), q)
	if err != nil || got.Phase != "b2" || got.Left != 4 || got.Deleting != nil || len(got.Conditions) != 1 || got.Conditions[0].Since != nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if c := got.Containers[0]; c.Name != "gknweb" || c.Role != "main" || *c.Exit != 0 || c.Since != nil || c.Last.Exit != 137 || !c.Last.At.Equal(time.Unix(7, 0)) {
		t.Errorf("%+v", c)
	}
	if e := got.Events[0]; e.Reason != "BackOff" || e.Count != 3 || e.First != nil || !e.Last.Equal(time.Unix(8, 0)) {
		t.Errorf("%+v", e)
	}
	q.Name = "old"
	if got, err := fleet.Object(t.Context(), q); err != nil || got.Problem != "the agent is older than the server" || got.Hint != "bring it up to date" || got.Events == nil {
		t.Errorf("a cluster that cannot be asked: %+v, %v", got, err)
	}
	q.Name = "gone"
	if _, err := fleet.Object(t.Context(), q); !errors.Is(err, web.ErrNotFound) || hint.Of(err) == "" {
		t.Errorf("what the tree does not have: %v", err)
	}
	q.Cluster, q.Name = "c", "web"
	if _, err := fleet.Object(t.Context(), q); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("a cluster that it is not on: %v", err)
	}
}

func TestAPlaceIsHeldAndFreed(t *testing.T) {
	fleet := shelved(t)
	if _, err := fleet.Book.Save(t.Context(), release.Change{Release: release.Release{ID: "shop.web.bbbbbbbbbbbb", Service: "shop/web", Phase: release.Done}}); err != nil {
		t.Fatal(err)
	}
	before, err := fleet.Book.Slot(t.Context(), "shop/web", "prod")
	if err != nil {
		t.Fatal(err)
	}
	hold := &release.Hold{By: "ann", Reason: "quarter close"}
	if p, err := fleet.Hold(t.Context(), "shop/web", "prod", hold); err != nil || p.Hold == nil || p.Hold.Reason != "quarter close" {
		t.Fatalf("%+v, %v", p.Hold, err)
	}
	if p, err := fleet.Hold(t.Context(), "shop/web", "prod", nil); err != nil || p.Hold != nil {
		t.Fatalf("%+v, %v", p.Hold, err)
	}
	after, err := fleet.Book.Slot(t.Context(), "shop/web", "prod")
	after.Version = before.Version
	if err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("a hold changed more than itself:\n%+v\n%+v, %v", before, after, err)
	}
	for s, env := range map[release.Service]release.Env{"shop/web": "none", "shop/gone": "prod"} {
		if _, err := fleet.Hold(t.Context(), s, env, hold); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("%s in %s: %v", s, env, err)
		}
	}
}
