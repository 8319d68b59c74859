package load

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"time"
)

// buckets are the upper bounds of the latency histogram, in seconds.
var buckets = []float64{.001, .0025, .005, .01, .02, .03, .05, .075, .1, .15, .2, .25, .3, .4, .5, .75, 1}

// Metrics counts requests and writes them in Prometheus' text format.
type Metrics struct {
	mu      sync.Mutex // guards what follows
	series  map[place]*series
	skipped uint64 // requests not sent because too many were in flight
}

type place struct{ service, cluster string }

type series struct {
	codes  map[int]uint64
	counts []uint64 // by bucket, not cumulative; the last is +Inf
	sum    float64  // seconds
}

// NewMetrics returns empty counters.
func NewMetrics() *Metrics { return &Metrics{series: map[place]*series{}} }

// Count counts one request; code 0 is for one without an answer.
func (m *Metrics) Count(service, cluster string, code int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := place{service, cluster}
	s, ok := m.series[p]
	if !ok {
		// The counters that an SLO divides must exist before the first failure.
		s = &series{codes: map[int]uint64{0: 0, 200: 0, 500: 0, 503: 0}, counts: make([]uint64, len(buckets)+1)}
		m.series[p] = s
	}
	s.codes[code]++
	sec := took.Seconds()
	i, _ := slices.BinarySearch(buckets, sec)
	s.counts[i]++
	s.sum += sec
}

// Skip counts a request that could not even be sent.
func (m *Metrics) Skip() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.skipped++
}

// Write writes everything; the order is always the same.
func (m *Metrics) Write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	places := make([]place, 0, len(m.series))
	for p := range m.series {
		places = append(places, p)
	}
	slices.SortFunc(places, func(a, b place) int {
		return slices.Compare([]string{a.service, a.cluster}, []string{b.service, b.cluster})
	})
	fmt.Fprint(w, "# HELP gateway_requests_total Requests by answer; code 0 means none came.\n# TYPE gateway_requests_total counter\n")
	for _, p := range places {
		s := m.series[p]
		codes := make([]int, 0, len(s.codes))
		for c := range s.codes {
			codes = append(codes, c)
		}
		slices.Sort(codes)
		for _, c := range codes {
			fmt.Fprintf(w, "gateway_requests_total{service=%q,cluster=%q,code=\"%d\"} %d\n", p.service, p.cluster, c, s.codes[c])
		}
	}
	fmt.Fprint(w, "# HELP gateway_request_duration_seconds Time until the whole answer, or the failure.\n# TYPE gateway_request_duration_seconds histogram\n")
	for _, p := range places {
		m.writeHistogramLocked(w, p)
	}
	fmt.Fprintf(w, "# HELP gateway_requests_skipped_total Requests not sent: too many were in flight.\n# TYPE gateway_requests_skipped_total counter\ngateway_requests_skipped_total %d\n", m.skipped)
}

func (m *Metrics) writeHistogramLocked(w io.Writer, p place) {
	const name = "gateway_request_duration_seconds"
	s := m.series[p]
	total := uint64(0)
	for i, n := range s.counts {
		total += n
		le := "+Inf"
		if i < len(buckets) {
			le = strconv.FormatFloat(buckets[i], 'g', -1, 64)
		}
		fmt.Fprintf(w, "%s_bucket{service=%q,cluster=%q,le=%q} %d\n", name, p.service, p.cluster, le, total)
	}
	fmt.Fprintf(w, "%s_sum{service=%q,cluster=%q} %g\n%s_count{service=%q,cluster=%q} %d\n", name, p.service, p.cluster, s.sum, name, p.service, p.cluster, total)
}
