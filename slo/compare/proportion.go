package compare

import (
	"math"

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
	a, b := share(after), share(before)
	aLow, aHigh := Wilson(after, z)
	bLow, bHigh := Wilson(before, z)
	difference = a - b
	return difference, difference - math.Hypot(a-aLow, bHigh-b), difference + math.Hypot(aHigh-a, b-bLow)
}

func share(r release.Ratio) float64 { return clamp(r.Good / r.Total) }
func clamp(x float64) float64       { return min(1, max(0, x)) }
