package webhook

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/seatrial/seatrial/store/bolt"
)

func TestNoTwoDeliveriesHaveOneID(t *testing.T) {
	seen := map[string]bool{}
	id := make([]byte, idLength)
	for run := range 2 {
		for connection := range 64 {
			for n := range 100 {
				if stamp(id, run, connection, n); seen[string(id)] || bytes.IndexByte(id, 0) >= 0 {
					t.Fatalf("%q of run %d, connection %d, delivery %d", id, run, connection, n)
				}
				seen[string(id)] = true
			}
		}
	}
}

func TestWhatTheClientCountsIsInTheStore(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	handler, err := ours(db)
	if err != nil {
		t.Fatal(err)
	}
	address, stop, err := serve(t.Context(), handler)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	text := body(bodySize)
	s := shot{Address: address, Path: "/hooks/gitea", Connections: 4, For: 50 * time.Millisecond, Signature: sign(text), Body: text}
	h, err := s.send(t.Context())
	for ; err != nil && s.For < time.Minute; h, err = s.send(t.Context()) { // a slow disk keeps nothing in so short a time
		s.For, s.Run = 4*s.For, s.Run+1
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := onDisk(t.Context(), db, []run{{hits: h}}); err != nil {
		t.Error(err)
	}
	h.Accepted = 1 << 30
	if err := onDisk(t.Context(), db, []run{{hits: h}}); err == nil {
		t.Error("deliveries that are not in the store went unnoticed")
	}
}

func TestAnAnswerIsAWhole202(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		whole, wrong bool
	}{
		{"half a head", "HTTP/1.1 202 Accepted\r\nContent-Le", false, false},
		{"half a body", "HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nab", false, false},
		{"all of it", "HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nabc", true, false},
		{"a refusal", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", false, true},
		{"a duplicate", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, true},
	} {
		whole, err := complete([]byte(c.answer))
		if whole != c.whole || (err != nil) != c.wrong {
			t.Errorf("%s: %v, %v", c.name, whole, err)
		}
	}
}
