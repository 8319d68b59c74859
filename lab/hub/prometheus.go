package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/seatrial/seatrial/lab/layout"
)

// RuleDir is where Prometheus looks for rules; whoever writes there asks it to
// reload afterwards.
func (h *Hub) RuleDir() string { return filepath.Join(h.root.Hub(), "rules") }

func (h *Hub) preparePrometheus() error {
	if err := os.MkdirAll(h.RuleDir(), 0o755); err != nil {
		return err
	}
	env, err := os.ReadFile(h.root.EnvFile())
	if errors.Is(err, os.ErrNotExist) {
		return h.writePrometheus(nil)
	}
	if err != nil {
		return err
	}
	e, err := layout.ParseEnv(env)
	if err != nil {
		return err
	}
	return h.writePrometheus(e.Clusters)
}

func (h *Hub) writePrometheus(clusters []layout.ClusterEnv) error {
	b, err := json.MarshalIndent(PrometheusConfig(clusters, h.RuleDir()), "", "  ")
	if err != nil {
		return err
	}
	return h.write("prometheus.json", string(b))
}

// WatchClusters tells Prometheus which clusters there are.
func (h *Hub) WatchClusters(ctx context.Context, clusters []layout.ClusterEnv) error {
	if err := h.writePrometheus(clusters); err != nil {
		return fmt.Errorf("configure prometheus: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+layout.PrometheusAddr+"/-/reload", nil)
	if err != nil {
		return err
	}
	resp, err := httpClient.Do(req)
	if err != nil {
		return nil // it is not up: it reads the file when it starts
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("reload prometheus: %s", resp.Status)
	}
	return nil
}

// PrometheusConfig renders the configuration; JSON is YAML too. It is pure.
func PrometheusConfig(clusters []layout.ClusterEnv, ruleDir string) any {
	type m = map[string]any
	jobs := []any{
		m{"job_name": "load", "static_configs": []any{m{"targets": []any{layout.LoadAddr}}}, "honor_labels": true},
		m{"job_name": "prometheus", "static_configs": []any{m{"targets": []any{layout.PrometheusAddr}}}},
	}
	for _, c := range clusters {
		if c.Bare {
			continue // nothing runs in it
		}
		label := m{"target_label": "cluster", "replacement": c.Name}
		jobs = append(jobs,
			m{
				"job_name":              c.Name + "-pods",
				"kubernetes_sd_configs": []any{m{"role": "pod", "kubeconfig_file": c.Kubeconfig}},
				"relabel_configs":       append(podRelabels(), label),
			},
			m{
				// What containers really use: the evidence for a stress fault.
				"job_name": c.Name + "-containers", "scheme": "https", "metrics_path": "/metrics/cadvisor", "scrape_interval": "5s",
				"static_configs": []any{m{"targets": []any{c.NodeIP + ":10250"}}},
				"tls_config": m{
					"ca_file":   filepath.Join(filepath.Dir(c.Kubeconfig), "pki", "ca.crt"),
					"cert_file": filepath.Join(filepath.Dir(c.Kubeconfig), "pki", "admin.crt"),
					"key_file":  filepath.Join(filepath.Dir(c.Kubeconfig), "pki", "admin.key"),
					// The kubelet signs its serving certificate itself.
					"insecure_skip_verify": true,
				},
				"relabel_configs": []any{label},
				"metric_relabel_configs": []any{
					m{"source_labels": []any{"__name__"}, "action": "keep", "regex": "container_(cpu_usage_seconds_total|memory_working_set_bytes|cpu_cfs_throttled_seconds_total)"},
					m{"source_labels": []any{"container"}, "action": "drop", "regex": ""},
				},
			})
	}
	return m{
		"global":         m{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
		"rule_files":     []any{filepath.Join(ruleDir, "*.yaml"), filepath.Join(ruleDir, "*.json")},
		"scrape_configs": jobs,
	}
}

// podRelabels keeps pods that ask to be scraped, by the usual annotations.
func podRelabels() []any {
	type m = map[string]any
	meta := func(name string) any { return "__meta_kubernetes_pod_" + name }
	return []any{
		m{"source_labels": []any{meta("annotation_prometheus_io_scrape")}, "action": "keep", "regex": "true"},
		m{"source_labels": []any{meta("phase")}, "action": "drop", "regex": "Succeeded|Failed"},
		m{"source_labels": []any{meta("annotation_prometheus_io_path")}, "target_label": "__metrics_path__", "regex": "(.+)"},
		m{"source_labels": []any{meta("ip"), meta("annotation_prometheus_io_port")}, "separator": ":", "target_label": "__address__"},
		m{"source_labels": []any{"__meta_kubernetes_namespace"}, "target_label": "namespace"},
		m{"source_labels": []any{meta("name")}, "target_label": "pod"},
		m{"source_labels": []any{meta("label_app_kubernetes_io_name")}, "target_label": "app", "regex": "(.+)"},
		m{"source_labels": []any{meta("label_app")}, "target_label": "app", "regex": "(.+)"},
	}
}
