package shelf_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seatrial/seatrial/cmd/seatrial/shelf"
	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/store"
)

const mainRef = "refs/heads/main"

// queued is what waits, in the order in which a start would take it.
func queued(t *testing.T, q shelf.PushQueue) (keys []string) {
	t.Helper()
	page, err := q.KV.List(t.Context(), "push/", "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page {
		keys = append(keys, e.Key)
	}
	return keys
}

func TestADeliveryIsKeptOnce(t *testing.T) {
	q := shelf.PushQueue{KV: open(t)}
	p := pipeline.Push{Delivery: "gitea-1", Repo: "shop/web", Ref: mainRef, At: time.Now()}
	for i, want := range []bool{true, false} {
		fresh, err := q.Add(t.Context(), p)
		if err != nil || fresh != want {
			t.Errorf("time %d: fresh %v, %v; want %v", i+1, fresh, err, want)
		}
	}
	for _, key := range queued(t, q) {
		if err := q.Drop(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if fresh, err := q.Add(t.Context(), p); err != nil || fresh || len(queued(t, q)) != 0 {
		t.Errorf("a replay after the push was dealt with: fresh %v, %v", fresh, err)
	}
}

func TestPushesWaitInTheOrderInWhichTheyCame(t *testing.T) {
	q := shelf.PushQueue{KV: open(t)}
	began := time.Now()
	for i, delivery := range []string{"gitea-f", "gitea-0", "gitea-9"} {
		if _, err := q.Add(t.Context(), pipeline.Push{Delivery: delivery, At: began.Add(time.Duration(i) * time.Second)}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var got []string
	_ = q.Pushes(ctx, func(_ string, p pipeline.Push) {
		if got = append(got, p.Delivery); len(got) == 3 {
			cancel()
		}
	})
	if want := []string{"gitea-f", "gitea-0", "gitea-9"}; !slices.Equal(got, want) {
		t.Errorf("taken as %v, want %v", got, want)
	}
}

func TestPushesThatWaitAndThatComeAreAllHandedOn(t *testing.T) {
	q := shelf.PushQueue{KV: open(t)}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	add := func(i int) {
		if _, err := q.Add(t.Context(), pipeline.Push{Delivery: fmt.Sprintf("d%04d", i), At: time.Now()}); err != nil {
			t.Error(err)
		}
	}
	add(1)
	if _, err := q.KV.Commit(ctx, store.Txn{Put: []store.Put{{Key: "push/broken", Value: []byte("{")}}}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var adding sync.WaitGroup // one may be handed on before who added it is told so
	defer adding.Wait()
	_ = q.Pushes(ctx, func(key string, _ pipeline.Push) {
		if seen[key] = true; len(seen) < 3 {
			n := len(seen) + 1
			adding.Go(func() { add(n) })
			return
		}
		cancel()
	})
	if len(seen) != 3 {
		t.Errorf("handed on %v, want three", seen)
	}
	if slices.Contains(queued(t, q), "push/broken") {
		t.Error("a push that cannot be read stays for ever")
	}
}

func TestOldDeliveriesAreForgotten(t *testing.T) {
	q := shelf.PushQueue{KV: open(t)}
	for i, at := range []time.Time{time.Now().Add(-30 * 24 * time.Hour), time.Now()} {
		if _, err := q.Add(t.Context(), pipeline.Push{Delivery: fmt.Sprint(i), At: at}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.ForgetBefore(t.Context(), time.Now().Add(-7*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	left, err := q.KV.List(t.Context(), "delivery/", "", 10)
	if err != nil || len(left) != 1 || left[0].Key != "delivery/1" {
		t.Errorf("left %v, %v; want the new one", left, err)
	}
}
