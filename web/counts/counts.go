// Package counts holds the metrics of the API and of the webhooks.
//
// Start at New. It counts by route and never by what was asked, so that its labels are
// bounded.
package counts

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seatrial/seatrial/internal/forge"
)

// Counts are registered once, by New.
type Counts struct {
	requests   *prometheus.CounterVec
	seconds    *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
}

// New registers all of them; open says how many event streams are.
func New(reg prometheus.Registerer, open func() int) (*Counts, error) {
	m := &Counts{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seatrial_http_requests_total",
			Help: "Requests by route, method and status."}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "seatrial_http_request_duration_seconds",
			Help:    "Time until the answer was written, by route; streams are left out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30}}, []string{"route"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "seatrial_webhook_deliveries_total",
			Help: "Webhook deliveries by forge and what became of them."}, []string{"forge", "result"}),
	}
	streams := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "seatrial_http_streams",
		Help: "Open event streams."}, func() float64 { return float64(open()) })
	return m, errors.Join(reg.Register(m.requests), reg.Register(m.seconds), reg.Register(m.deliveries), reg.Register(streams))
}

// Request counts one answer; of a stream the time is left out.
func (m *Counts) Request(route, method string, code int, took time.Duration, stream bool) {
	if route == "" {
		route = "none"
	}
	if _, path, ok := strings.Cut(route, " "); ok {
		route = path
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(code)).Inc()
	if !stream {
		m.seconds.WithLabelValues(route).Observe(took.Seconds())
	}
}

// Delivery counts a webhook and what became of it.
func (m *Counts) Delivery(kind forge.Kind, result string) {
	m.deliveries.WithLabelValues(string(kind), result).Inc()
}
