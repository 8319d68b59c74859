package pipeline_test

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/pipeline"
	"github.com/seatrial/seatrial/release"
)

// A key that was used before would let an action answer for another attempt. The history
// is bounded, and a release that people retry for weeks outlives it.
func TestAKeyIsNeverUsedTwiceHoweverOftenAReleaseIsRetried(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	r := release.Release{ID: "shop.web.3f2a91c07d0b", Service: "shop/web", Phase: release.Building, Attempt: 1, Stages: []release.Stage{{Env: "staging"}}}
	used := map[string]bool{pipeline.Key(r): true}
	take := func(next release.Release) {
		r = next
		if r.Phase.Final() {
			return
		}
		if key := pipeline.Key(r); used[key] {
			t.Fatalf("key %s is used again after %d arrivals", key, len(used))
		} else {
			used[key] = true
		}
	}
	take(pipeline.Next(r, release.Pass(), now)) // Signing
	take(pipeline.Next(r, release.Pass(), now)) // Checking
	for range 300 {
		take(pipeline.Next(r, release.Refuse("a bare Pod", ""), now))
		next, err := pipeline.Retry(r, "lin", "once more", now)
		if err != nil {
			t.Fatal(err)
		}
		take(next)
	}
	if len(r.History) > 210 {
		t.Errorf("the history has grown to %d", len(r.History))
	}
	if first := r.History[0]; first.To != release.Signing {
		t.Errorf("the oldest arrival that is kept is at %s, want the only one at Signing", first.To)
	}
}
