package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/seatrial/seatrial/store"
	"github.com/seatrial/seatrial/store/bolt"
)

func TestScanGoesThroughEveryPageAndStopsWhenAsked(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const many = 450
	for first := 0; first < many; first += 90 {
		var txn store.Txn
		for i := first; i < first+90; i++ {
			txn.Put = append(txn.Put, store.Put{Key: fmt.Sprintf("scan/%04d", i), Value: []byte("x")})
		}
		if _, err := db.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Commit(t.Context(), store.Txn{Put: []store.Put{{Key: "scanner", Value: []byte("x")}}}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range store.Scan(t.Context(), db, "scan/") {
		if want := fmt.Sprintf("scan/%04d", n); err != nil || e.Key != want {
			t.Fatalf("entry %d is %s, %v; want %s", n, e.Key, err, want)
		}
		n++
	}
	if n != many {
		t.Errorf("scanned %d, want %d", n, many)
	}
	for range store.Scan(t.Context(), db, "scan/") {
		if n++; n == many+3 {
			break
		}
	}
	if n != many+3 {
		t.Errorf("a scan that is left early went on to %d", n)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range store.Scan(ended, db, "scan/") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a scan after the end gives %v", err)
		}
		break
	}
}
