// Package layout holds the words of the lab: what a cluster is called, which
// addresses follow from its index, and where everything lies on disk.
//
// Start at Cluster. The package never touches a file or the network, so every
// other part of the lab may import it.
package layout

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
)

// SharedIP is where services that clusters reach listen: on the host's lo.
const SharedIP = "198.18.0.1"

// Registry is the one name of the registry for the platform, BuildKit and
// every cluster, so that an image reference means the same everywhere.
const Registry = SharedIP + ":5000"

// PauseImage is the sandbox image of every pod.
const PauseImage = Registry + "/lab/pause:1"

// The services of the host listen on loopback.
const (
	ForgeAddr      = "127.0.0.1:3000"
	PrometheusAddr = "127.0.0.1:9095"
	LoadAddr       = "127.0.0.1:9096"
)

// MaxIndex is the highest cluster index that the address plan has room for.
const MaxIndex = 60

// Cluster says what a cluster is; everything else about it follows.
type Cluster struct {
	Name   string            `json:"name"`
	Index  int               `json:"index"` // 1..MaxIndex, decides every address
	Labels map[string]string `json:"labels"`
	Chaos  bool              `json:"chaos"`          // Chaos Mesh runs in it
	Bare   bool              `json:"bare,omitempty"` // a control plane alone: no node, so nothing runs in it

	Gateway bool `json:"gateway,omitempty"` // a gateway that takes HTTPRoutes runs in it
}

// Defaults returns the clusters that "lab up" boots when none is named.
func Defaults() []Cluster {
	return []Cluster{
		{Name: "staging", Index: 1, Labels: map[string]string{"env": "staging"}, Chaos: true},
		{Name: "prod-canary", Index: 2, Labels: map[string]string{"env": "prod", "ring": "canary"}},
		{Name: "prod-main", Index: 3, Labels: map[string]string{"env": "prod", "ring": "main"}},
	}
}

