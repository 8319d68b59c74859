package build

import "slices"

// Family is a set of programs that are built together, from one module file.
type Family struct {
	Name     string
	Programs []Program
	Tags     string
	LDFlags  string
	// Extras makes what is not a Go program; nil when there is nothing.
	Extras func(Work) error
}

// Program is one Go command of a family.
type Program struct {
	Name    string // of the file it becomes
	Package string // import path, or "." for a main of ours
}

const kubernetesVersion = "v1.36.4"

// Families returns every family in the order in which they are built: what the
// first cluster needs comes first.
func Families() []Family {
	return []Family{
		{Name: "helpers", Extras: buildHelpers},
		{Name: "registry", Programs: []Program{{"registry", "."}}},
		{Name: "etcd", Programs: []Program{{"etcd", "go.etcd.io/etcd/server/v3"}}},
		{Name: "containerd", Tags: "no_btrfs", Programs: []Program{
			{"containerd", "github.com/containerd/containerd/v2/cmd/containerd"},
			{"containerd-shim-runc-v2", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"},
			{"ctr", "github.com/containerd/containerd/v2/cmd/ctr"},
		}},
		{Name: "runc", Tags: "seccomp netgo osusergo", Programs: []Program{{"runc", "github.com/opencontainers/runc"}}},
		{
			Name: "kubernetes",
			// Without it the server calls itself v0.0.0.
			LDFlags: "-X k8s.io/component-base/version.gitVersion=" + kubernetesVersion,
			Programs: []Program{
				{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
				{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
				{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
				{"kubelet", "k8s.io/kubernetes/cmd/kubelet"},
				{"kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"},
				{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
			},
		},
		{Name: "buildkit", LDFlags: "-X github.com/moby/buildkit/version.Version=v0.34.2", Programs: []Program{
			{"buildkitd", "github.com/moby/buildkit/cmd/buildkitd"},
			{"buildctl", "github.com/moby/buildkit/cmd/buildctl"},
		}},
		{Name: "coredns", Programs: []Program{{"coredns", "."}}},
		{Name: "chaosmesh", Extras: renderCRDs, Programs: []Program{
			{"chaos-controller-manager", "github.com/chaos-mesh/chaos-mesh/cmd/chaos-controller-manager"},
			{"chaos-daemon", "github.com/chaos-mesh/chaos-mesh/cmd/chaos-daemon"},
		}},
		{
			Name: "gitea", Tags: "sqlite sqlite_unlock_notify", Extras: copyGiteaFiles,
			Programs: []Program{{"gitea", "code.gitea.io/gitea"}},
		},
		{Name: "prometheus", Programs: []Program{{"prometheus", "github.com/prometheus/prometheus/cmd/prometheus"}}},
	}
}

// Tools returns what tests and benches compare the product with, and the gateway. Each is built
// when it is first asked for, because compiling one takes minutes and the lab runs without.
func Tools() []Family {
	return []Family{
		{Name: "cosign", Programs: []Program{{"cosign", "github.com/sigstore/cosign/v3/cmd/cosign"}}},
		{Name: "ko", Programs: []Program{{"ko", "github.com/google/ko"}}},
		{Name: "syft", Programs: []Program{{"syft", "github.com/anchore/syft/cmd/syft"}}},
		{Name: "traefik", Extras: renderGatewayCRDs, Programs: []Program{{"traefik", "github.com/traefik/traefik/v3/cmd/traefik"}}},
	}
}

// known are families and tools.
func known() []Family { return slices.Concat(Families(), Tools()) }

// CRDFile is the file of the chaosmesh family with its custom resource definitions.
const CRDFile = "chaos-crds.json"

// GatewayCRDFile is the file of the traefik family with the definitions of the Gateway API.
const GatewayCRDFile = "gateway-crds.json"

// GiteaShare is the folder of the gitea family with templates and texts.
const GiteaShare = "share"
