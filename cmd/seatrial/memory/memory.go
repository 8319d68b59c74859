// Package memory gives back memory that only the start of the server needed.
//
// Start at Slim. It never takes anything that would have to be written to swap.
package memory

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// pageOut asks the kernel to take pages out of memory. It never loses any, unlike
// MADV_DONTNEED: pages that the loader has written to, such as jump tables, stay.
const pageOut = 21 // MADV_PAGEOUT

// heapGrowth makes the collector run a little more often than Go's default of 100.
const heapGrowth = 60

// Slim gives back what only the start needed. Hundreds of linked packages initialise
// themselves, which maps nearly all of the program; while serving, a third of it is used.
func Slim() {
	debug.SetGCPercent(heapGrowth)
	debug.FreeOSMemory()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return // not Linux: nothing to give back
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if from, size, ok := ownText(lines.Text(), self); ok {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, size, pageOut)
		}
	}
}

// ownText reads one line of /proc/self/maps: the program's own file, never written to.
func ownText(line, self string) (from, size uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[5] != self || strings.Contains(fields[1], "w") {
		return 0, 0, false
	}
	low, high, _ := strings.Cut(fields[0], "-")
	a, errA := strconv.ParseUint(low, 16, 64)
	b, errB := strconv.ParseUint(high, 16, 64)
	return uintptr(a), uintptr(b - a), errA == nil && errB == nil
}
