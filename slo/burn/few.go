package burn

import "math"

// Needed is how many events without a single bad one it takes to claim, with a confidence
// such as 0.95, that less than the share `ratio` of all is bad: 2,995 for 0.1 %, and 207
// to exclude a 14.4-fold burn of that.
func Needed(ratio, confidence float64) int {
	if !(ratio > 0 && ratio < 1 && confidence > 0 && confidence < 1) {
		return math.MaxInt
	}
	return int(math.Ceil(math.Log1p(-confidence) / math.Log1p(-ratio)))
}

// Claim is what events allow to be said of the share of bad ones.
type Claim int

const (
	Inconclusive Claim = iota // too few: neither can be said
	Below                     // the share is below the limit
	Above                     // the share is above the limit
)

func (c Claim) String() string {
	switch c {
	case Below:
		return "below"
	case Above:
		return "above"
	}
	return "inconclusive"
}

// Judge says on which side of limit, a share of bad events, the truth is. Each answer is
// wrong with a chance of at most 1-confidence, whatever the number of events: the bounds
// are the exact ones of the binomial distribution. Prometheus extrapolates counts, so they
// are rounded, bad ones up and good ones down.
func Judge(e Events, limit, confidence float64) Claim {
	if !(e.Total >= 1) || !(e.Bad >= 0) || math.IsInf(e.Total, 0) || !(limit > 0 && limit < 1 && confidence > 0 && confidence < 1) {
		return Inconclusive
	}
	n := math.Floor(e.Total)
	most := min(n, math.Ceil(e.Bad))
	least := min(n, math.Floor(e.Bad))
	switch risk := 1 - confidence; {
	case AtMost(most, n, limit) <= risk:
		return Below
	case least > 0 && 1-AtMost(least-1, n, limit) <= risk:
		return Above
	}
	return Inconclusive
}

// AtMost is the chance of at most k bad events of n when each is bad with chance p: the
// binomial distribution, through the incomplete beta function, so that millions of events
// cost no more than ten.
func AtMost(k, n, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	}
	return beta(1-p, n-k, k+1)
}

// beta is the regularised incomplete beta function I_x(a, b).
func beta(x, a, b float64) float64 {
	if x <= 0 || x >= 1 {
		return min(1, max(0, x))
	}
	if x > (a+1)/(a+b+2) { // where the fraction converges slowly
		return 1 - beta(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) * fraction(x, a, b) / a
}

// fraction is the continued fraction of the function, by Lentz's method. The number of
// steps grows with the root of the larger parameter.
func fraction(x, a, b float64) float64 {
	const tiny = 1e-300
	steps := 200 + 10*int(math.Sqrt(max(a, b)))
	nonzero := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/nonzero(1-(a+b)*x/(a+1))
	f := d
	for i := 1; i <= steps; i++ {
		m := float64(i)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / nonzero(1+even*d)
		c = nonzero(1 + even/c)
		f *= c * d
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / nonzero(1+odd*d)
		c = nonzero(1 + odd/c)
		f *= c * d
		if math.Abs(c*d-1) < 1e-14 {
			break
		}
	}
	return f
}
