package faults_test

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos"
	own "github.com/seatrial/seatrial/cmd/seatrial/faults"
	"github.com/seatrial/seatrial/internal/faults"
	"github.com/seatrial/seatrial/internal/kube"
	"github.com/seatrial/seatrial/internal/platform"
	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/store/bolt"
)

func TestTheJournalOutlivesTheServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "db")
	open := func() (own.Journal, func()) {
		db, err := bolt.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		return own.Journal{KV: db}, func() { _ = db.Close() }
	}
	j, end := open()
	f := chaos.Found{Run: "seatrial-pool-1", Release: "shop.web.3f2a91c07d0b", Until: time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC), Fault: release.FaultRecord{
		Name: "seatrial-pool-1", Kind: "ConnectionPool", Action: "limit", Cluster: "staging", Before: map[string]string{"limit": "0"}, With: map[string]any{"user": "app"}}}
	for range 2 {
		if err := j.Keep(t.Context(), f); err != nil {
			t.Fatal(err)
		}
	}
	end()
	j, end = open()
	defer end()
	kept, err := j.Kept(t.Context())
	if err != nil || len(kept) != 1 || !reflect.DeepEqual(kept[0], f) {
		t.Fatalf("%v %+v, want %+v", err, kept, f)
	}
	for range 2 {
		if err := j.Forget(t.Context(), f.Run); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := j.Kept(t.Context()); err != nil || len(kept) != 0 {
		t.Errorf("%v %v", err, kept)
	}
}

func TestEveryKindOfOurOwnHasAProvider(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	kinds, _, err := own.Kinds(t.Context(), kube.Open(t.TempDir()), nil, db)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range faults.Kinds() {
		_, ours := kinds.Own[k.Name]
		if ours != k.Own {
			t.Errorf("%s: has a provider of ours %v, is our own %v", k.Name, ours, k.Own)
		}
		if lister, ok := kinds.Own[k.Name].(chaos.Lister); ours && (!ok || lister == nil) {
			t.Errorf("faults of %s would not be found again", k.Name)
		}
	}
}

func TestTheExamplesAreValid(t *testing.T) {
	folders, err := filepath.Glob("../../../examples/chaos/*")
	if err != nil || len(folders) < 2 {
		t.Fatalf("%v %v", err, folders)
	}
	for _, dir := range folders {
		if tree, err := platform.LoadDir(dir); err != nil || len(tree.Experiments) == 0 {
			t.Errorf("%s: %v, %d experiments", dir, err, len(tree.Experiments))
		}
	}
}
