package schedule

import (
	"context"
	"fmt"
	"time"

	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
)

// What is too many failures: more than a share of the runs of a week that broke something,
// when there were enough of them, or so many failed that it cannot be chance.
const (
	rateWindow = 7 * 24 * time.Hour
	rateLimit  = 0.05
	rateEnough = 20
	rateSure   = 1.645 // 95 % on one side
	ratePage   = 200   // runs that are read at once
)

// Rate counts the runs of a service that told something: those that broke something and
// were measured.
type Rate struct{ Failed, Told int }

// RateOf counts those that ended after a time.
func RateOf(runs []Run, service release.Service, after time.Time) (r Rate) {
	for _, run := range runs {
		if run.Service != service || !run.Ended.After(after) {
			continue
		}
		switch run.State {
		case Failed:
			r.Failed, r.Told = r.Failed+1, r.Told+1
		case Passed:
			r.Told++
		}
	}
	return r
}

// TooMany reports whether a person should look.
func (r Rate) TooMany() bool {
	if r.Told == 0 || float64(r.Failed)/float64(r.Told) <= rateLimit {
		return false
	}
	low, _ := chance.Wilson(float64(r.Failed), float64(r.Told), rateSure)
	return r.Told >= rateEnough || low > rateLimit
}

// String is the rate in words.
func (r Rate) String() string {
	low, high := chance.Wilson(float64(r.Failed), float64(r.Told), rateSure)
	return fmt.Sprintf("%d of %d runs failed in the last 7 days (%.0f %%, the true share is between %.0f and %.0f %% with 90 %% confidence)",
		r.Failed, r.Told, 100*float64(r.Failed)/float64(max(1, r.Told)), 100*low, 100*high)
}

// unsteady tells when a run that failed is one too many. The event is one of the service:
// however often it comes, one ticket is open for it.
func (s *Scheduler) unsteady(ctx context.Context, run Run) error {
	since := run.Ended.Add(-rateWindow)
	recent := []Run{run}
	for after := ""; ; {
		page, err := s.Runs.List(ctx, "", after, ratePage)
		if err != nil {
			return err
		}
		for _, r := range page {
			if r.ID != run.ID {
				recent = append(recent, r)
			}
		}
		if len(page) < ratePage || page[len(page)-1].Started.Before(since.Add(-rateWindow)) {
			break
		}
		after = page[len(page)-1].ID
	}
	rate := RateOf(recent, run.Service, since)
	if !rate.TooMany() {
		return nil
	}
	return s.Announce(ctx, release.Event{
		ID: "experiments-failing/" + run.ID, Kind: release.EventUnsteady, At: run.Ended, Service: run.Service,
		Subject: fmt.Sprintf("experiments on %s keep failing", run.Service), Reason: rate.String(),
		Hint: "look at the runs on the console's experiments page: what fails under faults will fail without them",
	})
}
