package bolt_test

import (
	"path/filepath"
	"testing"

	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
	"github.com/seatrial/seatrial/store/storetest"
)

func open(t *testing.T, path string) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.KV { return open(t, filepath.Join(t.TempDir(), "db")) })
}

func TestWhatWasCommittedIsThereAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := open(t, path)
	rev, err := db.Commit(t.Context(), store.Txn{Put: []store.Put{{Key: "a", Value: []byte("1")}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	defer db.Close()
	e, err := db.Get(t.Context(), "a")
	newest, _ := db.Revision(t.Context())
	if err != nil || string(e.Value) != "1" || newest != rev {
		t.Errorf("got %+v at revision %d, %v; want 1 at %d", e, newest, err, rev)
	}
}

func TestASecondServerIsTurnedAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	defer open(t, path).Close()
	if db, err := bolt.Open(path); err == nil {
		db.Close()
		t.Error("two processes opened one store")
	}
}

func BenchmarkCommit64Writers(b *testing.B) {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	value := make([]byte, 512)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := db.Commit(b.Context(), store.Txn{Put: []store.Put{{Key: "a", Value: value}}}); err != nil {
				b.Error(err)
			}
		}
	})
}
