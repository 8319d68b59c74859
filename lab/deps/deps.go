// Package deps knows what the lab needs of the machine: Debian packages and
// kernel features. Start at Check. It never changes the kernel's settings.
package deps

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Packages are the Debian packages that the lab, its builds and the tests that
// use it need.
func Packages() []string {
	return []string{
		"iptables", "iproute2", "ipset", "conntrack", "socat", "ethtool", "containernetworking-plugins", // nodes and faults
		"stress-ng", "util-linux", "procps", "git", "ca-certificates",
		"gcc", "libc6-dev", "libseccomp-dev", "pkg-config", "debootstrap", // builds
		"chromium", "chromium-driver", // the console's tests
		"softhsm2",                                                 // the tests of keys on a token
		"openssh-client",                                           // git verifies signed commits with ssh-keygen
		"mariadb-server-core", "mariadb-client-core", "postgresql", // an application starves of connections
	}
}

// MissingPackages asks dpkg which of the names are not installed.
func MissingPackages(ctx context.Context, names []string) ([]string, error) {
	var missing []string
	for _, n := range names {
		out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Abbrev}", n).Output()
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("find packages: there is no dpkg: the lab installs on Debian only")
		}
		if err != nil || !strings.HasPrefix(string(out), "ii") {
			missing = append(missing, n)
		}
	}
	return missing, nil
}

// Install installs the packages that are missing; with none it does nothing.
func Install(ctx context.Context, w io.Writer) error {
	missing, err := MissingPackages(ctx, Packages())
	if err != nil || len(missing) == 0 {
		return err
	}
	fmt.Fprintf(w, "install %s\n", strings.Join(missing, " "))
	if err := apt(ctx, w, "update"); err != nil {
		return err
	}
	return apt(ctx, w, append([]string{"install", "-y", "--no-install-recommends"}, missing...)...)
}

func apt(ctx context.Context, w io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "DPkg::Lock::Timeout=300"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", args[0], err)
	}
	return nil
}

// Problem is one thing without which no cluster can run.
type Problem struct{ What, Hint string }

const installHint = "run: lab deps"

// Check looks for what a boot would trip over later, with worse words.
func Check() []Problem {
	var all []Problem
	if os.Geteuid() != 0 {
		all = append(all, Problem{"not root: namespaces, mounts and cgroups need it", "run it as root"})
	}
	for _, tool := range []string{"ip", "iptables", "ipset", "conntrack", "socat", "git", "tc", "stress-ng"} {
		if _, err := exec.LookPath(tool); err != nil {
			all = append(all, Problem{"program " + tool + " is missing", installHint})
		}
	}
	for _, plugin := range []string{"bridge", "host-local", "portmap", "loopback"} {
		if _, err := os.Stat("/usr/lib/cni/" + plugin); err != nil {
			all = append(all, Problem{"CNI plugin " + plugin + " is missing", installHint})
		}
	}
	fs, err := os.ReadFile("/proc/filesystems")
	if err != nil || !strings.Contains(string(fs), "\toverlay\n") {
		all = append(all, Problem{"the kernel has no overlay file system", "run: modprobe overlay"})
	}
	if _, err := os.Stat("/proc/sys/net/bridge/bridge-nf-call-iptables"); err != nil {
		all = append(all, Problem{"the kernel does not filter bridged packets", "run: modprobe br_netfilter"})
	}
	for _, c := range []string{"memory", "cpu", "pids", "cpuset"} {
		if !hasController(c) {
			all = append(all, Problem{"there is no cgroup controller " + c, "mount it below /sys/fs/cgroup"})
		}
	}
	return all
}

func hasController(name string) bool {
	if b, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return slices.Contains(strings.Fields(string(b)), name)
	}
	_, err := os.Stat("/sys/fs/cgroup/" + name + "/tasks")
	return err == nil
}

// Lacks names what the kernel cannot do and clusters can live without: queueing
// disciplines that network faults are made of. It tries them on the loopback
// of a network namespace that is gone afterwards.
func Lacks(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var lacks []string
	for _, q := range [][]string{
		{"netem", "delay", "1ms"},
		{"prio"},
		{"tbf", "rate", "1mbit", "burst", "32kbit", "latency", "10ms"},
	} {
		args := append([]string{"--net", "tc", "qdisc", "add", "dev", "lo", "root"}, q...)
		if err := exec.CommandContext(ctx, "unshare", args...).Run(); err != nil {
			lacks = append(lacks, q[0])
		}
	}
	return lacks
}