var namePattern = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$`)

// ReservedNames are words that commands use where a cluster's name could stand.
var reservedNames = []string{"hub", "registry", "buildkitd", "prometheus", "forge", "load"}

// Validate reports the first thing that is wrong with a cluster.
func (c Cluster) Validate() error {
	switch {
	case !namePattern.MatchString(c.Name):
		return fmt.Errorf("cluster name %q: want a-z, 0-9 and -, at most 30 characters", c.Name)
	case slices.Contains(reservedNames, c.Name):
		return fmt.Errorf("cluster name %q: the word is taken by the lab", c.Name)
	case c.Bare && c.Chaos:
		return fmt.Errorf("cluster %s: Chaos Mesh needs a node", c.Name)
	case c.Index < 1 || c.Index > MaxIndex:
		return fmt.Errorf("cluster %s: index %d: want 1 to %d", c.Name, c.Index, MaxIndex)
	}
	return nil
}

// Machine is the name of the cluster's network namespace, cgroup and hostname prefix.
func (c Cluster) Machine() string { return "lab-" + c.Name }

// Node is the name of the cluster's only node.
func (c Cluster) Node() string { return c.Name + "-node1" }

// Link is the host's end of the cluster's cable.
func (c Cluster) Link() string { return fmt.Sprintf("lab%d", c.Index) }

// HostIP is the host's address on the cable.
func (c Cluster) HostIP() string { return fmt.Sprintf("198.18.%d.1", c.Index) }

// NodeIP is the node's address; API server, DNS and kubelet listen there.
func (c Cluster) NodeIP() string { return fmt.Sprintf("198.18.%d.2", c.Index) }

// ServiceCIDR is the range of ClusterIPs: 254 of them.
func (c Cluster) ServiceCIDR() string { return fmt.Sprintf("198.18.%d.0/24", 128+c.Index) }

// APIServiceIP is the ClusterIP of kubernetes.default.
func (c Cluster) APIServiceIP() string { return fmt.Sprintf("198.18.%d.1", 128+c.Index) }

// DNSServiceIP is the ClusterIP of kube-dns.
func (c Cluster) DNSServiceIP() string { return fmt.Sprintf("198.18.%d.10", 128+c.Index) }

// PodCIDR is the range of pod addresses: about a thousand.
func (c Cluster) PodCIDR() string { return fmt.Sprintf("198.19.%d.0/22", 4*c.Index) }

// APIServer is the URL of the cluster's API.
func (c Cluster) APIServer() string { return "https://" + c.NodeIP() + ":6443" }

// DNS is where the cluster's DNS answers host processes.
func (c Cluster) DNS() string { return c.NodeIP() + ":53" }

// FreeIndex returns the lowest index that no cluster in taken uses, from 10 up:
// the ones below are for clusters with a fixed place.
func FreeIndex(taken []Cluster) (int, error) {
	for i := 10; i <= MaxIndex; i++ {
		if !slices.ContainsFunc(taken, func(c Cluster) bool { return c.Index == i }) {
			return i, nil
		}
	}
	return 0, fmt.Errorf("choose an index: all of 10 to %d are in use", MaxIndex)
}

// Root is the state folder of one lab.
type Root string

// DefaultRoot lies on a disk: images and registry blobs do not belong in memory.
const DefaultRoot Root = "/var/lib/seatrial-lab"

// DefaultCache outlives every lab on the machine.
const DefaultCache = "/var/cache/seatrial-lab"

// Path joins names below the root.
func (r Root) Path(names ...string) string {
	return filepath.Join(append([]string{string(r)}, names...)...)
}

// Hub is the folder of the shared services.
func (r Root) Hub() string { return r.Path("hub") }

// Cluster is the folder of one cluster.
func (r Root) Cluster(name string) string { return r.Path("clusters", name) }

// Kubeconfig is the administrator's way into a cluster.
func (r Root) Kubeconfig(name string) string {
	return filepath.Join(r.Cluster(name), "admin.kubeconfig")
}

// EnvFile describes the running lab to its users.
func (r Root) EnvFile() string { return r.Path("lab.json") }

// LoadFile holds the wishes of the load generator.
func (r Root) LoadFile() string { return r.Path("hub", "load.json") }

// BuildkitSocket is where buildkitd listens.
func (r Root) BuildkitSocket() string { return r.Path("hub", "buildkitd.sock") }

// Env is what a user of the lab needs to know; lab.json holds it.
type Env struct {
	Clusters   []ClusterEnv `json:"clusters"`
	Registry   string       `json:"registry"`   // host:port, plain HTTP
	BuildKit   string       `json:"buildkit"`   // address for a BuildKit client
	Prometheus string       `json:"prometheus"` // URL
	Forge      ForgeEnv     `json:"forge"`
	RuleDir    string       `json:"rule_dir"` // Prometheus reads *.yaml and *.json here
	Bin        []string     `json:"bin"`      // folders with kubectl, buildctl, etcd and the rest
	Root       string       `json:"root"`
	// Lacks names what this machine's kernel cannot do, such as "netem": then
	// network delay and loss cannot be injected.
	Lacks []string `json:"lacks"`
}

// ClusterEnv is one running cluster as its users see it.
type ClusterEnv struct {
	Cluster
	Kubeconfig string `json:"kubeconfig"`
	NodeIP     string `json:"node_ip"`
	DNS        string `json:"dns"` // host:port, UDP and TCP
}

// ForgeEnv says where Gitea is and which files hold its secrets.
type ForgeEnv struct {
	URL          string `json:"url"`
	User         string `json:"user"`
	PasswordFile string `json:"password_file"`
	TokenFile    string `json:"token_file"`
}

// ParseEnv reads what lab.json holds.
func ParseEnv(b []byte) (Env, error) {
	var e Env
	if err := json.Unmarshal(b, &e); err != nil {
		return Env{}, fmt.Errorf("parse lab.json: %w", err)
	}
	if e.Root == "" || e.Registry == "" {
		return Env{}, fmt.Errorf("parse lab.json: root or registry is missing")
	}
	for _, c := range e.Clusters {
		if err := c.Validate(); err != nil {
			return Env{}, fmt.Errorf("parse lab.json: %w", err)
		}
	}
	return e, nil
}

// Cluster finds a cluster by name.
func (e Env) Cluster(name string) (ClusterEnv, bool) {
	i := slices.IndexFunc(e.Clusters, func(c ClusterEnv) bool { return c.Name == name })
	if i < 0 {
		return ClusterEnv{}, false
	}
	return e.Clusters[i], true
}
