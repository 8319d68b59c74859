package machine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// ip runs one ip(8) command.
func ip(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, lastLine(string(out)))
	}
	return nil
}

// connect names the network namespace of pid and lays the cable.
func (n *Net) connect(ctx context.Context, name string, pid int) error {
	steps := [][]string{
		{"netns", "attach", name, strconv.Itoa(pid)},
		{"link", "add", n.Link, "type", "veth", "peer", "name", "eth0", "netns", name},
		{"addr", "add", n.HostIP + "/24", "dev", n.Link},
		{"link", "set", n.Link, "up"},
		{"-n", name, "link", "set", "lo", "up"},
		{"-n", name, "addr", "add", n.NodeIP + "/24", "dev", "eth0"},
		{"-n", name, "link", "set", "eth0", "up"},
		{"-n", name, "route", "add", n.Back, "via", n.HostIP},
	}
	for _, r := range n.Routes {
		steps = append(steps, []string{"route", "add", r, "via", n.NodeIP, "dev", n.Link})
	}
	for _, s := range steps {
		if err := ip(ctx, s...); err != nil {
			return err
		}
	}
	return nil
}

// disconnect removes the cable (its routes go with it) and the namespace's name.
func (n *Net) disconnect(ctx context.Context, name string) error {
	if err := RemoveLink(ctx, n.Link); err != nil {
		return err
	}
	return removeNetns(ctx, name)
}

// RemoveLink removes a cable's end unless it is gone.
func RemoveLink(ctx context.Context, name string) error {
	if _, err := net.InterfaceByName(name); err != nil {
		return nil
	}
	if err := ip(ctx, "link", "del", name); err != nil {
		// The kernel takes the cable away with the namespace; it may just have done so.
		if _, gone := net.InterfaceByName(name); gone == nil {
			return err
		}
	}
	return nil
}

func removeNetns(ctx context.Context, name string) error {
	if _, err := os.Lstat("/run/netns/" + name); err != nil {
		return nil
	}
	return ip(ctx, "netns", "del", name)
}

// RemoveNames removes the network namespace and cgroups of a machine that is dead.
func RemoveNames(ctx context.Context, name string) error {
	return errors.Join(removeNetns(ctx, name), removeCgroups(ctx, name))
}

// CgroupNames lists the cgroups whose name begins with prefix.
func CgroupNames(prefix string) ([]string, error) {
	dirs, err := hierarchies()
	if err != nil {
		return nil, fmt.Errorf("find cgroups: %w", err)
	}
	seen := map[string]bool{}
	for _, d := range dirs {
		found, err := filepath.Glob(filepath.Join(d, prefix+"*"))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			seen[filepath.Base(f)] = true
		}
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// KillBelow ends every machine whose folder lies or lay below dir.
func KillBelow(ctx context.Context, dir string) error {
	return killInits(ctx, func(d string) bool { return strings.HasPrefix(d, dir+"/") })
}

// forwardPackets turns a fresh network namespace into a node.
func forwardPackets() error {
	for _, key := range []string{"net/ipv4/ip_forward", "net/bridge/bridge-nf-call-iptables", "net/ipv4/conf/all/route_localnet"} {
		if err := os.WriteFile("/proc/sys/"+key, []byte("1"), 0); err != nil {
			return fmt.Errorf("set %s: %w", key, err)
		}
	}
	return nil
}

// hierarchies lists the folders below which a machine needs a cgroup: one on
// cgroup v2, one per controller on v1, where runc also uses the empty v2 tree
// that stands beside them.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(cgroupRoot + "/cgroup.controllers"); err == nil {
		return []string{cgroupRoot}, nil
	}
	entries, err := os.ReadDir(cgroupRoot)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, e := range entries {
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(cgroupRoot, e.Name()))
		}
	}
	return dirs, nil
}

func makeCgroups(name string) error {
	dirs, err := hierarchies()
	if err != nil {
		return fmt.Errorf("find cgroups: %w", err)
	}
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(d, name), 0o755); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
		if err := setShares(filepath.Join(d, name)); err != nil {
			return fmt.Errorf("make cgroup: %w", err)
		}
		if filepath.Base(d) != "cpuset" {
			continue
		}
		// An empty cpuset takes no process, and children inherit the emptiness.
		for _, f := range []string{"cpuset.cpus", "cpuset.mems"} {
			b, err := os.ReadFile(filepath.Join(d, f))
			if err != nil {
				return fmt.Errorf("make cgroup: %w", err)
			}
			if err := os.WriteFile(filepath.Join(d, name, f), b, 0o644); err != nil {
				return fmt.Errorf("make cgroup: %w", err)
			}
		}
	}
	return nil
}

