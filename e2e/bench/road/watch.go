package road

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pods watches a service's pods on the clusters with kubectl, so that somebody else than
// the server says when they were ready.
type pods struct {
	mu    sync.Mutex // guards first
	first map[pod]time.Time
	stop  func()
}

type pod struct{ cluster, name, image string }

func watchPods(ctx context.Context, lab, namespace, app string, clusters []string) (*pods, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &pods{first: map[pod]time.Time{}}
	var all sync.WaitGroup
	p.stop = func() { cancel(); all.Wait() }
	for _, cluster := range clusters {
		cmd := exec.CommandContext(ctx, lab, "kubectl", cluster, "-n", namespace, "get", "pods", "-l", "app="+app, "--watch",
			"-o", `jsonpath={.metadata.name} {.spec.containers[0].image} {.status.conditions[?(@.type=="Ready")].status}{"\n"}`)
		// The lab's program runs kubectl as its child, which has to end with it.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		out, err := cmd.StdoutPipe()
		if err != nil {
			p.stop()
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			p.stop()
			return nil, fmt.Errorf("watch pods on %s: %w", cluster, err)
		}
		all.Go(func() { p.read(cluster, out); _ = cmd.Wait() })
	}
	return p, nil
}

func (p *pods) read(cluster string, out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		now := time.Now()
		f := strings.Fields(lines.Text())
		if len(f) != 3 || f[2] != "True" {
			continue
		}
		p.mu.Lock()
		if key := (pod{cluster, f[0], f[1]}); p.first[key].IsZero() {
			p.first[key] = now
		}
		p.mu.Unlock()
	}
}

// lastReady is when the last pod of an image became ready on a cluster, of those that did
// within a span; false when none did.
func (p *pods) lastReady(cluster, image string, within span) (last time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, at := range p.first {
		if key.cluster == cluster && key.image == image && !at.Before(within.from) && !at.After(within.to) {
			last, ok = later(last, at), true
		}
	}
	return last, ok
}
