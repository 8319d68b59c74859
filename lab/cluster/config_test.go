package cluster_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/seatrial/seatrial/lab/cluster"
	"github.com/seatrial/seatrial/lab/layout"
)

var staging = layout.Defaults()[0]

var everything = layout.Cluster{Chaos: true, Gateway: true}

func TestConfigsHoldWhatTheMachineNeeds(t *testing.T) {
	files, err := cluster.Configs(staging, "/lab/staging")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ claim, file, want string }{
		{"containers start without the right to lower their score", "containerd.toml", "restrict_oom_score_adj = true"},
		{"the sandbox comes from the lab's registry", "containerd.toml", `sandbox = "198.18.0.1:5000/lab/pause:1"`},
		{"the registry is asked without TLS", "hosts/198.18.0.1:5000/hosts.toml", `server = "http://198.18.0.1:5000"`},
		{"Debian's CNI plugins are found", "containerd.toml", "/usr/lib/cni"},
		{"the kubelet accepts cgroup v1", "kubelet.json", `"failCgroupV1": false`},
		{"pods live below the machine's cgroup", "kubelet.json", `"cgroupRoot": "/lab-staging"`},
		{"the proxy leaves the host's table alone", "proxy.json", `"maxPerCore": 0`},
		{"DNS answers at the node only", "Corefile", "bind 198.18.1.2"},
		{"pods get addresses of this cluster", "cni/10-lab.conflist", "198.19.4.0/22"},
	} {
		t.Run(tc.claim, func(t *testing.T) {
			if !strings.Contains(files[tc.file], tc.want) {
				t.Errorf("%s lacks %s:\n%s", tc.file, tc.want, files[tc.file])
			}
		})
	}
	for name, text := range files {
		if (strings.HasSuffix(name, ".json") || strings.HasSuffix(name, "list")) && !json.Valid([]byte(text)) {
			t.Errorf("%s is not JSON", name)
		}
	}
}

func TestConfigsAreStable(t *testing.T) {
	a, err := cluster.Configs(staging, "/x")
	if err != nil {
		t.Fatal(err)
	}
	b, err := cluster.Configs(staging, "/x")
	if err != nil {
		t.Fatal(err)
	}
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s differs between two renderings: kube-proxy would end itself", name)
		}
	}
}

func TestComponentsStartInOrder(t *testing.T) {
	order := cluster.Components(everything)
	before := func(a, b string) {
		if i, j := slices.Index(order, a), slices.Index(order, b); i < 0 || j < 0 || i > j {
			t.Errorf("%s does not come before %s in %v", a, b, order)
		}
	}
	before("etcd", "apiserver")
	before("apiserver", "kcm")
	before("containerd", "kubelet") // a kubelet without runtime gives up
	before("kubelet", "proxy")
	before("chaos-daemon", "chaos-controller")
	if slices.Contains(cluster.Components(layout.Cluster{}), "chaos-daemon") {
		t.Error("a cluster without chaos has its daemon")
	}
}

func TestEveryComponentHasACommand(t *testing.T) {
	programs := cluster.Programs(staging, "/lab/staging", cluster.Bins{Kubernetes: "/k", Etcd: "/e"})
	for _, name := range cluster.Components(everything) {
		p, ok := programs[name]
		if !ok || p.Name != name || len(p.Argv) == 0 {
			t.Errorf("component %s has no command: %+v", name, p)
		}
	}
	if len(programs) != len(cluster.Components(everything)) {
		t.Errorf("%d commands for %d components", len(programs), len(cluster.Components(everything)))
	}
	if !slices.Contains(programs["apiserver"].Argv, "--advertise-address=198.18.1.2") {
		t.Error("the API server does not advertise the node's address")
	}
}

func TestABareClusterHasNoNode(t *testing.T) {
	got := cluster.Components(layout.Cluster{Bare: true})
	if want := []string{"etcd", "apiserver", "kcm"}; !slices.Equal(got, want) {
		t.Errorf("components %v, want %v", got, want)
	}
}
