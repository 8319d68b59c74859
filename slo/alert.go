package slo

import (
	"cmp"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/openslo"
)

// Pair is two windows that have to burn at once: the long one says that it matters, the
// short one that it still goes on.
type Pair struct {
	Long, Short time.Duration
	Burn        float64 // breached when both are above it
}

// The shares of the budget that the usual pairs let go before they call out.
const (
	shareOfHour     = 0.02
	shareOfSixHours = 0.05
)

// Pairs are the windows that an SLO is watched with: its own, or the usual two, whose
// burn rates follow from the SLO's period.
func Pairs(o openslo.SLO) []Pair {
	if len(o.Alerts) > 0 {
		var own []Pair
		for _, a := range o.Alerts {
			own = append(own, Pair{Long: a.Long, Short: a.Short, Burn: a.Burn})
		}
		return own
	}
	// Of a short period less than it allows would be such a share: that is no breach.
	burn := func(share float64, long time.Duration) float64 {
		return max(1, share*float64(o.Window)/float64(long))
	}
	usual := []Pair{
		{Long: time.Hour, Short: 5 * time.Minute, Burn: burn(shareOfHour, time.Hour)},
		{Long: 6 * time.Hour, Short: 30 * time.Minute, Burn: burn(shareOfSixHours, 6*time.Hour)},
	}
	if o.Window <= usual[1].Long {
		return usual[:1] // the other would watch more than is promised
	}
	return usual
}

// minAlertEvents in the long window: below it one unlucky request is not a breach.
const minAlertEvents = 20

// Burning is one pair as it was measured.
type Burning struct {
	Pair        Pair
	Long, Short release.Ratio
	NoData      bool
	Code        Code    // of the missing data
	Least       float64 // events in the long window; 0: minAlertEvents
}

// Breached reports whether both windows burn faster than the pair allows, strictly.
func (b Burning) Breached(objective float64) bool {
	return !b.NoData && b.Long.Total >= cmp.Or(b.Least, minAlertEvents) &&
		Burn(b.Long, objective) > b.Pair.Burn && Burn(b.Short, objective) > b.Pair.Burn
}

// Breach is an SLO that is not kept on one cluster, outside of any release.
type Breach struct {
	SLO      string          `json:"slo"`
	Service  release.Service `json:"service"`
	Env      release.Env     `json:"env"`
	Cluster  string          `json:"cluster"`
	Since    time.Time       `json:"since"`
	Ended    time.Time       `json:"ended,omitzero"`
	Long     time.Duration   `json:"long"`     // the window in which it was seen, in nanoseconds
	Burn     float64         `json:"burn"`     // in that window
	Measured float64         `json:"measured"` // share of good events in that window
}

// Key names the place of a breach: one SLO on one cluster.
func (b Breach) Key() string { return b.SLO + "/" + b.Cluster }

// Alarm is what changes when a place was measured: the breach as it is to be stored now,
// or nil when nothing changes. No data changes nothing.
func Alarm(before *Breach, place Breach, pairs []Burning, objective float64, now time.Time) *Breach {
	open := before != nil && before.Ended.IsZero()
	worst, data := Burning{}, false
	breached := false
	for _, b := range pairs {
		data = data || !b.NoData
		if b.Breached(objective) && !breached {
			worst, breached = b, true
		}
	}
	switch {
	case breached && !open:
		place.Since, place.Ended = now, time.Time{}
		place.Long = worst.Pair.Long
		place.Burn, place.Measured = Burn(worst.Long, objective), Share(worst.Long)
		return &place
	case !breached && open && data:
		ended := *before
		ended.Ended = now
		return &ended
	}
	return nil
}
