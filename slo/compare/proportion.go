package compare

import (
	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
)

// Wilson is the interval in which the true share of good events lies; with few events it
// is wide, and it never leaves 0..1.
func Wilson(r release.Ratio, z float64) (low, high float64) {
	return chance.Wilson(r.Good, r.Total, z)
}

// Difference is by how much after's share of good events is larger, with Newcombe's
// interval made of both shares' Wilson intervals.
func Difference(before, after release.Ratio, z float64) (difference, low, high float64) {
	return chance.Sum(z, chance.Term{Sign: 1, Hits: after.Good, Total: after.Total}, chance.Term{Sign: -1, Hits: before.Good, Total: before.Total})
}
