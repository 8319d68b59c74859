package road

import (
	"testing"
	"time"

	"github.com/seatrial/seatrial/release"
)

// at is a moment, in seconds.
func at(s float64) time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
}

func TestOwnTimeIsWhatNobodyElseTook(t *testing.T) {
	r := release.Release{
		Stages: []release.Stage{{Env: "staging",
			Waves: []release.Wave{{Name: "all", Targets: []release.Target{{Cluster: "a", Synced: at(1), Healthy: at(4.5)}}}},
			Trial: &release.Trial{Fault: &release.FaultRecord{Injected: at(13), Recovered: at(14)}}}},
		History: []release.Transition{
			{To: release.Building, At: at(-9)},
			{To: release.Approving, Env: "staging", At: at(0)},
			{To: release.Deploying, Env: "staging", Step: release.StepSync, At: at(0.25)},
			{To: release.Deploying, Env: "staging", Step: release.StepHealth, At: at(1)},
			{To: release.Deploying, Env: "staging", Step: release.StepSLO, At: at(4.5)},
			{To: release.Trying, Env: "staging", At: at(12)},
			{To: release.Verified, Env: "staging", At: at(24)},
			{To: release.Done, At: at(24.5)},
		},
	}
	all := passages(r)
	if len(all) != 1 {
		t.Fatalf("%d environments, want 1: %+v", len(all), all)
	}
	w := windows{settle: 2 * time.Second, observe: 5 * time.Second, trial: 10 * time.Second}
	seen := func(string) (time.Time, bool) { return at(4), true }
	total, parts := all[0].own(all[0].excluded(w, seen))
	for name, want := range map[string]float64{"Approving": 0.25, "sync": 0.75, "health": 0.5, "slo": 0.5, "Trial": 2, "Verified": 0.5} {
		if got := parts[name].Seconds(); got != want {
			t.Errorf("%s took %v s of its own, want %v", name, got, want)
		}
	}
	if total != 4500*time.Millisecond {
		t.Errorf("in all %s, want 4.5s", total)
	}
}

func TestSpansThatOverlapAreTakenOffOnce(t *testing.T) {
	got := covered(span{at(0), at(10)}, []span{{at(4), at(6)}, {at(-5), at(1)}, {at(5), at(7)}, {at(9), at(20)}, {at(5.5), at(5.6)}})
	if got != 5*time.Second {
		t.Errorf("covered %s, want 5s", got)
	}
}
