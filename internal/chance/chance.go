// Package chance says how much a share of few things tells.
//
// Start at Wilson, then Sum. It never decides what is enough.
package chance

import (
	"fmt"
	"math"
)

// Wilson is the interval in which a true share lies, with z standard deviations to either
// side, of hits among total. It never leaves 0..1; without any it is all of that.
func Wilson(hits, total, z float64) (low, high float64) {
	if !(total > 0) {
		return 0, 1
	}
	p := min(1, max(0, hits/total))
	middle := (p + z*z/(2*total)) / (1 + z*z/total)
	half := z / (1 + z*z/total) * math.Sqrt(p*(1-p)/total+z*z/(4*total*total))
	return max(0, middle-half), min(1, middle+half)
}

// Term is the share of hits among a total, with its sign in a sum.
type Term struct{ Sign, Hits, Total float64 }

// Sum is a signed sum of shares, and the interval it lies in with z standard deviations to
// either side. It is made of the shares' Wilson intervals, as Newcombe's is of a difference
// of two: each adds the square of its own reach.
func Sum(z float64, terms ...Term) (sum, low, high float64) {
	var down, up float64
	for _, t := range terms {
		p := Share(t.Hits, t.Total)
		toLow, toHigh := Wilson(t.Hits, t.Total, z)
		toLow, toHigh = p-toLow, toHigh-p
		if t.Sign < 0 {
			toLow, toHigh = toHigh, toLow
		}
		sum += t.Sign * p
		down, up = down+toLow*toLow, up+toHigh*toHigh
	}
	return sum, sum - math.Sqrt(down), sum + math.Sqrt(up)
}

// Share is hits among total, 0..1; 0 without any.
func Share(hits, total float64) float64 {
	if !(total > 0) {
		return 0
	}
	return min(1, max(0, hits/total))
}

// Percent writes a share as people read it, "91.2 %" or "99.95 %", and never rounds up:
// only a share of exactly 1 is "100 %".
func Percent(share float64) string {
	scale := 10.0
	for limit := 0.99; share >= limit && scale < 10_000; limit = 1 - (1-limit)/10 {
		scale *= 10
	}
	return fmt.Sprintf("%v %%", math.Floor(share*100*scale+1e-6)/scale)
}
