package schedule

import (
	"fmt"
	"time"

	"github.com/seatrial/seatrial/chaos"
)

// tooLate is why a run that an earlier process left is not begun any more: nothing was
// broken yet, and nobody expects it now. Empty: it goes on.
func tooLate(run Run, now time.Time) string {
	last := run.Started
	if run.Trial != nil {
		if r := chaos.Progress(*run.Trial); r.State != Planned && !r.Ready {
			return ""
		}
		if run.Trial.Since.After(last) {
			last = run.Trial.Since
		}
	}
	if away := now.Sub(last); away > giveUp {
		return fmt.Sprintf("the server was away for %s before anything was broken", away.Round(time.Second))
	}
	return ""
}
