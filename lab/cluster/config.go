package cluster

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seatrial/seatrial/lab/layout"
)

// Configs renders every configuration file of a cluster: path below the
// cluster's folder to content. It is pure, so that a test can read it.
func Configs(c layout.Cluster, dir string) (map[string]string, error) {
	files := map[string]string{
		"containerd.toml": containerdConfig(dir),
		"Corefile":        corefile(c, dir),
		"hosts/" + layout.Registry + "/hosts.toml": fmt.Sprintf(
			"server = \"http://%[1]s\"\n\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", layout.Registry),
	}
	for name, v := range map[string]any{
		"cni/10-lab.conflist": cniConfig(c),
		"kubelet.json":        kubeletConfig(c, dir),
		"proxy.json":          proxyConfig(c, dir),
	} {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", name, err)
		}
		files[name] = string(b)
	}
	return files, nil
}

func writeConfigs(c layout.Cluster, dir string) error {
	files, err := Configs(c, dir)
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		// kube-proxy ends itself when its file is written, even with the same text.
		if old, err := os.ReadFile(path); err == nil && string(old) == text {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func containerdConfig(dir string) string {
	return fmt.Sprintf(`version = 3
root = %q
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]

[grpc]
  address = %q

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = %q
  [plugins.'io.containerd.cri.v1.images'.registry]
    config_path = %q

[plugins.'io.containerd.cri.v1.runtime']
  # Without the right to lower it, every container would fail to start.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = %q
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`, filepath.Join(dir, "containerd"), containerdSocket, layout.PauseImage, filepath.Join(dir, "hosts"), filepath.Join(dir, "cni"))
}

func cniConfig(c layout.Cluster) any {
	type m = map[string]any
	return m{"cniVersion": "1.0.0", "name": "lab", "plugins": []any{
		m{
			"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
			"ipam": m{"type": "host-local", "ranges": []any{[]any{m{"subnet": c.PodCIDR()}}}, "routes": []any{m{"dst": "0.0.0.0/0"}}},
		},
		m{"type": "portmap", "capabilities": m{"portMappings": true}},
	}}
}

func kubeletConfig(c layout.Cluster, dir string) any {
	type m = map[string]any
	return m{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"failCgroupV1": false, "failSwapOn": false, "cgroupDriver": "cgroupfs", "cgroupRoot": "/" + c.Machine(),
		"cgroupsPerQOS": true, "enforceNodeAllocatable": []any{}, "oomScoreAdj": 0,
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"authentication": m{
			"anonymous": m{"enabled": false}, "webhook": m{"enabled": true},
			"x509": m{"clientCAFile": filepath.Join(dir, "pki", "ca.crt")},
		},
		"authorization": m{"mode": "Webhook"},
		"address":       c.NodeIP(), "clusterDNS": []any{c.DNSServiceIP()}, "clusterDomain": "cluster.local", "resolvConf": "",
		"maxPods": 250, "registerNode": true, "syncFrequency": "5s",
		"evictionHard":                m{"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "100Mi"},
		"imageGCHighThresholdPercent": 100,
		"podLogsDir":                  filepath.Join(dir, "podlogs"),
		"volumePluginDir":             filepath.Join(dir, "volplugins"),
		// A crash loop is what many trials look at: five minutes of back-off hide it.
		"crashLoopBackOff": m{"maxContainerRestartPeriod": "15s"},
	}
}

func proxyConfig(c layout.Cluster, dir string) any {
	type m = map[string]any
	return m{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"clientConnection": m{"kubeconfig": filepath.Join(dir, "proxy.kubeconfig")},
		"mode":             "iptables", "clusterCIDR": c.PodCIDR(), "hostnameOverride": c.Node(), "oomScoreAdj": 0,
		"metricsBindAddress": "127.0.0.1:10249", "healthzBindAddress": c.NodeIP() + ":10256",
		// Only the first network namespace may change the table's size.
		"conntrack": m{"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
	}
}

func corefile(c layout.Cluster, dir string) string {
	return fmt.Sprintf(`.:53 {
  bind %[1]s
  errors
  health %[1]s:8080
  ready %[1]s:8181
  prometheus %[1]s:9153
  kubernetes cluster.local in-addr.arpa {
    kubeconfig %[2]s
    ttl 5
  }
  cache 5 {
    denial 1000 1 1
  }
}
`, c.NodeIP(), filepath.Join(dir, "coredns.kubeconfig"))
}
