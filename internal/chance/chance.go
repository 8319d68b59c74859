// Package chance says how much a share of few things tells.
//
// Start at Wilson. It never decides what is enough.
package chance

import "math"

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
