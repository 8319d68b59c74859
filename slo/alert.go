package slo

import (
	"cmp"
	"time"

	"github.com/seatrial/seatrial/release"
	"github.com/seatrial/seatrial/slo/burn"
	"github.com/seatrial/seatrial/slo/openslo"
)

// watched are the pairs that an SLO is watched with: where nobody is woken, too, and always
// at least one, since the first says how the SLO is doing.
func watched(o openslo.SLO) []burn.Pair {
	o.NoPage = false
	if pairs := o.Pairs(); len(pairs) > 0 {
		return pairs
	}
	return []burn.Pair{{Severity: burn.Page, Long: o.Window, Short: o.Window / 12, Rate: 1}}
}

// minAlertEvents in the long window: below it one unlucky request is not a breach.
const minAlertEvents = 20

// Burning is one pair as it was measured.
type Burning struct {
	Pair        burn.Pair
	Long, Short release.Ratio
	NoData      bool
	Code        Code    // of the missing data
	Least       float64 // events in the long window; 0: minAlertEvents
}

// Breached reports whether both windows burn faster than the pair allows, strictly.
func (b Burning) Breached(objective float64) bool {
	return !b.NoData && b.Long.Total >= cmp.Or(b.Least, minAlertEvents) &&
		b.Pair.Calls(spent(b.Long), spent(b.Short), burn.Target(objective))
}

// Breach is an SLO that is not kept on one cluster, outside of any release.
type Breach struct {
	SLO      string          `json:"slo"`
	Service  release.Service `json:"service"`
	Env      release.Env     `json:"env"`
	Cluster  string          `json:"cluster"`
	Project  string          `json:"project,omitempty"`
	Since    time.Time       `json:"since"`
	Ended    time.Time       `json:"ended,omitzero"`
	Long     time.Duration   `json:"long"`             // the window in which it was seen, in nanoseconds
	Burn     float64         `json:"burn"`             // in that window
	Measured float64         `json:"measured"`         // share of good events in that window
	Ticket   bool            `json:"ticket,omitempty"` // it can wait until the morning
}

func (b Breach) severity() burn.Severity {
	if b.Ticket {
		return burn.Ticket
	}
	return burn.Page
}

// Key names the place of a breach: one SLO on one cluster, for each severity.
func (b Breach) Key() string {
	if b.Ticket {
		return b.SLO + "/" + b.Cluster + "/ticket"
	}
	return b.SLO + "/" + b.Cluster
}

// Alarm is what changes when a place was measured: the breach as it is to be stored now,
// or nil when nothing changes. No data changes nothing: a breach ends when every pair is known
// and none calls.
func Alarm(before *Breach, place Breach, pairs []Burning, objective float64, now time.Time) *Breach {
	open := before != nil && before.Ended.IsZero()
	worst, known := Burning{}, len(pairs) > 0
	breached := false
	for _, b := range pairs {
		known = known && !b.NoData
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
	case !breached && open && known:
		ended := *before
		ended.Ended = now
		return &ended
	}
	return nil
}
