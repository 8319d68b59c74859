package sandbox

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// maxStack of one goroutine, in bytes: a recursion without end ends here, with a message.
const maxStack = 32 << 20

// Enter is the child's first act: it takes from this process whatever Start's arguments
// say, for good.
func Enter(args []string) error {
	if len(args) != 3 {
		return errors.New("enter: this command is for the server itself")
	}
	memory, err := strconv.ParseInt(args[0], 10, 64)
	if err != nil {
		return fmt.Errorf("enter: %w", err)
	}
	cpu, err := strconv.ParseUint(args[1], 10, 32)
	if err != nil {
		return fmt.Errorf("enter: %w", err)
	}
	if args[2] != "true" {
		if err := leaveFiles(); err != nil {
			return err
		}
	}
	time.Local = time.UTC // the machine's zone is nobody's business
	debug.SetMaxStack(maxStack)
	debug.SetMemoryLimit(memory * 3 / 4) // work harder for memory before there is none
	for _, l := range []struct {
		what  int
		limit uint64
	}{
		{unix.RLIMIT_DATA, uint64(memory) * overhead}, {unix.RLIMIT_CPU, cpu}, {unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_CORE, 0}, {unix.RLIMIT_NOFILE, 32},
	} {
		if err := unix.Setrlimit(l.what, &unix.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return fmt.Errorf("enter: limit %d: %w", l.what, err)
		}
	}
	return nil
}

// leaveFiles makes an empty folder the root and lets go of every other file system.
func leaveFiles() error {
	const empty = "/proc" // that there is one is all that matters
	steps := []struct {
		name string
		do   func() error
	}{
		{"keep mounts to itself", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		{"mount an empty folder", func() error {
			return unix.Mount("none", empty, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=4k,nr_inodes=1,mode=0555")
		}},
		{"go there", func() error { return unix.Chdir(empty) }},
		{"make it the root", func() error { return unix.PivotRoot(".", ".") }},
		{"let go of the files", func() error { return unix.Unmount(".", unix.MNT_DETACH) }},
		{"stay there", func() error { return os.Chdir("/") }},
		{"make it read-only", func() error {
			return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("enter: %s: %w", s.name, err)
		}
	}
	return nil
}
