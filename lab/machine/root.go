package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// buildRoot makes the machine's private root and moves into it: the host's
// programs, its own /var, /run, /tmp and /proc. Nothing else of the host's
// mounts comes along, so no foreign namespace is kept alive by ours, and
// nothing can leak back.
func buildRoot(s Spec) error {
	root := filepath.Join(s.Dir, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount root: %w", err)
	}
	if err := fillRoot(root, s); err != nil {
		return err
	}
	if err := enterRoot(root); err != nil {
		return err
	}
	if s.Tools == "" {
		return nil
	}
	// Some programs look for their helpers in /usr/local/bin and nowhere else.
	if err := unix.Mount("overlay", "/usr/local/bin", "overlay", 0, "lowerdir="+s.Tools+":/usr/local/bin"); err != nil {
		return fmt.Errorf("mount tools: %w", err)
	}
	return nil
}

func fillRoot(root string, s Spec) error {
	for _, d := range []string{"proc", "old", "root", "run/netns", "run/lock", "var/lib", "var/log", "var/tmp", "var/cache"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"} {
		target, err := os.Readlink("/" + name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("copy link /%s: %w", name, err) // needs a merged /usr
		}
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	// containerd names pod namespaces by /var/run; the chaos daemon looks for
	// the node's cgroups in /host-sys.
	links := map[string]string{"/run": "var/run", "/run/lock": "var/lock", "/sys": "host-sys"}
	for target, name := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	for _, d := range []string{"/dev", "/sys"} {
		if err := bind(d, filepath.Join(root, d), unix.MS_REC); err != nil {
			return err
		}
	}
	for _, d := range append([]string{"/usr", "/etc"}, s.Binds...) {
		if err := bind(d, filepath.Join(root, d), 0); err != nil {
			return err
		}
	}
	return fillState(root, s)
}

// fillState mounts what the machine writes: its folder, and a /tmp of its own
// below it. Both lie on the host's disk, not in memory.
func fillState(root string, s Spec) error {
	tmp := filepath.Join(s.Dir, "tmp")
	if err := os.MkdirAll(tmp, 0o777); err != nil {
		return err
	}
	if err := os.Chmod(tmp, 0o1777); err != nil {
		return err
	}
	if err := bind(tmp, filepath.Join(root, "tmp"), 0); err != nil {
		return err
	}
	if err := bind(s.Dir, filepath.Join(root, s.Dir), 0); err != nil {
		return err
	}
	if err := unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	return nil
}

func bind(from, to string, flags uintptr) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|flags, ""); err != nil {
		return fmt.Errorf("bind %s: %w", from, err)
	}
	return nil
}

func enterRoot(root string) error {
	if err := unix.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "old"); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	if err := unix.Unmount("/old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the old root: %w", err)
	}
	if err := os.Remove("/old"); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	// Pods get mounts that the kubelet makes later: propagation must be shared.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("share mounts: %w", err)
	}
	return nil
}
