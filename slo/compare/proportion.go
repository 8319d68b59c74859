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
