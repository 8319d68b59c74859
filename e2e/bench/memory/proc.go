package memory

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memory is what /proc says of a process, in MiB.
type memory struct{ rss, anon, file, peak float64 }

func read(pid int) (memory, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, fmt.Errorf("the server's memory: %w", err)
	}
	return parse(string(data)), nil
}

func parse(status string) memory {
	var m memory
	fields := map[string]*float64{"VmRSS": &m.rss, "RssAnon": &m.anon, "RssFile": &m.file, "VmHWM": &m.peak}
	for line := range strings.Lines(status) {
		name, rest, _ := strings.Cut(line, ":")
		if into := fields[name]; into != nil {
			kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, _ := strconv.ParseFloat(kib, 64) // the kernel writes digits
			*into = n / 1024
		}
	}
	return m
}

// children watches how large the processes get that the server starts.
type children struct {
	mu    sync.Mutex // guards most
	most  float64
	stop  context.CancelFunc
	ended chan struct{}
}

func watchChildren(ctx context.Context, pid int) *children {
	ctx, cancel := context.WithCancel(ctx)
	c := &children{ended: make(chan struct{})}
	c.stop = func() { cancel(); <-c.ended }
	go func() {
		defer close(c.ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				c.look(pid)
			}
		}
	}()
	return c
}

func (c *children) look(pid int) {
	files, _ := filepath.Glob("/proc/[0-9]*/status") // the pattern is fine
	parent := fmt.Sprintf("\nPPid:\t%d\n", pid)
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil || !strings.Contains(string(data), parent) {
			continue // it has ended, or is somebody else's
		}
		m := parse(string(data))
		c.mu.Lock()
		c.most = max(c.most, m.peak)
		c.mu.Unlock()
	}
}

func (c *children) largest() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}
