package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seatrial/seatrial/chaos/schedule"
)

func TestTooManyFailuresAreThoseThatAreNoChance(t *testing.T) {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	week := now.Add(-7 * 24 * time.Hour)
	runs := func(failed, passed int) (list []schedule.Run) {
		for i := range failed + passed {
			state := schedule.Passed
			if i < failed {
				state = schedule.Failed
			}
			list = append(list, schedule.Run{Service: "shop/web", State: state, Ended: now.Add(-time.Duration(i) * time.Minute)})
		}
		return append(list, // none of these tells anything of the service this week
			schedule.Run{Service: "shop/web", State: schedule.Invalid, Ended: now},
			schedule.Run{Service: "shop/web", State: schedule.Aborted, Ended: now},
			schedule.Run{Service: "shop/db", State: schedule.Failed, Ended: now},
			schedule.Run{Service: "shop/web", State: schedule.Failed, Ended: week},
			schedule.Run{Service: "shop/web", State: schedule.Measuring})
	}
	for _, c := range []struct {
		failed, passed int
		want           bool
	}{
		{0, 0, false}, {0, 100, false},
		{1, 19, false}, // exactly 5 %
		{2, 18, true},  // 10 % of twenty
		{1, 9, false},  // 10 % of ten may be chance
		{3, 7, true},   // 30 % of ten is not
		{1, 0, true},   // the one that there was: at least 27 % with 95 % confidence
		{5, 95, false}, {6, 94, true},
	} {
		rate := schedule.RateOf(runs(c.failed, c.passed), "shop/web", week)
		if rate.Failed != c.failed || rate.Told != c.failed+c.passed || rate.TooMany() != c.want {
			t.Errorf("%d failed and %d passed: %+v, too many %v", c.failed, c.passed, rate, rate.TooMany())
		}
	}
	if text := (schedule.Rate{Failed: 6, Told: 94}).String(); !strings.Contains(text, "6 of 94 runs failed in the last 7 days (6 %") {
		t.Error(text)
	}
}
