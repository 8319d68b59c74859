package deployer

import (
	"strconv"
	"strings"
	"time"

	"github.com/seatrial/seatrial/deployer/live"
	"github.com/seatrial/seatrial/release"
)

// unavailable is how many targets of a wave may change at once: "25%" of them, rounded
// up, or a number; at least one, all by default.
func unavailable(env release.Environment, wave release.Wave) int {
	all, limit := len(wave.Targets), release.WaveOf(env, wave.Name).MaxUnavailable
	if pct, ok := strings.CutSuffix(limit, "%"); ok {
		if n, err := strconv.Atoi(pct); err == nil && n >= 0 {
			return max(1, min(all, (all*n+99)/100))
		}
	}
	if n, err := strconv.Atoi(limit); err == nil {
		return max(1, min(all, n))
	}
	return all
}

// nextBatch chooses the targets to work on now: those that are on the revision, and as
// many more as may change at once while the others are not healthy yet. One that has
// failed takes no room from the others: if the budget does not cover it, the wave ends.
func nextBatch(wave release.Wave, limit int, st stage, now time.Time) []release.Target {
	var batch []release.Target
	room := limit
	lost := func(t release.Target) bool {
		return t.State == string(live.Degraded) || t.Healthy.IsZero() && seen{target: t, before: t}.late(wave, st.timeout(), now)
	}
	for _, t := range wave.Targets {
		if on(t, st.s.Desired) && !quarantined(t) {
			batch = append(batch, t)
			if (t.Healthy.IsZero() || t.State == string(live.Progressing)) && !lost(t) {
				room--
			}
		}
	}
	for _, t := range wave.Targets {
		if on(t, st.s.Desired) || quarantined(t) || room <= 0 && !lost(t) {
			continue
		}
		batch = append(batch, t)
		if !lost(t) {
			room--
		}
	}
	return batch
}

func on(t release.Target, revision release.Commit) bool {
	return t.Revision == revision && !t.Synced.IsZero()
}

// pendingAfter counts the targets that this step did not touch.
func pendingAfter(wave release.Wave, all []seen, revision release.Commit) int {
	touched := map[string]bool{}
	for _, s := range all {
		touched[s.target.Cluster] = true
	}
	left := 0
	for _, t := range wave.Targets {
		if !touched[t.Cluster] && !quarantined(t) && !on(t, revision) {
			left++
		}
	}
	return left
}
