package twobytwo

import (
	"github.com/seatrial/seatrial/internal/chance"
	"github.com/seatrial/seatrial/release"
)

// Cell is one SLO under one experiment, for a score.
type Cell struct {
	Side
	Objective float64
}

// Took is how well a release took one experiment.
type Took struct {
	Cells     []Cell
	Recovered bool
}

// Score is 0 to 100: of what the objectives allow to go wrong, the share that the faults
// did not use up, the mean of all SLOs of all experiments. 100: no fault was noticed; 0:
// each used up all that is allowed, or was never recovered from. False without a cell.
func Score(all []Took) (float64, bool) {
	sum, n := 0.0, 0
	for _, took := range all {
		for _, c := range took.Cells {
			n++
			if took.Recovered {
				sum += 100 * (1 - used(c))
			}
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n), true
}

// used is the share of the allowed bad events that the fault brought, 0..1.
func used(c Cell) float64 {
	lost := share(c.Without) - share(c.Under)
	budget := 1 - c.Objective
	switch {
	case lost <= 0:
		return 0
	case budget <= 0:
		return 1
	}
	return min(1, lost/budget)
}

func share(r release.Ratio) float64 { return chance.Share(r.Good, r.Total) }
