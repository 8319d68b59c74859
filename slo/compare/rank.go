package compare

import (
	"math"
	"slices"
	"sort"
)

// Test is the rank test of two samples.
type Test struct {
	U     float64 // pairs in which after is larger, ties count a half
	P     float64 // two-sided
	Delta float64 // Cliff's: -1 after is always smaller, 0 as often smaller as larger, 1 always larger
	Exact bool
}

// maxExact is up to which product of the sizes the distribution is counted out.
const maxExact = 400

// MannWhitney tests whether after tends to be larger or smaller than before. Small
// samples without ties are counted out; else it is the normal approximation, corrected
// for ties and continuity. All values have to be finite, and neither sample empty.
func MannWhitney(before, after []float64) Test {
	n, m := float64(len(after)), float64(len(before))
	ranks, ties := rankSum(after, before)
	t := Test{U: ranks - n*(n+1)/2}
	t.Delta = 2*t.U/(n*m) - 1
	if ties == 0 && n*m <= maxExact {
		t.Exact = true
		t.P = exact(len(after), len(before), t.U)
		return t
	}
	all := n + m
	variance := n * m / 12 * (all + 1 - ties/(all*(all-1)))
	if variance <= 0 { // all values are equal
		t.P = 1
		return t
	}
	z := max(0, math.Abs(t.U-n*m/2)-0.5) / math.Sqrt(variance)
	t.P = math.Erfc(z / math.Sqrt2)
	return t
}

// rankSum is the sum of a's ranks among a and b, ties at their mean, and the sum of
// t*t*t-t over the sizes of the ties.
func rankSum(a, b []float64) (sum, ties float64) {
	type value struct {
		v float64
		a bool
	}
	all := make([]value, 0, len(a)+len(b))
	for _, v := range a {
		all = append(all, value{v, true})
	}
	for _, v := range b {
		all = append(all, value{v, false})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].v < all[j].v })
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		mean := float64(i+1+j) / 2
		for _, v := range all[i:j] {
			if v.a {
				sum += mean
			}
		}
		t := float64(j - i)
		ties += t*t*t - t
		i = j
	}
	return sum, ties
}

// exact is the two-sided probability of a U at least as far from the middle.
func exact(n, m int, u float64) float64 {
	ways := arrangements(n, m)
	total, tail := 0.0, 0.0
	far := math.Abs(u - float64(n*m)/2)
	for k, w := range ways {
		total += w
		if math.Abs(float64(k)-float64(n*m)/2) >= far {
			tail += w
		}
	}
	return min(1, tail/total)
}

// arrangements counts the orders of n and m values by their U.
func arrangements(n, m int) []float64 {
	// of[j][u]: orders of the first i of n and j of m values. The largest value is one of
	// the n, and stands above all j, or one of the m.
	of := make([][]float64, m+1)
	for j := range of {
		of[j] = []float64{1}
	}
	for range n {
		next := make([][]float64, m+1)
		next[0] = []float64{1}
		for j := 1; j <= m; j++ {
			sum := make([]float64, max(len(of[j])+j, len(next[j-1])))
			for u, w := range of[j] {
				sum[u+j] += w
			}
			for u, w := range next[j-1] {
				sum[u] += w
			}
			next[j] = sum
		}
		of = next
	}
	return of[m]
}

// Shift is by how much after is larger than before: the median of all pairs' differences
// (Hodges and Lehmann), with the interval that the rank test does not refuse at z.
func Shift(before, after []float64, z float64) (shift, low, high float64) {
	pairs := make([]float64, 0, len(before)*len(after))
	for _, a := range after {
		for _, b := range before {
			pairs = append(pairs, a-b)
		}
	}
	slices.Sort(pairs)
	n, m := float64(len(after)), float64(len(before))
	k := int(math.Floor(n*m/2 - z*math.Sqrt(n*m*(n+m+1)/12)))
	if k < 1 {
		return median(pairs), math.Inf(-1), math.Inf(1)
	}
	return median(pairs), pairs[k-1], pairs[len(pairs)-k]
}

func median(sorted []float64) float64 { return quantile(sorted, 0.5) }

// quantile of sorted values, between two of them where it falls there.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
