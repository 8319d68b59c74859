package presence

import "github.com/prometheus/client_golang/prometheus"

var answers = prometheus.NewDesc("seatrial_cluster_answers", "Whether a cluster, or its agent, answers: 1, or 0.", []string{"cluster"}, nil)

// Describe is prometheus.Collector's.
func (w *Watch) Describe(out chan<- *prometheus.Desc) { out <- answers }

// Collect is prometheus.Collector's. A cluster that was not asked yet counts as one that answers.
func (w *Watch) Collect(out chan<- prometheus.Metric) {
	for _, c := range w.Clusters() {
		value := 1.0
		if !w.Away(c.Meta.Name).IsZero() {
			value = 0
		}
		out <- prometheus.MustNewConstMetric(answers, prometheus.GaugeValue, value, c.Meta.Name)
	}
}
