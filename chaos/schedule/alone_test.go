package schedule_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
)

func TestOfTwoPeopleWhoStartAtOnceOneGetsTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		s := r.scheduler("", "")
		asked := s.Places
		s.Places = func(ctx context.Context) ([]schedule.Place, error) {
			time.Sleep(10 * time.Millisecond) // a store takes its time
			return asked(ctx)
		}
		during(t, s, 2*time.Minute, func() {
			var all sync.WaitGroup
			errs := make([]error, 5)
			for i := range errs {
				all.Go(func() { _, errs[i] = s.Start(t.Context(), "restart-one", "staging", "", "ada") })
			}
			all.Wait()
			begun := 0
			for _, err := range errs {
				if err == nil {
					begun++
				} else if !errors.Is(err, schedule.ErrBusy) {
					t.Error(err)
				}
			}
			if begun != 1 {
				t.Errorf("%d runs of one service have begun", begun)
			}
		})
		if got := strings.Join(r.states(), ", "); got != "Passed" || r.most != 1 {
			t.Errorf("runs %s, %d faults at once", got, r.most)
		}
	})
}

func TestWhatTheServerBeforeLeftActiveIsInTheWayBeforeRunHasReadIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		during(t, r.scheduler("* * * * *", ""), 74*time.Second, nil) // ends while the fault is active
		s := r.scheduler("", "")
		if s.Breaking("shop/web", "staging") == "" {
			t.Error("a rollout would begin under the fault of the server before")
		}
		if _, err := s.Start(t.Context(), "restart-one", "staging", "", "ada"); !errors.Is(err, schedule.ErrBusy) {
			t.Errorf("a second run of the service: %v", err)
		}
		during(t, s, 40*time.Second, nil)
		if run := s.Breaking("shop/web", "staging"); run != "" || r.most != 1 {
			t.Errorf("still in the way: %q; %d faults at once", run, r.most)
		}
	})
}