// setShares gives a machine together the weight of four ordinary processes:
// with the usual weight of one, a busy host starves its pods and builds.
func setShares(dir string) error {
	for file, weight := range map[string]string{"cpu.shares": "4096", "cpu.weight": "400"} {
		err := os.WriteFile(filepath.Join(dir, file), []byte(weight), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// joinCPU moves a machine's first process, and so all that follow, into the
// machine's share of the processors. It stays where it is in every other
// hierarchy, above all in the caller's memory; and on cgroup v2, where a group
// cannot hold both processes and groups.
func joinCPU(name string, pid int) error {
	for _, h := range []string{"cpu", "cpuacct", "cpu,cpuacct"} {
		file := filepath.Join(cgroupRoot, h, name, "cgroup.procs")
		if _, err := os.Stat(file); err != nil {
			continue
		}
		if err := os.WriteFile(file, []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("join cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroups removes the machine's cgroups. They empty as the kernel gets
// rid of the processes, so this waits a little.
func removeCgroups(ctx context.Context, name string) error {
	dirs, err := hierarchies()
	if err != nil {
		return fmt.Errorf("find cgroups: %w", err)
	}
	return Poll(ctx, 15*time.Second, func(context.Context) error {
		var last error
		for _, d := range dirs {
			if err := removeTree(filepath.Join(d, name)); err != nil {
				last = err
			}
		}
		return last
	})
}

// removeTree removes a folder of folders, deepest first: in a cgroup the files
// are the kernel's and cannot be removed.
func removeTree(top string) error {
	var dirs []string
	err := filepath.WalkDir(top, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && d.IsDir() {
			dirs = append(dirs, p)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(dirs) {
		if err := unix.Rmdir(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove cgroup %s: %w", d, err)
		}
	}
	return nil
}

// unmountBelow detaches what is still mounted below dir in the host's view.
// There should be nothing: everything is mounted inside. Removing files below
// a forgotten mount would be worse than a needless look.
func unmountBelow(dir string) error {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	defer f.Close()
	var points []string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if fields := strings.Fields(sc.Text()); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	for _, p := range slices.Backward(points) {
		if err := unix.Unmount(p, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", p, err)
		}
	}
	return nil
}

// killInits kills every first process whose folder matches and waits
// until the kernel has taken its namespace down. There is at most one, unless
// something crashed at a bad moment.
func killInits(ctx context.Context, match func(dir string) bool) error {
	pids, err := findInits(match)
	if err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %d: %w", pid, err)
		}
	}
	for _, pid := range pids {
		err := Poll(ctx, 30*time.Second, func(context.Context) error {
			// If it is our own child it stays a zombie until we ask for it.
			var ws syscall.WaitStatus
			if _, err := syscall.Wait4(pid, &ws, syscall.WNOHANG, nil); err != nil && !errors.Is(err, syscall.ECHILD) {
				return err
			}
			if s := procState(pid); s != 0 && s != 'Z' {
				return fmt.Errorf("process %d is still there", pid)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// findInits finds the first processes of machines by their command line.
func findInits(match func(dir string) bool) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err != nil {
			continue // it ended meanwhile
		}
		args := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
		if len(args) == 3 && args[1] == InitCommand && match(args[2]) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Live returns what every machine that runs now was told to be, whoever booted it.
func Live() ([]Spec, error) {
	var specs []Spec
	_, err := findInits(func(dir string) bool {
		var s Spec
		b, err := os.ReadFile(filepath.Join(dir, "machine.json"))
		if err == nil && json.Unmarshal(b, &s) == nil {
			specs = append(specs, s)
		}
		return false
	})
	return specs, err
}

func (m *Machine) own(dir string) bool { return dir == m.Dir }

// InitPID is the machine's first process as the host counts; 0 when it is not up.
func (m *Machine) InitPID() int {
	pids, err := findInits(m.own)
	if err != nil || len(pids) == 0 {
		return 0
	}
	return pids[0]
}

// procState is the letter that /proc gives a process, or 0 when there is none.
func procState(pid int) byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name in parentheses may hold anything; the letter follows the last one.
	i := strings.LastIndexByte(string(b), ')')
	if i < 0 || i+2 >= len(b) {
		return 0
	}
	return b[i+2]
}
