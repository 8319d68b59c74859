package hub_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/lab/hub"
	"github.com/seatrial/seatrial/lab/layout"
)

func TestPrometheusScrapesEveryCluster(t *testing.T) {
	clusters := []layout.ClusterEnv{
		{Cluster: layout.Cluster{Name: "a", Index: 1}, Kubeconfig: "/r/clusters/a/admin.kubeconfig", NodeIP: "198.18.1.2"},
		{Cluster: layout.Cluster{Name: "b", Index: 2}, Kubeconfig: "/r/clusters/b/admin.kubeconfig", NodeIP: "198.18.2.2"},
	}
	b, err := json.Marshal(hub.PrometheusConfig(clusters, "/r/hub/rules"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"job_name":"a-pods"`, `"job_name":"b-pods"`, `"job_name":"load"`, `"scrape_interval":"1s"`,
		`"kubeconfig_file":"/r/clusters/b/admin.kubeconfig"`, `{"replacement":"a","target_label":"cluster"}`,
		`"/r/hub/rules/*.yaml"`, `"ca_file":"/r/clusters/a/pki/ca.crt"`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("no %s in %s", want, b)
		}
	}
}

func TestNothingListensOutside(t *testing.T) {
	for _, addr := range []string{layout.ForgeAddr, layout.PrometheusAddr, layout.LoadAddr} {
		if !strings.HasPrefix(addr, "127.0.0.1:") {
			t.Errorf("%s is not on loopback", addr)
		}
	}
	if !strings.HasPrefix(layout.Registry, "198.18.") {
		t.Errorf("the registry %s is outside the lab's range", layout.Registry)
	}
}
