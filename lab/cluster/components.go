package cluster

import (
	"path/filepath"
	"time"

	"github.com/seatrial/seatrial/lab/layout"
	"github.com/seatrial/seatrial/lab/machine"
)

const containerdSocket = "/run/containerd/containerd.sock"

// Bins says where the programs of each family lie.
type Bins struct {
	Kubernetes, Etcd, Containerd, Runc, CoreDNS, ChaosMesh, Traefik, Helpers string
	CRDs, GatewayCRDs                                                        string // files with the definitions of Chaos Mesh and of the Gateway API
	Cache                                                                    string // all of them are below it
}

// Components are the programs of a cluster in the order in which they start.
func Components(c layout.Cluster) []string {
	if c.Bare {
		return []string{"etcd", "apiserver", "kcm"}
	}
	all := []string{"etcd", "containerd", "apiserver", "kcm", "scheduler", "kubelet", "proxy", "coredns"}
	if c.Chaos {
		all = append(all, "chaos-daemon", "chaos-controller")
	}
	if c.Gateway {
		all = append(all, "gateway")
	}
	return all
}

// Grace is how long a component may take to end before it is killed.
const Grace = 3 * time.Second

// Programs renders the command line of every component. It is pure.
func Programs(c layout.Cluster, dir string, b Bins) map[string]machine.Program {
	path := "PATH=" + b.Containerd + ":" + b.Runc + ":/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	// A smaller heap costs no visible boot time and saves 60 MiB a cluster.
	env := []string{"GOGC=40", path}
	p := map[string]machine.Program{
		"etcd":       {Argv: etcdArgs(c, dir, b), Env: env},
		"containerd": {Argv: []string{filepath.Join(b.Containerd, "containerd"), "-c", filepath.Join(dir, "containerd.toml")}, Env: env},
		"apiserver":  {Argv: apiserverArgs(c, dir, b), Env: env},
		"kcm":        {Argv: kcmArgs(dir, b), Env: env},
		"scheduler": {Argv: []string{
			filepath.Join(b.Kubernetes, "kube-scheduler"), "--kubeconfig", filepath.Join(dir, "scheduler.kubeconfig"),
			"--leader-elect=false", "--bind-address=127.0.0.1",
		}, Env: env},
		"kubelet": {Argv: []string{
			filepath.Join(b.Kubernetes, "kubelet"), "--config", filepath.Join(dir, "kubelet.json"),
			"--kubeconfig", filepath.Join(dir, "kubelet.kubeconfig"), "--root-dir", filepath.Join(dir, "kubelet"),
			"--cert-dir", filepath.Join(dir, "kubelet", "pki"), "--hostname-override", c.Node(), "--node-ip", c.NodeIP(),
		}, Env: env},
		"proxy":   {Argv: []string{filepath.Join(b.Kubernetes, "kube-proxy"), "--config", filepath.Join(dir, "proxy.json")}, Env: env},
		"coredns": {Argv: []string{filepath.Join(b.CoreDNS, "coredns"), "-conf", filepath.Join(dir, "Corefile")}, Env: env},
		"chaos-daemon": {Argv: []string{
			filepath.Join(b.ChaosMesh, "chaos-daemon"), "--runtime", "containerd", "--runtime-socket-path", containerdSocket,
			"--http-port", "31766", "--grpc-port", "31767", "--ca", filepath.Join(dir, "pki", "ca.crt"),
			"--cert", filepath.Join(dir, "pki", "daemon.crt"), "--key", filepath.Join(dir, "pki", "daemon.key"),
		}, Env: env},
		"chaos-controller": {Argv: []string{filepath.Join(b.ChaosMesh, "chaos-controller-manager")}, Env: append(chaosEnv(dir), env...)},
	}
	p["gateway"] = gatewayProgram(c, dir, b)
	for name, prog := range p {
		prog.Name, prog.Dir = name, dir
		p[name] = prog
	}
	return p
}

func etcdArgs(c layout.Cluster, dir string, b Bins) []string {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	return []string{
		filepath.Join(b.Etcd, "etcd"), "--name", c.Name, "--data-dir", filepath.Join(dir, "etcd"),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", c.Name + "=" + peer,
		"--log-level", "warn", "--auto-compaction-retention=1",
		"--unsafe-no-fsync", // a lab survives kill -9, it need not survive a power cut
	}
}

func apiserverArgs(c layout.Cluster, dir string, b Bins) []string {
	pki := func(name string) string { return filepath.Join(dir, "pki", name) }
	return []string{
		filepath.Join(b.Kubernetes, "kube-apiserver"),
		"--etcd-servers=http://127.0.0.1:2379", "--bind-address=0.0.0.0", "--secure-port=6443",
		"--advertise-address=" + c.NodeIP(), "--service-cluster-ip-range=" + c.ServiceCIDR(), "--allow-privileged=true",
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"), "--client-ca-file=" + pki("ca.crt"),
		"--service-account-key-file=" + pki("sa.key"), "--service-account-signing-key-file=" + pki("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--kubelet-client-certificate=" + pki("apiserver-kubelet.crt"), "--kubelet-client-key=" + pki("apiserver-kubelet.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + pki("ca.crt"), "--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki("front.crt"), "--proxy-client-key-file=" + pki("front.key"),
	}
}

func kcmArgs(dir string, b Bins) []string {
	pki := func(name string) string { return filepath.Join(dir, "pki", name) }
	return []string{
		filepath.Join(b.Kubernetes, "kube-controller-manager"), "--kubeconfig", filepath.Join(dir, "kcm.kubeconfig"),
		"--service-account-private-key-file", pki("sa.key"), "--root-ca-file", pki("ca.crt"),
		"--cluster-signing-cert-file", pki("ca.crt"), "--cluster-signing-key-file", pki("ca.key"),
		"--use-service-account-credentials", "--leader-elect=false", "--bind-address=127.0.0.1",
		// At the default rate its forty controllers need 4 s to start, and the
		// node stays tainted that long.
		"--kube-api-qps=500", "--kube-api-burst=1000",
	}
}

func chaosEnv(dir string) []string {
	pki := func(name string) string { return filepath.Join(dir, "pki", name) }
	return []string{
		"KUBECONFIG=" + filepath.Join(dir, "admin.kubeconfig"), "CERTS_DIR=" + filepath.Join(dir, "hookcerts"),
		"WEBHOOK_HOST=127.0.0.1", "WEBHOOK_PORT=9443", "METRICS_HOST=127.0.0.1", "METRICS_PORT=10080",
		"ENABLE_LEADER_ELECTION=false", "CLUSTER_SCOPED=true", "SECURITY_MODE=false", "CHAOSD_SECURITY_MODE=false",
		"NAMESPACE=chaos-mesh", "TEMPLATE_NAMESPACE=chaos-mesh", "TARGET_NAMESPACE=chaos-mesh", "ENABLE_FILTER_NAMESPACE=false",
		"CHAOS_DAEMON_SERVICE_PORT=31767", "CHAOS_DNS_SERVICE_NAME=chaos-mesh-dns-server", "CHAOS_DNS_SERVICE_PORT=9288",
		"POD_FAILURE_PAUSE_IMAGE=" + layout.PauseImage, "CHAOS_MESH_CA_CERT=" + pki("ca.crt"),
		"CHAOS_DAEMON_CLIENT_CERT=" + pki("admin.crt"), "CHAOS_DAEMON_CLIENT_KEY=" + pki("admin.key"),
	}
}
